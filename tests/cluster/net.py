"""Machines that are network namespaces on one bridge, and what is cut between them.

What runs this is nv itself (tests/cluster/run gives it namespaces of its own, which go with it, whatever
ends it); the others are beside it. A cut drops what goes from one to the other and back, without a word
to either end, as a switch does that has lost its way.
"""
import itertools
import subprocess

ADDRESSES = {"nv": "10.77.0.1", "np": "10.77.0.2", "nb": "10.77.0.3", "nb1": "10.77.0.3", "nb2": "10.77.0.4",
             "nb3": "10.77.0.5", "n1": "10.77.0.11", "n2": "10.77.0.12", "n3": "10.77.0.13"}
RULES = """table inet cut {
        set away { type ipv4_addr; }
        set deaf { type ipv4_addr; }
        chain from { type filter hook input priority 0; ip saddr @away drop; }
        chain to {
                type filter hook output priority 0; ip daddr @away drop;
                ip daddr @deaf tcp flags & (fin | syn | rst | psh) != 0 drop
        }
}
"""


def run(*command, stdin=None):
    done = subprocess.run(command, input=stdin, text=True, capture_output=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr.strip()}"


def inside(name):
    """What a command begins with that is to run there."""
    return [] if name == "nv" else ["nsenter", f"--net=/run/netns/{name}"]


class Net:
    def __init__(self, names):
        self.names = ["nv", *names]
        self._cuts, self._unplugged = set(), set()  # a cut: the set, who, from whom
        run("ip", "link", "set", "lo", "up")
        run("ip", "link", "add", "hub", "type", "bridge", "forward_delay", "0", "stp_state", "0")
        run("ip", "address", "add", f"{ADDRESSES['nv']}/24", "dev", "hub")
        run("ip", "link", "set", "hub", "up")
        for name in names:
            run("ip", "netns", "add", name)
            run("ip", "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", name)
            run("ip", "link", "set", name, "master", "hub", "up")
            for words in (["link", "set", "lo", "up"], ["link", "set", "eth0", "up"],
                          ["address", "add", f"{ADDRESSES[name]}/24", "dev", "eth0"]):
                run("ip", "-n", name, *words)
        for name in self.names:
            run(*inside(name), "nft", "-f", "-", stdin=RULES)

    def pairs(self):
        return list(itertools.combinations(self.names, 2))

    def cut(self, one, other, kind="away"):
        if (kind, one, other) not in self._cuts:
            run(*inside(one), "nft", "add", "element", "inet", "cut", kind, f"{{ {ADDRESSES[other]} }}")
        self._cuts.add((kind, one, other))

    def mute(self, one, other):
        """What the other one says still comes, and that it has come is heard: without that it would end after what the
        other had under way, a few hundred milliseconds' worth. Nothing that the one writes goes out, as the last piece of
        that is pushed."""
        self.cut(one, other, "deaf")

    def unplug(self, name):
        """Its cable: it reaches nobody."""
        run("ip", "link", "set", name, "down")
        self._unplugged.add(name)

    def heal(self):
        for kind, one, other in self._cuts:
            run(*inside(one), "nft", "delete", "element", "inet", "cut", kind, f"{{ {ADDRESSES[other]} }}")
        for name in self._unplugged:
            run("ip", "link", "set", name, "up")
        self._cuts, self._unplugged = set(), set()
