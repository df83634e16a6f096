"""A new version comes while all goes on, node by node, as docs/cluster.md has it; and there is no way back."""
from cast import LEASE_S
import servers

REFUSALS = ("schema_unknown", "journal_segment_foreign")


def replace_all(town, dice):
    """First those that store nothing; of several that store one after the other. Both store side by side meanwhile."""
    nodes = [town.owner()] if town.n_slots == 1 else []
    nodes = [*dice.sample(rest := [n for n in town.nodes if n not in nodes], len(rest)), *nodes]
    for node in nodes:
        town.complain(node.leave())
        town.wait_other(node)
        node.program = servers.TIDEGATE
        node.up()
        town.pause(dice.uniform(1, 2) * LEASE_S)
    town.wait_owner()


def go_back(town, program):
    """One of before on the folder of a newer one stores nothing, and says why; the newer one goes on with the folder. It
    ends, or, of several that store, has no slot."""
    node = town.owner()
    town.complain(node.leave())
    town.wait_other(node)
    n_before = len(node.log())
    node.program = program
    node.start(wait=False)
    town.pause(4 * LEASE_S)
    code = node.process.poll()
    if code is None:
        code = node.terminate()
        town.complain(f"the version of before stood by and ended with {code}" if code else None)
    log = node.log()[n_before:]
    said = {word for word in REFUSALS if word in log}
    if not said or "lease_held" in log:
        town.complain(f"the version of before ended with {code} on the folder of a newer one, and said\n{log[-2000:]}")
    print(f"    the version of before: exit code {code}, {', '.join(sorted(said))}", flush=True)
    node.process = None
    node.program = servers.TIDEGATE
    node.up()


def play(town, dice, program):
    replace_all(town, dice)
    go_back(town, program)
