"""Files of the journal that somebody unlinks beneath the running gateway: said, and nothing of them is lost."""
import shutil

import pytest

from conftest import populate
from waiting import PATIENCE, wait_until

LOGS = "SELECT logs FROM raw_logs ORDER BY seq"


def publish(publisher, numbers):
    for n in numbers:
        publisher.publish("seano/USV-1/raw_log", str(n))
    publisher.flush()


def stored(database, numbers):
    want = [(str(n),) for n in numbers]
    database.wait_for("SELECT count(*) FROM raw_logs", len(want))
    assert database.rows(LOGS) == want


def segments(gateway):
    return sorted((gateway.folder / "journal").glob("*.seg"))


@pytest.fixture
def cut_off(make_gateway, postgres, publisher, database):
    """Ten messages are stored, and ten more wait for the database."""
    gateway = make_gateway()
    populate(gateway)
    gateway.start()
    publish(publisher, range(10))
    stored(database, range(10))
    postgres.stop()
    publish(publisher, range(10, 20))
    wait_until(lambda: gateway.metric("tidegate_in_journal") == 10, "the journal to have them")
    return gateway


def test_they_are_written_again_and_a_crash_costs_nothing(cut_off, database, postgres, publisher):
    """With the identity gone, too: each segment has it."""
    for _ in range(2):
        gone = segments(cut_off)
        n_before = cut_off.log().count("journal_file_written_again")
        for path in (*gone, cut_off.folder / "journal/identity"):
            path.unlink(missing_ok=True)
        wait_until(lambda n=n_before, gone=gone: cut_off.log().count("journal_file_written_again") == n + len(gone),
                   "them to be written again")
        assert set(gone) <= set(segments(cut_off))
    publish(publisher, range(20, 30))
    cut_off.kill()
    postgres.start()
    cut_off.start()
    stored(database, range(30))
    assert cut_off.metric("tidegate_accounting_drift") == 0


def test_what_is_mapped_is_stored_and_new_ones_are_made(cut_off, database, postgres, publisher):
    """A folder of that name stands where each of the files was, so that none can be written again."""
    gone = segments(cut_off)
    for path in gone:
        path.unlink()
        path.mkdir()
    wait_until(lambda: cut_off.metric("tidegate_journal_files_gone") == len(gone), "it to be noticed")
    for path in gone:
        assert f'error journal_file_gone file="{path.name}" stored=no ' in cut_off.log()
        wait_until(lambda path=path: f'error journal_file_not_written file="{path.name}" ' in cut_off.log(), "that to be said")
    assert cut_off.get("/readyz").json()["notes"] == ["journal_files_gone"]
    for path in gone:
        path.rmdir()
    publish(publisher, range(20, 30))
    postgres.start()
    stored(database, range(30))
    wait_until(lambda: "info journal_files_stored" in cut_off.log(), "it to be over")
    wait_until(lambda: "notes" not in cut_off.get("/readyz").json(), "the note to go")
    postgres.stop()
    publish(publisher, range(30, 40))
    wait_until(lambda: cut_off.metric("tidegate_in_journal") == 10, "the journal to have them")
    cut_off.kill()
    postgres.start()
    cut_off.start()
    stored(database, range(40))
    assert cut_off.metric("tidegate_accounting_drift") == 0


def test_one_that_is_only_kept_is_said_and_harms_nothing(make_gateway, database, publisher):
    gateway = make_gateway()
    populate(gateway)
    gateway.start()
    publish(publisher, range(10))
    stored(database, range(10))
    gateway.terminate()
    gateway.start()
    kept = segments(gateway)
    publish(publisher, range(10, 20))
    stored(database, range(20))
    for path in kept:
        path.unlink()
    wait_until(lambda: f'journal_file_gone file="{kept[0].name}" stored=yes ' in gateway.log(), "it to be noticed")
    answer = gateway.get("/readyz")
    assert answer.status_code == 200 and "notes" not in answer.json()
    gateway.kill()
    gateway.start()
    publish(publisher, range(20, 30))
    stored(database, range(30))
    assert gateway.metric("tidegate_accounting_drift") == 0


def test_the_whole_folder(cut_off, database, postgres, publisher):
    """Nothing can be written any more: the broker keeps what comes, and it ends once all that it has is stored."""
    shutil.rmtree(cut_off.folder / "journal")
    wait_until(lambda: 'journal_file_gone file="identity"' in cut_off.log(), "it to be noticed")
    publish(publisher, range(20, 30))
    postgres.start()
    assert cut_off.process.wait(PATIENCE) == 1
    cut_off.process = None
    cut_off.start()
    stored(database, range(30))
    assert cut_off.metric("tidegate_accounting_drift") == 0


def test_who_removes_the_lock_starts_no_second_one(make_gateway, publisher, database):
    gateway = make_gateway()
    populate(gateway)
    gateway.start()
    lock = gateway.folder / "journal/lock"
    lock.unlink()
    wait_until(lambda: 'error journal_file_gone file="lock" ' in gateway.log(), "it to be noticed")
    second = make_gateway(journal__dir=gateway.folder / "journal")
    second.start(wait=False)
    assert second.process.wait(PATIENCE) != 0
    second.process = None
    publish(publisher, range(10))
    stored(database, range(10))


@pytest.mark.parametrize("of", ["the newest file", "all files"])
def test_what_went_while_it_did_not_run_is_missed(cut_off, database, postgres, publisher, of):
    cut_off.kill()
    cut_off.start(wait=False)
    wait_until(lambda: cut_off.status("/livez") == 200, "the next run")
    publish(publisher, range(20, 25))
    wait_until(lambda: cut_off.metric("tidegate_received_total", door="mqtt") == 5, "a file of its own")
    cut_off.kill()
    for path in segments(cut_off)[-1:] if of == "the newest file" else segments(cut_off):
        path.unlink()

    postgres.start()
    cut_off.start()
    wait_until(lambda: cut_off.metric("tidegate_journal_gaps") == 1, "what is missing to be named")
    assert "journal_segment_missing after=" in cut_off.log()
    publish(publisher, [25])
    stored(database, [*range(20 if of == "the newest file" else 10), 25])
    assert cut_off.get("/readyz").json()["notes"] == ["journal_gap"]
    found = cut_off.cli("journal", "verify", check=False)
    assert found.returncode == 1 and "open gaps: 1, " in found.stdout, found.stdout
    cut_off.cli("journal", "verify", "--accept")
    assert cut_off.terminate() == 0
    cut_off.start()
    assert cut_off.cli("journal", "verify").returncode == 0


def test_what_is_stored_may_go_while_it_does_not_run(cut_off, database, postgres, publisher):
    postgres.start()
    stored(database, range(20))
    assert cut_off.terminate() == 0
    for path in segments(cut_off):
        path.unlink()
    cut_off.start()
    publish(publisher, [20])
    stored(database, range(21))
    assert "journal_segment_missing" not in cut_off.log()
    assert cut_off.cli("journal", "verify").returncode == 0
