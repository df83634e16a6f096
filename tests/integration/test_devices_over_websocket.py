"""A device that speaks WebSocket: telemetry up, commands down, one connection, and its token."""
import contextlib
import json
import re
import socket

import pytest
import requests

import raw
from commanding import command, history, post, state, wait_for_state
from conftest import populate
from faultproxy import FREEZE, PostgresProxy, notifications
from viewers import RawViewer, Viewer, refused
from waiting import PATIENCE, wait_until


@pytest.fixture
def edge(make_gateway):
    """edge(code="dev-1") -> the open socket of a device of the gateway that was made last."""
    opened = []

    def open_edge(code="dev-1", token=None):
        gateway = make_gateway.made[-1]
        opened.append(Viewer(gateway, f"/ws/device/{code}", token or gateway.ids[f"{code} token"]))
        return opened[-1]

    yield open_edge
    for one in opened:
        one.close()


def payloads(database):
    return [row[0] for row in database.rows("SELECT payload::text FROM telemetry ORDER BY seq")]


@pytest.mark.smoke
def test_telemetry_goes_up_byte_for_byte_and_is_seen(gateway, database, viewer, edge):
    texts = ['{"power": 1.50,  "on":true}', '{"b":1,"a":2,"command_id":"x"}',
             '{"command_id":"c","status":"ok","power":3}']
    view, dashboard = viewer("/ws/device/dev-1", "ana"), viewer("/ws/dashboard/dev-1", "ana")
    device = edge()
    for text in texts:
        device.send(text)
    database.wait_for("SELECT count(*) FROM telemetry", 3)
    assert payloads(database) == texts
    assert [view.next() for _ in texts] == texts
    assert [dashboard.next() for _ in texts] == texts
    assert viewer("/ws/dashboard/dev-1", "ana").next() == texts[-1]  # the last known first
    assert device.rest() == []  # nothing comes down that it does not expect
    assert database.value("SELECT last_seen > now() - interval '1 minute' FROM device_states")


def test_a_device_that_was_away_gets_all_that_waits_for_it(make_gateway, database):
    gateway = make_gateway(commands__max_pending_per_device=5000)
    populate(gateway)
    gateway.start()
    n = 2100  # more than one question brings
    database.rows("INSERT INTO commands (command_id, device_id, action, state, created_at, expires_at)"
                  " SELECT 'cmd_' || lpad(i::text, 8, '0'), %s, 'A', 'published', now() + i * interval '1 microsecond',"
                  " now() + interval '1 hour' FROM generate_series(1, %s) i RETURNING 1", gateway.ids["dev-1"], n)
    device = Viewer(gateway, "/ws/device/dev-1", gateway.ids["dev-1 token"])
    assert [device.next_json()["command_id"] for _ in range(n)] == [f"cmd_{i + 1:08d}" for i in range(n)]
    device.close()


def test_bad_json_is_set_aside_and_the_socket_stays_open(gateway, database, edge):
    device = edge()
    for text in ("not json", "", "[1,2]", '{"a":1,}', '{"good":1}'):
        device.send(text)
    database.wait_for("SELECT count(*) FROM telemetry", 1)
    assert payloads(database) == ['{"good":1}']
    database.wait_for("SELECT count(*) FROM dead_letters WHERE topic = 'ws/device/dev-1'", 4)
    assert device.closed is None
    wait_until(lambda: gateway.metric("tidegate_in_journal") == 0, "all to be stored")
    assert gateway.metric("tidegate_accounting_drift") == 0


def test_what_no_json_can_hold_costs_itself(gateway, database, viewer, edge):
    view, device = viewer("/ws/device/dev-1", "ana"), edge()
    device.send('{"a":NaN,"n":89490200001234567890}')
    device.send('{"x":"a\\u0000b","t":1.50}')
    database.wait_for("SELECT count(*) FROM telemetry", 2)
    expected = ['{"a":null,"n":89490200001234567890}', '{"x":"a\ufffdb","t":1.50}']
    assert payloads(database) == expected
    assert [view.next() for _ in expected] == expected
    assert database.value("SELECT count(*) FROM dead_letters") == 0


def test_what_an_editor_or_a_c_string_leaves_is_no_part_of_a_frame(gateway, database, edge):
    device = edge()
    for frame in (b'\xef\xbb\xbf{"n":1}', b'{"n":2}\0\0', b'{"n":3,"unit":"\xb0C"}', b'{"n":4,"timestamp":"0000-00-00"}'):
        device.send(frame)
    device.send('{"n":5}\0')
    database.wait_for("SELECT count(*) FROM telemetry", 5)
    assert payloads(database) == ['{"n":1}', '{"n":2}', '{"n":3,"unit":"\ufffdC"}', '{"n":4,"timestamp":"0000-00-00"}', '{"n":5}']
    assert device.closed is None and database.value("SELECT count(*) FROM dead_letters") == 0


def test_a_frame_in_fragments_and_in_binary_is_telemetry_as_well(gateway, database, edge):
    device = edge()
    device.send(b'{"binary":true}')
    database.wait_for("SELECT count(*) FROM telemetry", 1)
    assert payloads(database) == ['{"binary":true}']


def test_wrong_or_missing_tokens_are_refused_alike(gateway):
    own, other = gateway.ids["dev-1 token"], gateway.ids["dev-2 token"]
    assert refused(gateway, "/ws/device/dev-1", own) == 101
    assert refused(gateway, f"/ws/device/{gateway.ids['dev-1']}", own) == 101
    for path, token in (("/ws/device/dev-1", other), ("/ws/device/dev-1", own + "x"),
                        ("/ws/device/dev-1", "tgd_nonsense"), ("/ws/device/dev-1", None),
                        ("/ws/device/none", own), ("/ws/dashboard/dev-1", own),
                        ("/ws/device/dev-1", gateway.token("ben")),
                        (f"/ws/device/dev-1?token={own}", None)):
        assert refused(gateway, path, token) == 403, (path, token)
    assert own not in gateway.log()


@pytest.mark.smoke
def test_a_command_goes_down_and_its_answer_up(gateway, database, edge):
    device = edge()
    command_id = command(gateway, payload={"mode": "eco"})
    assert device.next() == \
        f'{{"command_id":"{command_id}","action":"SET_MODE","payload":{{"mode":"eco"}}}}'
    wait_for_state(database, command_id, "delivered")
    device.send({"command_id": command_id, "status": "executing"})
    wait_for_state(database, command_id, "executing")
    device.send({"command_id": command_id, "status": "ok", "message": "done so"})
    wait_for_state(database, command_id, "done")
    assert [s for s in history(database, command_id) if s != "published"] == \
        ["delivered", "executing", "done"]
    assert database.value("SELECT delivered_at IS NOT NULL AND finished_at IS NOT NULL "
                          "FROM commands")
    assert payloads(database) == []


def test_commands_without_a_payload_and_without_a_broker(make_gateway, database, edge):
    gateway = make_gateway(broker=None)
    populate(gateway)
    gateway.start()
    device = edge()
    command_id = command(gateway)
    assert json.loads(device.next()) == \
        {"command_id": command_id, "action": "SET_MODE", "payload": {}}
    wait_for_state(database, command_id, "delivered")
    assert history(database, command_id) == ["delivered"]


def test_commands_wait_for_an_absent_device_in_order_until_they_expire(gateway, database, edge):
    waiting = [command(gateway, payload={"n": n}, timeout_ms=60000) for n in range(5)]
    short = command(gateway, timeout_ms=500)
    wait_for_state(database, short, "expired")
    device = edge()
    assert [json.loads(device.next())["command_id"] for _ in waiting] == waiting
    for command_id in waiting:
        wait_for_state(database, command_id, "delivered")
    device.close()
    again = edge()  # what it has it does not get again
    last = command(gateway)
    assert json.loads(again.next())["command_id"] == last


def test_what_a_broken_connection_may_have_lost_comes_again(gateway, database):
    """It was written to the socket, but the device never proved that it has read it."""
    token = gateway.ids["dev-1 token"]
    raw = RawViewer(gateway, "/ws/device/dev-1", token)  # answers no PING
    command_id = command(gateway, timeout_ms=60000)
    opcode, payload = raw.frame()
    assert (opcode, json.loads(payload)["command_id"]) == (1, command_id)
    raw.close()
    device = Viewer(gateway, "/ws/device/dev-1", token)
    assert json.loads(device.next())["command_id"] == command_id
    wait_for_state(database, command_id, "delivered")
    device.close()


def test_waiting_commands_survive_a_restart(gateway, database, edge):
    command_id = command(gateway, timeout_ms=60000)
    gateway.kill()
    gateway.start()
    device = edge()
    assert json.loads(device.next())["command_id"] == command_id
    wait_for_state(database, command_id, "delivered")
    gateway.terminate()
    gateway.start()
    device = edge()
    device.send({"command_id": command_id, "status": "ok"})
    wait_for_state(database, command_id, "done")
    assert device.rest() == []


def test_a_newer_connection_closes_the_older(gateway, edge):
    older = edge()
    newer = edge()
    assert older.wait_closed()[0] == 1008
    command_id = command(gateway)
    assert json.loads(newer.next())["command_id"] == command_id
    assert newer.closed is None
    view = Viewer(gateway, "/ws/device/dev-1", gateway.token("ana"))  # a view is no connection
    newer.send('{"a":1}')
    assert view.next() == '{"a":1}'
    view.close()


def test_rotating_the_token_closes_the_socket(gateway, edge):
    device, other = edge(), edge("dev-2")
    token = gateway.cli("device", "token", "rotate", "dev-1").stdout.split()[-1]
    assert device.wait_closed()[0] == 4004
    assert refused(gateway, "/ws/device/dev-1", gateway.ids["dev-1 token"]) == 403
    again = edge(token=token)
    assert again.closed is None and other.closed is None


def test_revoking_the_token_or_the_device_closes_the_socket(gateway, database, edge):
    device, other = edge(), edge("dev-2")
    gateway.cli("device", "token", "revoke", "dev-1")
    assert device.wait_closed()[0] == 4004
    database.rows("UPDATE devices SET is_active = false WHERE code = 'dev-2'")
    assert other.wait_closed()[0] == 4004


def test_a_full_journal_stops_the_reading_and_loses_nothing(make_gateway, postgres, database, edge):
    gateway = make_gateway(journal__max_bytes="512K", journal__min_free_bytes=0, journal__device_share=100,
                           ws__messages_per_second=100000)
    populate(gateway)
    gateway.start()
    device = edge()
    postgres.stop()
    n, filler = 0, "x" * 2000
    while gateway.metric("tidegate_refused_journal_full_total") == 0 and n < 2000:
        device.send(json.dumps({"n": n, "x": filler}))
        n += 1
    for _ in range(20):
        device.send(json.dumps({"n": n, "x": filler}))
        n += 1
    assert gateway.metric("tidegate_refused_journal_full_total") > 0
    assert requests.get(gateway.url + "/livez", timeout=PATIENCE).status_code == 200
    assert device.closed is None
    postgres.start()
    database.wait_for("SELECT count(*) FROM telemetry", n, timeout=3 * PATIENCE)
    assert [json.loads(p)["n"] for p in payloads(database)] == list(range(n))
    assert gateway.metric("tidegate_accounting_drift") == 0


def test_a_pong_says_that_what_came_before_is_in_the_journal(make_gateway, postgres, database):
    gateway = make_gateway(journal__max_bytes="512K", journal__min_free_bytes=0, journal__device_share=100,
                           ws__messages_per_second=100000)
    populate(gateway)
    gateway.start()
    device = raw.dial(gateway, raw.handshake("/ws/device/dev-1", gateway.ids["dev-1 token"]))
    postgres.stop()
    n, heard, filler = 0, b"", "x" * 2000

    def is_in_the_journal():  # what the last PONG tells of
        nonlocal heard
        assert requests.get(gateway.url + "/livez", timeout=PATIENCE).status_code == 200  # a turn of the loop later
        with contextlib.suppress(BlockingIOError):
            heard += device.recv(1 << 20, socket.MSG_DONTWAIT)
        return int((re.findall(rb"<(\d+)>", heard) or [-1])[-1]) < gateway.metric("tidegate_received_total", door="ws")

    while gateway.metric("tidegate_refused_journal_full_total") == 0 and n < 2000:
        glued = b""
        for _ in range(10):
            glued += raw.frame(raw.TEXT, json.dumps({"n": n, "x": filler})) + raw.frame(raw.PING, f"<{n}>")
            n += 1
        device.sendall(glued)
        assert is_in_the_journal()
    assert is_in_the_journal()
    assert gateway.metric("tidegate_refused_journal_full_total") > 0
    postgres.start()
    wait_until(lambda: is_in_the_journal() and f"<{n - 1}>".encode() in heard, "the last PONG")
    database.wait_for("SELECT count(*) FROM telemetry", n, timeout=3 * PATIENCE)


def test_an_expired_command_does_not_go_down(gateway, database, edge):
    command_id = command(gateway, timeout_ms=300)
    wait_until(lambda: state(database, command_id) == "expired", "it to expire")
    device = edge()
    second = command(gateway)
    assert json.loads(device.next())["command_id"] == second
    assert post(gateway, "ana", "dev-1", {"action": "A"}).status_code == 202


def insert_command(database, command_id):
    database.rows("INSERT INTO commands (command_id, device_id, action, expires_at)"
                  f" SELECT '{command_id}', id, 'A', now() + interval '10 minutes'"
                  " FROM devices WHERE code = 'dev-1'")


def of_commands(rule):
    return lambda m: rule(m) if m.link.name == "tidegate/commands" else None


@pytest.mark.parametrize("is_half_open", [False, True])
def test_a_command_of_which_nobody_is_told_is_found(make_gateway, database, postgres, folder, edge, is_half_open):
    proxy = PostgresProxy(folder / "proxy", postgres)
    gateway = make_gateway(database__url=proxy.url(database), database__heartbeat="200ms")
    populate(gateway)
    gateway.start()
    device = edge()
    insert_command(database, "told")
    assert json.loads(device.next())["command_id"] == "told"
    proxy.arm(of_commands((lambda m: FREEZE) if is_half_open else notifications()))
    if is_half_open:
        wait_until(proxy.frozen, "a link that is not there any more and has not said so")
    insert_command(database, "untold")
    assert json.loads(device.next())["command_id"] == "untold"
    if not is_half_open:
        wait_until(lambda: gateway.metric("tidegate_commands_unheard") == 1, "it to say so")
        assert gateway.log().count(" commands_unheard ") == 1
    proxy.disarm()
    wait_until(lambda: gateway.metric("tidegate_commands_unheard") == 0, "it to hear again")
    for command_id in ("told", "untold"):
        wait_for_state(database, command_id, "delivered")
    assert device.rest() == []  # each once
    proxy.close()


def test_one_device_does_not_fill_the_journal_for_all(make_gateway, postgres, database, publisher, edge):
    gateway = make_gateway(journal__max_bytes="1M", journal__min_free_bytes=0, journal__check="1h",
                           ws__messages_per_second=100000)
    populate(gateway)
    gateway.start()
    greedy, modest = edge("dev-1"), edge("dev-2")
    postgres.stop()
    n, filler = 0, "x" * 4000
    while gateway.metric("tidegate_refused_journal_share_total") == 0 and n < 3000:
        for _ in range(20):
            greedy.send(json.dumps({"n": n, "x": filler}))
            n += 1

    def detections(code, n=100):  # by HTTP, which shares the limit of its device
        one = {"device_hash": "ab" * 32, "rssi": -50}
        return requests.post(f"{gateway.url}/api/v1/detections", timeout=PATIENCE,
                             json={"device_id": code, "detections": [one] * n},
                             headers={"Authorization": f"Bearer {gateway.ids[code + ' token']}"})

    assert gateway.metric("tidegate_refused_journal_share_total") > 0
    refused_one = detections("dev-1")
    assert (refused_one.status_code, refused_one.json()["code"]) == (503, "journal_full")
    assert detections("dev-2").status_code == 200
    modest.send('{"n":"modest"}')
    publisher.publish("seano/USV-1/raw_log", "by MQTT")
    publisher.flush()
    wait_until(lambda: gateway.metric("tidegate_received_total", door="ws") > 1
               and gateway.metric("tidegate_received_total", door="mqtt") == 1, "the others")
    assert gateway.metric("tidegate_refused_journal_full_total") == 0 and greedy.closed is None
    postgres.start()
    database.wait_for("SELECT count(*) FROM telemetry", n + 1, timeout=3 * PATIENCE)
    assert [p["n"] for p in map(json.loads, payloads(database)) if p["n"] != "modest"] == list(range(n))
    database.wait_for("SELECT count(*) FROM raw_logs", 1)
    wait_until(lambda: detections("dev-1").status_code == 200, "room again")
