"""Whatever one user asks of the database, and however long that takes, another's answers come."""
import contextlib
import os
import pathlib
import threading

import psycopg2
import pytest
import requests
from requests.adapters import HTTPAdapter

from commanding import command
from conftest import populate
from servers import SLOW
from test_history_answers import fill
from waiting import PATIENCE, wait_until

N_GUESSES = 4


class Asking:
    """A GET on a thread of its own, of which one looks whether it is still under way."""

    def __init__(self, gateway, path, user):
        self.answer = None
        self.thread = threading.Thread(target=self._run, args=(gateway, path, user), daemon=True)
        self.thread.start()

    def _run(self, gateway, path, user):
        self.answer = gateway.get(path, user)

    def is_waiting(self):
        return self.answer is None

    def end(self):
        self.thread.join(PATIENCE * SLOW)
        assert not self.is_waiting()
        return self.answer


@contextlib.contextmanager
def locked(database, table):
    """As an operator's ALTER TABLE that waits for somebody else would hold it."""
    conn = psycopg2.connect(database.url)
    conn.cursor().execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
    try:
        yield
    finally:
        conn.close()


def waits_for(database, table):
    """How many statements of the gateway wait for a lock on the table."""
    return database.value("SELECT count(*) FROM pg_locks WHERE NOT granted"
                          " AND relation = %s::regclass", table)


def log_in(gateway, user, source=None, password="correct horse battery"):
    with requests.Session() as session:
        if source:
            adapter = HTTPAdapter()
            adapter.init_poolmanager(1, 1, source_address=(source, 0))
            session.mount("http://", adapter)
        return session.post(f"{gateway.url}/api/token", timeout=PATIENCE * SLOW,
                            data={"username": user, "password": password}).status_code


@pytest.fixture
def busy_gateway(make_gateway, database):
    """Ana's and ben's gateway."""
    gateway = make_gateway(database__query_timeout="60s", http__answer_timeout="60s")
    populate(gateway)
    gateway.start()
    fill(database, gateway.ids["USV-2"], 3, "vehicle_logs")
    fill(database, gateway.ids["USV-2"], 3, "alerts")
    return gateway


def test_a_statistic_that_waits_for_a_lock_holds_up_nobody_else(busy_gateway, database):
    gateway = busy_gateway
    vehicle = gateway.ids["USV-2"]
    with locked(database, "ble_detections"):
        waiting = [Asking(gateway, "/api/v1/statistics/realtime", "ana") for _ in range(4)]
        wait_until(lambda: waits_for(database, "ble_detections") > 0, "the statistic to wait")

        assert log_in(gateway, "ben") == 200
        assert len(gateway.get(f"/api/vehicles/{vehicle}/logs", "ben").json()["items"]) == 6
        assert len(gateway.get("/api/alerts", "ben").json()["items"]) == 3
        assert gateway.get(f"/api/commands/{command(gateway, 'ben', 'dev-2')}", "ben").ok
        assert gateway.get("/api/faces/statistics", "ben").status_code == 200
        assert all(asking.is_waiting() for asking in waiting)
    assert [asking.end().status_code for asking in waiting] == [200] * 4


def test_one_users_history_that_waits_leaves_a_connection_to_the_others(busy_gateway, database):
    gateway = busy_gateway
    path = f"/api/vehicles/{gateway.ids['USV-1']}/logs?types=vehicle_log"
    with locked(database, "vehicle_logs"):
        waiting = [Asking(gateway, path, "ana") for _ in range(8)]
        wait_until(lambda: waits_for(database, "vehicle_logs") > 0, "ana's first page to wait")
        wait_until(lambda: gateway.metric("tidegate_history_waiting") == 7, "the others in line")

        assert len(gateway.get("/api/alerts", "ben").json()["items"]) == 3
        assert gateway.metric("tidegate_history_waiting") == 7
        assert all(asking.is_waiting() for asking in waiting)
    assert [asking.end().status_code for asking in waiting] == [200] * 8


def test_a_user_who_asks_too_much_at_once_is_refused_and_nobody_else_is(make_gateway, database):
    gateway = make_gateway(database__query_timeout="60s", database__query_share=2)
    populate(gateway)
    gateway.start()
    path = f"/api/vehicles/{gateway.ids['USV-1']}/logs?types=vehicle_log"
    with locked(database, "vehicle_logs"):
        waiting = [Asking(gateway, path, "ana")]
        wait_until(lambda: waits_for(database, "vehicle_logs") > 0, "ana's first page to wait")
        waiting += [Asking(gateway, path, "ana") for _ in range(2)]
        wait_until(lambda: gateway.metric("tidegate_history_waiting") == 2, "ana's share in line")
        refused = gateway.get(path, "ana")
        assert refused.status_code == 503 and int(refused.headers["Retry-After"]) > 0
        assert refused.json()["status"] == 503
        assert gateway.get("/api/alerts", "ben").status_code == 200
    assert [asking.end().status_code for asking in waiting] == [200] * 3


def n_asked_for(database, *lanes):
    """How many log-ins are with a reader, and wait for the table there."""
    names = [f"tidegate/{lane}" for lane in lanes or ("sign-in", "returning", "known", "crowd", "suspect")]
    return database.value("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                          " AND application_name = ANY(%s)", names)


def in_threads(answers, *asks):
    """(gateway, user, source, password) each: logs in, all at once."""
    threads = [threading.Thread(target=lambda ask=ask: answers.append((ask[1], log_in(*ask))), daemon=True)
               for ask in asks]
    for thread in threads:
        thread.start()
    return threads


def end_all(threads):
    for thread in threads:
        thread.join(PATIENCE * SLOW)


def test_who_guesses_passwords_holds_up_nobody_who_has_not(busy_gateway, database):
    """Many addresses, and many tries of each: while those wait, somebody else is asked for at once."""
    gateway = busy_gateway
    sources = [f"127.0.0.{i}" for i in range(2, 2 + N_GUESSES)]
    for source in sources:  # the first try of an address is as good as anybody's
        assert log_in(gateway, f"guess-{source}", source, "wrong") == 401

    answers = []
    with locked(database, "users"):
        threads = in_threads(answers, *((gateway, "guess", s, "wrong") for s in sources * 2))
        wait_until(lambda: gateway.metric("tidegate_query_waiting") == 2 * N_GUESSES - 1, "all but one in line")
        wait_until(lambda: n_asked_for(database) == 1, "that one to be asked for")
        threads += in_threads(answers, (gateway, "ben"))
        wait_until(lambda: n_asked_for(database) == 2, "ben to be asked for beside the guess")
    end_all(threads)
    assert sorted(answers) == [("ben", 200)] + [("guess", 401)] * 2 * N_GUESSES


def test_who_has_signed_in_before_waits_for_nobody_who_tries(busy_gateway, database):
    """Guesses come from addresses that nobody has seen before: each as good as a newcomer's."""
    gateway = busy_gateway
    assert log_in(gateway, "ben", "127.0.1.1") == 200
    answers = []
    with locked(database, "users"):
        threads = in_threads(answers, *((gateway, "guess", f"127.0.2.{i}", "wrong")
                                        for i in range(1, N_GUESSES + 1)))
        wait_until(lambda: gateway.metric("tidegate_query_waiting") + n_asked_for(database) == N_GUESSES, "the guesses")
        threads += in_threads(answers, (gateway, "ben", "127.0.1.1"))
        wait_until(lambda: n_asked_for(database, "returning") == 1, "ben to be asked for beside them")
    end_all(threads)
    assert sorted(answers) == [("ben", 200)] + [("guess", 401)] * N_GUESSES


def guess_from_everywhere(gateway, database, answers, n):
    """None of these addresses was ever seen; a few of them are taken for newcomers, and go early."""
    threads = in_threads(answers, *((gateway, f"guess-{i}", f"127.0.3.{1 + i}", "wrong") for i in range(n)))
    wait_until(lambda: gateway.metric("tidegate_query_waiting") + n_asked_for(database) == n, "the guesses")
    wait_until(lambda: n_asked_for(database, "crowd") == 1, "many of them")
    return threads


def test_who_is_new_where_others_have_been_good_waits_for_nobody(busy_gateway, database):
    gateway = busy_gateway
    assert log_in(gateway, "ben", "127.0.1.1") == 200
    answers = []
    with locked(database, "users"):
        threads = guess_from_everywhere(gateway, database, answers, 12)
        threads += in_threads(answers, (gateway, "ana", "127.0.1.1"))
        wait_until(lambda: n_asked_for(database, "returning") == 1, "ana to be asked for beside them")
    end_all(threads)
    assert ("ana", 200) in answers and sorted(status for _, status in answers) == [200] + [401] * 12


def test_who_is_new_and_has_an_account_waits_for_no_guess(busy_gateway, database):
    """From a network where nobody was ever good, while guesses come from everywhere."""
    gateway = busy_gateway
    answers = []
    with locked(database, "users"):
        threads = guess_from_everywhere(gateway, database, answers, 12)
        threads += in_threads(answers, (gateway, "ana", "127.77.1.1"))
        wait_until(lambda: n_asked_for(database, "known") == 1, "ana to be asked for beside them")
    end_all(threads)
    assert ("ana", 200) in answers and sorted(status for _, status in answers) == [200] + [401] * 12


def test_a_try_that_was_never_answered_counts_among_guesses(make_gateway, database):
    """The password may have been looked at: who fills the lanes would else have tries for nothing."""
    gateway = make_gateway(database__query_timeout="60s", http__answer_timeout="2s", auth__login_failures_per_minute=1)
    populate(gateway)
    gateway.start()
    answers = []
    with locked(database, "users"):
        threads = guess_from_everywhere(gateway, database, answers, 6)
        end_all(threads + in_threads(answers, *((gateway, "ana", f"127.78.1.{i}", "wrong") for i in (1, 2))))
    assert [status for user, status in answers if user == "ana"] == [504, 504]
    assert log_in(gateway, "ana", "127.78.1.3", "wrong") == 429


def test_one_who_is_new_is_as_urgent_as_anybody(busy_gateway, database):
    """While few are: the thread that hashes does not stand back."""
    answers = []
    with locked(database, "users"):
        threads = in_threads(answers, (busy_gateway, "ben", "127.0.1.1"))
        wait_until(lambda: n_asked_for(database, "sign-in") == 1, "ben to be asked for")
    end_all(threads)
    assert answers == [("ben", 200)]


def test_who_signs_in_all_the_time_leaves_a_turn_to_the_others(busy_gateway, database):
    """Ana's password is right, each time: still she has one reader of two."""
    gateway = busy_gateway
    for user, source in (("ana", "127.0.1.1"), ("ben", "127.0.1.2")):
        assert log_in(gateway, user, source) == 200
    answers = []
    with locked(database, "users"):
        threads = in_threads(answers, *[(gateway, "ana", "127.0.1.1")] * N_GUESSES)
        wait_until(lambda: gateway.metric("tidegate_query_waiting") == N_GUESSES - 1, "ana's others to wait")
        wait_until(lambda: n_asked_for(database) == 1, "that one to be asked for")
        threads += in_threads(answers, (gateway, "ben", "127.0.1.2"))
        wait_until(lambda: n_asked_for(database) == 2, "ben to be asked for beside ana")
    end_all(threads)
    assert sorted(answers) == [("ana", 200)] * N_GUESSES + [("ben", 200)]


def test_who_signs_in_too_often_goes_behind(make_gateway, database):
    """Two at once are his burst; the next ones are with those who guess."""
    gateway = make_gateway(database__query_timeout="60s", http__answer_timeout="60s", auth__logins_per_second=1)
    populate(gateway)
    gateway.start()
    assert log_in(gateway, "ana", "127.0.1.1") == 200  # from now on it was good here
    answers = []
    with locked(database, "users"):
        threads = in_threads(answers, *[(gateway, "ana", "127.0.1.1")] * 8)
        wait_until(lambda: n_asked_for(database, "suspect") == 1, "some to be behind")
        assert gateway.metric("tidegate_logins_behind_total") >= 1
    end_all(threads)
    assert answers == [("ana", 200)] * 8


def test_threads_that_hash_for_strangers_and_guesses_stand_back(busy_gateway):
    """By the scheduler's weight: so that they get what the others leave of a core. So does what tries routes."""
    pid = busy_gateway.process.pid
    nice = {}
    for path in pathlib.Path(f"/proc/{pid}/task").glob("*/stat"):
        name, _, rest = path.read_text("ascii").partition(" (")[2].rpartition(")")
        nice[name] = int(rest.split()[16])
    own = os.getpriority(os.PRIO_PROCESS, pid)
    back = {name for name, value in nice.items() if value == min(own + 10, 19)}
    assert back == {"crowd", "suspect", "trier"} or own == 19, nice

