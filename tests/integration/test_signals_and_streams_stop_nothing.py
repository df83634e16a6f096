"""What is sent to the process, and who reads what it writes: neither stops it, nor costs a message."""
import os
import resource
import signal

import pytest

from conftest import populate
from waiting import wait_until

IGNORED = ("SIGUSR1", "SIGUSR2", "SIGALRM", "SIGVTALRM", "SIGPROF", "SIGIO", "SIGPWR", "SIGXFSZ",
           "SIGPIPE")


def full_pipe():
    """Both ends of a pipe that takes nothing more."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    for size in (65536, 1):
        while True:
            try:
                os.write(writer, b"\n" * size)
            except BlockingIOError:
                break
    os.set_blocking(writer, True)
    return reader, writer


def read_all(reader):
    os.set_blocking(reader, False)
    text = b""
    while True:
        try:
            text += os.read(reader, 65536)
        except BlockingIOError:
            os.set_blocking(reader, True)
            return text.decode("utf-8", "replace")


def stores(gateway, broker, database, text):
    """A message comes all the way, and is seen."""
    broker.publish("seano/USV-1/raw_log", text)
    database.wait_for("SELECT count(*) FROM raw_logs WHERE logs LIKE %s", 1, f"%{text}%")
    assert gateway.status("/readyz") == 200


def test_a_log_that_nobody_reads_stops_nothing(gateway, broker, database, postgres):
    gateway.stop()
    reader, writer = full_pipe()
    gateway.start(log_to=writer)
    os.close(writer)
    stores(gateway, broker, database, "nobody listens")
    postgres.stop()
    wait_until(lambda: gateway.status("/readyz") == 503, "the outage to be noticed")
    postgres.start()
    wait_until(gateway.is_ready, "its end")
    stores(gateway, broker, database, "nobody listens yet")
    assert gateway.metric("tidegate_log_lost_total") > 5
    read_all(reader)
    gateway.process.send_signal(signal.SIGHUP)
    text = ""

    def is_told():
        nonlocal text
        text += read_all(reader)
        return "reloaded" in text

    wait_until(is_told, "the log to go on")
    assert "warning log_lost lines=" in text.splitlines()[0]
    os.close(reader)
    stores(gateway, broker, database, "whoever listened has gone")


@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (0, 1, 2)])
def test_streams_that_are_closed_do_no_harm(gateway, broker, database, closed):
    """Nothing else takes their places and gets what is meant for them."""
    gateway.stop()
    gateway.start(closed=closed)
    links = [os.readlink(f"/proc/{gateway.pid}/fd/{fd}") for fd in closed]
    assert links == ["/dev/null"] * len(closed)
    stores(gateway, broker, database, "all the same")
    gateway.process.send_signal(signal.SIGHUP)
    gateway.stop()
    assert "missing 0" in gateway.cli("journal", "verify").stdout


def test_signals_that_mean_something_to_others_end_nothing(gateway, broker, database):
    for name in IGNORED:
        gateway.process.send_signal(getattr(signal, name))
    stores(gateway, broker, database, "still here")
    assert gateway.process.poll() is None


def test_files_that_may_not_grow_are_a_full_disk(make_gateway, broker, database, publisher):
    """ulimit -f, or LimitFSIZE= of a service: what comes waits at the broker until there is room."""
    gateway = make_gateway(journal__segment_bytes="64K", journal__max_bytes="4M", journal__min_free_bytes="0")
    populate(gateway)
    gateway.start()
    stores(gateway, broker, database, "some room")
    unlimited = resource.prlimit(gateway.pid, resource.RLIMIT_FSIZE, (40000, resource.RLIM_INFINITY))
    for n in range(30):
        publisher.publish("seano/USV-1/raw_log", f"a large one {n}" + "x" * 10000)
    wait_until(lambda: "reason=journal_full" in gateway.log(), "it to say so")
    assert gateway.status("/livez") == 200
    resource.prlimit(gateway.pid, resource.RLIMIT_FSIZE, unlimited)
    publisher.flush()
    database.wait_for("SELECT count(*) FROM raw_logs WHERE logs LIKE 'a large one%%'", 30)
    wait_until(gateway.is_ready, "it to be as before")
    assert "journal_failed" not in gateway.log()


def test_a_command_whose_words_are_lost_says_so(gateway, database):
    for number, out in enumerate((">/dev/full", ">&-")):
        script = f'"$@" {out}'
        done = gateway.cli("device", "add", f"lost-{number}", "--user", "ana", check=False,
                           shell=script)
        assert done.returncode == 1, out
        assert "what was printed is not whole" in done.stderr
    assert database.value("SELECT count(*) FROM devices WHERE code LIKE 'lost-%%'") == 2
