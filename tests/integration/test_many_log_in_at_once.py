"""People of one house log in at the same moment: each gets in, and who guesses is looked at no more often for it."""
import contextlib
import socket
import threading
from collections import Counter

import psycopg2
import pytest
import requests

from conftest import populate
from servers import SLOW
from waiting import PATIENCE, wait_until

PASSWORD = "correct horse battery"
N_PEOPLE = 24  # more than may fail in a minute


@contextlib.contextmanager
def locked_users(database):
    conn = psycopg2.connect(database.url)
    conn.cursor().execute("LOCK TABLE users IN ACCESS EXCLUSIVE MODE")
    try:
        yield
    finally:
        conn.close()


def begin(gateway, answers, names, password=PASSWORD):
    """Each of them logs in, all at once, from one address."""
    def log_in(name):
        answers.append(requests.post(f"{gateway.url}/api/token", data={"username": name, "password": password},
                                     timeout=PATIENCE * SLOW))
    threads = [threading.Thread(target=log_in, args=(name,), daemon=True) for name in names]
    for thread in threads:
        thread.start()
    return threads


def end(threads):
    for thread in threads:
        thread.join(PATIENCE * SLOW)


def n_held(gateway):
    return gateway.metric("tidegate_logins_held_total")


def test_a_house_full_of_people_logs_in_at_once(make_gateway, database):
    gateway = make_gateway(http__answer_timeout="60s", auth__login_wait="120s", auth__login_failures_per_minute=4)
    people = [f"person-{n}" for n in range(N_PEOPLE)]
    populate(gateway)
    gateway.add_user("first")
    database.rows("INSERT INTO users (username, password_hash, role) SELECT unnest(%s), password_hash, role FROM users"
                  " WHERE username = 'first'", people)
    gateway.start()
    answers = []
    with locked_users(database):
        threads = begin(gateway, answers, people)
        wait_until(lambda: n_held(gateway) == N_PEOPLE - 4, "all but four to wait for their turn")
    end(threads)
    assert Counter(answer.status_code for answer in answers) == {200: N_PEOPLE}
    assert gateway.metric("tidegate_logins_total", result="limited") == 0


def test_of_guesses_at_once_as_many_are_looked_at_as_may_fail(make_gateway, database):
    gateway = make_gateway(http__answer_timeout="60s", auth__login_wait="120s", auth__login_failures_per_minute=4)
    populate(gateway)
    gateway.start()
    answers = []
    with locked_users(database):
        threads = begin(gateway, answers, [f"guess-{n}" for n in range(N_PEOPLE)], "wrong")
        wait_until(lambda: n_held(gateway) == N_PEOPLE - 4, "all but four to wait for their turn")
        assert not answers
    end(threads)
    assert Counter(answer.status_code for answer in answers) == {401: 4, 429: N_PEOPLE - 4}
    assert all(int(answer.headers["Retry-After"]) > 0 for answer in answers if answer.status_code == 429)
    assert gateway.post("/api/token", data={"username": "ana", "password": PASSWORD}).status_code == 429


def test_who_waits_behind_one_that_left_is_answered(make_gateway, database):
    gateway = make_gateway(http__answer_timeout="60s", auth__login_wait="120s", auth__login_failures_per_minute=1)
    populate(gateway)
    gateway.start()
    answers = []
    body = f"username=ben&password={PASSWORD.replace(' ', '+')}"
    with locked_users(database):
        with socket.create_connection(("127.0.0.1", gateway.port)) as one:
            one.sendall(("POST /api/token HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\n"
                         f"Content-Length: {len(body)}\r\n\r\n{body}").encode())
            wait_until(lambda: database.value("SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'users'::regclass") > 0,
                       "it to be asked for")
            threads = begin(gateway, answers, ["ana"])
            wait_until(lambda: n_held(gateway) == 1, "ana to wait for her turn")
            one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # it does not say good-bye
        end(threads)
    assert [answer.status_code for answer in answers] == [429]  # what he was told is not known: it counts


@pytest.mark.parametrize("wait, held", [("200ms", 1), ("0s", 0)])
def test_who_waits_too_long_or_may_not_wait_is_told_when_to_come_again(make_gateway, database, wait, held):
    gateway = make_gateway(http__answer_timeout="60s", auth__login_wait=wait, auth__login_failures_per_minute=1)
    populate(gateway)
    gateway.start()
    answers = []
    with locked_users(database):
        threads = begin(gateway, answers, ["ana", "ben"])
        wait_until(lambda: answers, "one to be told")
    end(threads)
    assert sorted(answer.status_code for answer in answers) == [200, 429]
    assert answers[0].status_code == 429 and int(answers[0].headers["Retry-After"]) > 0
    assert n_held(gateway) == held
