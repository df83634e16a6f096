"""Faults of the gateway's process and of what it stands on."""
import contextlib
import pathlib
import resource
import shutil
import signal
import socket
import subprocess

from matrix import again, row
from servers import ROOT, Gateway
from waiting import wait_until

FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1"


@row("kill -9 at random moments", is_live_whole=False)
def killed(world):
    for _ in again(world, 6, 100):
        world.pause(world.dice.uniform(0.05, 0.6))
        world.gateway.kill()
        world.restart_gateway()


@row("kill -9 again while it starts", is_live_whole=False)
def killed_starting(world):
    for _ in again(world, 6, 60):
        world.gateway.kill()
        world.gateway.start(wait=False)
        world.pause(world.dice.uniform(0.0, 0.4))
    world.gateway.kill()
    world.restart_gateway()


@row("kill -9 while the database is away", is_live_whole=False)
def killed_without_database(world):
    world.postgres.stop()
    for _ in again(world, 3, 20):
        world.pause(world.dice.uniform(0.2, 1.0))
        world.gateway.kill()
        world.gateway.start(wait=False)
    world.pause(0.5)
    world.postgres.start()
    world.wait_flow()


@row("SIGTERM under load, and a start", is_live_whole=False, says=("stopping", "stopped in_journal=0"))
def terminated(world):
    for _ in again(world, 2, 10):
        world.pause(world.dice.uniform(0.1, 0.6))
        world.complain_if(world.gateway.terminate() != 0, "it did not end with 0")
        world.restart_gateway()


@row("SIGTERM while the database is away", is_live_whole=False)
def terminated_without_database(world):
    world.postgres.stop()
    world.pause(1)
    world.complain_if(world.gateway.terminate() != 0, "it did not end with 0")
    world.postgres.start()
    world.restart_gateway()
    world.wait_flow()


@row("SIGSTOP for seconds, and SIGCONT")
def stopped(world):
    for _ in again(world, 1, 2):
        world.gateway.freeze()
        world.pause(5 if world.is_short else 30)
        world.gateway.thaw()
        world.wait_flow()


@row("SIGHUP, again and again")
def reloaded(world):
    for _ in again(world, 10, 100):
        world.gateway.process.send_signal(signal.SIGHUP)
        world.pause(world.dice.uniform(0.0, 0.2))
    world.wait_log("reloaded")
    world.wait_flow()


@row("out of descriptors for a while")
def no_descriptors(world):
    limits = resource.prlimit(world.gateway.pid, resource.RLIMIT_NOFILE)
    opened, _, _ = world.resources()
    resource.prlimit(world.gateway.pid, resource.RLIMIT_NOFILE, (opened.total() + 2, limits[1]))
    held = []
    for _ in range(30):
        held.append(socket.create_connection(("127.0.0.1", world.gateway.port)))
    world.proxy.cut()
    world.pause(3)
    for one in held:
        one.close()
    resource.prlimit(world.gateway.pid, resource.RLIMIT_NOFILE, limits)
    world.wait_flow()


# It says so with each attempt to make a file of the journal, some two a second.
@row("a limit of memory just above what it uses", pad="x" * 8000, in_short=False, max_warnings=60,
     settings={"ws__replay_bytes": "8M"})
def no_memory(world):
    statm = pathlib.Path(f"/proc/{world.gateway.pid}/statm").read_text("ascii").split()
    used = int(statm[0]) * resource.getpagesize()
    limits = resource.prlimit(world.gateway.pid, resource.RLIMIT_AS)
    resource.prlimit(world.gateway.pid, resource.RLIMIT_AS, (used + (4 << 20), limits[1]))
    world.postgres.stop()
    world.pause(8)
    world.postgres.start()
    if world.gateway.process.poll() is None:
        resource.prlimit(world.gateway.pid, resource.RLIMIT_AS, limits)
    else:  # it may end, as long as it has lost nothing
        world.gateway.process = None
        world.restart_gateway()
    world.wait_flow()


@row("the journal is full", pad="x" * 4000, max_fds=20, says=("journal_high", "journal_low"),
     settings={"journal__max_bytes": "4M", "journal__reserve_bytes": "1M"})
def journal_full(world):
    world.postgres.stop()
    world.wait_log("journal_high")
    world.pause(2)
    world.postgres.start()
    world.wait_flow()


def on_small_disk(world):
    disk = world.folder / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tidegate-faults", disk], check=True)
    world.at_end.append(lambda: subprocess.run(["umount", "-l", disk], check=True))
    world.gateway.write_conf(journal__dir=str(disk / "journal"))


@row("the disk under the journal is full", prepare=on_small_disk, needs_root=True,
     settings={"journal__min_free_bytes": "0", "journal__max_bytes": "16M",
               "journal__segment_bytes": "1M", "journal__reserve_bytes": "2M"})
def disk_full(world):
    filler = world.folder / "disk/filler"
    world.postgres.stop()
    with contextlib.suppress(OSError), open(filler, "wb") as file:
        while True:
            file.write(b"x" * 65536)
            file.flush()
    world.pause(4)
    filler.unlink()
    world.postgres.start()
    world.wait_flow()


def with_failing_disk(world):
    library = world.folder / "failing_disk.so"
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", library,
                    ROOT / "tests/integration/failing_disk.c", "-ldl"], check=True)
    world.gateway.preload = [str(library)]
    world.gateway.extra_env = {"FAILING_DISK": str(world.gateway.folder / "fails")}


@row("fsync of the journal fails, so that it ends; then a start", prepare=with_failing_disk,
     is_live_whole=False)
def fsync_fails(world):
    fails = world.gateway.folder / "fails"
    fails.write_text("sync\n", "ascii")
    wait_until(lambda: world.gateway.process.poll() is not None, "the gateway to end", 60)
    fails.unlink()
    world.gateway.process = None
    world.restart_gateway()
    world.wait_flow()


def segments(world):
    """The journal's files, the newest last."""
    return sorted((world.gateway.folder / "journal").glob("*.seg"))


@row("bytes flipped in what was stored already and is kept", is_live_whole=False, max_warnings=80)  # each file, at each start
def flipped_bytes(world):
    for _ in again(world, 2, 10):
        world.wait_flow(300)
        world.gateway.kill()
        with open(segments(world)[-1], "r+b") as file:
            for _ in range(20):
                file.seek(world.dice.randrange(4096, 20000))
                file.write(bytes([world.dice.randrange(256)]))
        world.restart_gateway()


@row("garbage behind the last record, as a torn write leaves it", is_live_whole=False)
def torn_tail(world):
    for _ in again(world, 3, 20):
        world.pause(world.dice.uniform(0.2, 0.6))
        world.gateway.kill()
        with open(segments(world)[-1], "r+b") as file:
            data = file.read()
            end = len(data.rstrip(b"\0"))
            file.seek(end + world.dice.randrange(8))
            file.write(bytes(world.dice.randrange(256) for _ in range(world.dice.randrange(1, 200))))
        world.restart_gateway()


@row("the journal's folder emptied after an orderly end", is_live_whole=False, may_forget=True)
def journal_emptied(world):
    world.complain_if(world.gateway.terminate() != 0, "it did not end with 0")
    shutil.rmtree(world.gateway.folder / "journal")
    world.restart_gateway()
    world.wait_flow()


def clock_row(name, clock):
    @row(name, is_live_whole=False)
    def clock_wrong(world):
        world.gateway.kill()
        world.gateway.clock = clock
        world.restart_gateway()
        world.wait_flow()
        world.gateway.kill()
        world.gateway.clock = None
        world.restart_gateway()
        world.wait_flow()


clock_row("a start with a clock 400 days ahead, then with the right one", "+400d")
clock_row("a start with a clock two hours behind, then with the right one", "-2h")


def with_settable_clock(world):
    file = world.folder / "clock"
    file.write_text("+0\n", "ascii")
    world.gateway.preload = [FAKETIME]
    world.gateway.extra_env = {"FAKETIME_TIMESTAMP_FILE": str(file), "FAKETIME_NO_CACHE": "1",
                               "FAKETIME_DONT_FAKE_MONOTONIC": "1"}


@row("the clock jumps while it runs: ahead, back, and right again", prepare=with_settable_clock)
def clock_jumps(world):
    for offset in ("+3600", "-7200", "+86400", "+0"):
        (world.folder / "clock").write_text(f"{offset}\n", "ascii")
        world.pause(1)
        world.wait_flow(20)


def with_second(world):
    """Another gateway for the same database and broker, not started."""
    other = Gateway(world.folder / "second", world.database)
    other.settings.update({key: value for key, value in world.gateway.settings.items()
                           if key in ("database.url", "mqtt.url", "cluster.lease")})
    other.write_conf()
    world.second = other
    world.at_end.append(other.stop)


def stands_by(gateway):
    return gateway.status("/livez") == 200 and gateway.get("/readyz").json().get("status") == "standby"


def second_row(name, end, **options):
    @row(f"two at once: {name}, and the other way round", prepare=with_second, is_live_whole=False,
         settings={"cluster__lease": "2s"}, says=("lease_waiting", "lease_held"), **options)
    def two_at_once(world):
        first, second = world.gateway, world.second
        for _ in again(world, 1, 10):
            second.start(wait=False)
            wait_until(lambda: stands_by(second), "the second to stand by", 60)
            world.pause(world.dice.uniform(0.2, 1.0))
            end(first)
            wait_until(second.is_ready, "the second to take over", 60)
            world.wait_flow()
            first.start(wait=False)
            wait_until(lambda: stands_by(first), "the first to stand by", 60)
            end(second)
            wait_until(first.is_ready, "the first to take over again", 60)
            world.wait_flow()
        give_a_turn(first, second)


def give_a_turn(first, second):
    """To the second, for what it has left to store; then it is the first's again."""
    second.start(wait=False)
    wait_until(lambda: stands_by(second), "the second to stand by", 60)
    first.terminate()
    wait_until(second.is_ready, "the second to take over", 60)
    wait_until(lambda: second.metric("tidegate_in_journal") == 0, "it to have stored all", 60)
    second.terminate()
    first.start(wait=False)
    wait_until(first.is_ready, "the first to be ready", 60)


# What the broker has not heard our acknowledgement of, as we were killed, goes to the next one, whose
# journal does not know it, and what the killed one may have had is in nobody's books until it is back
# (docs/decisions/038).
second_row("the one that stores ends properly", lambda gateway: gateway.terminate())
second_row("the one that stores is killed", lambda gateway: gateway.kill(),
           may_begin_anew=True, may_repeat=True)
