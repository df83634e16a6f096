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
    """One of before on the folder of a newer one takes nothing of it, and says why; the newer one goes on with it."""
    node = town.owner()
    town.complain(node.leave())
    town.wait_other(node)
    n_before = len(node.log())
    node.program = program
    node.start(wait=False)
    code = town.wait_until(lambda: node.process.poll() is not None and str(node.process.returncode), "the version of before to end")
    node.process = None
    said = {word for word in REFUSALS if word in node.log()[n_before:]}
    if code == "0" or not said:
        town.complain(f"the version of before ended with {code} on the folder of a newer one, and said\n{node.log()[n_before:][-2000:]}")
    print(f"    the version of before: exit code {code}, {', '.join(sorted(said))}", flush=True)
    node.program = servers.TIDEGATE
    node.up()


def play(town, dice, program):
    replace_all(town, dice)
    go_back(town, program)
