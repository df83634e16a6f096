"""What is odd is judged alike by every door: MQTT, the socket of a device, HTTP. Brothers of tests/data/payloads.tsv."""
import json

import pytest

from conftest import populate
from test_http_ingest import ONE, post
from viewers import Viewer
from waiting import wait_until

# What stands as a member that nobody reads, and what is stored of it: the digits are what was sent.
SAME = ["89490200001234567890", "-89490200001234567890", "0.1000000000000000055511151231257827", "1e2", "1E+2", "12.60", "-0", "-0.0",
        "1e-400", "0." + "3" * 400, "1" + "0" * 300, "[]", "{}", "null", '""', '" "', '"\u0661\u0662"', '"\U0001f680"',
        '"\\ud83d\\ude80"', '{"":1}', '{"a/b":1,"a~b":2}', '{"a":1,"a":2}', '{"__proto__":1}', '"' + "x" * 5000 + '"',
        "[" * 30 + "]" * 30, '"+012.60"', '"12,6"', '"NaN"', '" 5 "', '"\x7f"', '"\u2028"']
ODD = {"NaN": "out_of_range", "nan": "out_of_range", "NAN": "out_of_range", "-nan": "out_of_range", "-NaN": "out_of_range", "nan(ind)": "out_of_range",
       "-nan(ind)": "out_of_range", "1.#QNAN": "out_of_range", "-1.#IND": "out_of_range", "1.#INF00": "out_of_range", "Inf": "out_of_range",
       "-inf": "out_of_range", "+Infinity": "out_of_range", "1e400": "out_of_range", "-1e309": "out_of_range", "9" * 400: "out_of_range",
       '"a\\u0000b"': "nul_character", '"\\u0000a"': "nul_character", '"\\ud800"': "bad_utf8", '"\\udc00x"': "bad_utf8", '"\xb0C"': "bad_utf8",
       '"\xc3"': "bad_utf8", '"\xed\xa0\x80"': "bad_utf8"}
TIMES = ['"1795853420.5"', '" 1795853420 "', "1.795853420e9", "9" * 30, "-0", '""', '" "', "[]", '{"$date":1}', '"2026-11-28T08:10:20+25:00"',
         '"2026-11-28T24:00:00Z"', '"2026-11-28T23:59:60Z"', '"2026-W48-6"', '"2026-332"', '"-0001-01-01T00:00:00Z"', '"' + "9" * 9999 + '"',
         "true", '"2026-02-30T08:10:20Z"', '"2026-11-28T08:10:20Z junk"', "1795853420.3284478123456789", '"\u0662026-11-28T08:10:20Z"']
AROUND = [b"\xef\xbb\xbf%s", b"%s\x00", b"\xef\xbb\xbf%s\x00\x00", b"%s\x00\r\n", b"%s\n\x00\n\x00", b" \r\n%s\r\n ", b"\xef\xbb\xbf \t%s"]
REFUSED = {b'{"n":1}{"n":2}': "bad_json", b'{"n":1,}': "bad_json", b"[1]": "bad_json", b'{"n":1}\x1a': "bad_json", b'\x00{"n":1}': "nul_character",
           b'{"n"\x00:1}': "nul_character", b'\xfe\xff\x00{': "bad_utf8", b"\x80": "bad_utf8", b'{"n":"': "bad_json", b"nan": "bad_json"}


def bytes_of(text):
    """Where it says so itself in Latin-1, as a device writes it that knows no UTF-8."""
    odd = any("\x80" <= c <= "\xff" for c in text)
    return text.encode("latin-1" if odd else "utf-8")


def cases():
    """(payload, what must become of it, the text that is stored; None: another)"""
    for n, value in enumerate(SAME):
        yield bytes_of('{"n":%d,"x":%s}' % (n, value)), "stored", '{"n":%d,"x":%s}' % (n, value)
    for n, (value, reason) in enumerate(ODD.items()):
        yield bytes_of('{"n":%d,"x":%s,"y":1.50}' % (n, value)), f"/x:{reason}", None
    for value in TIMES:
        yield bytes_of('{"n":1,"timestamp":%s}' % value), "stored", '{"n":1,"timestamp":%s}' % value
    for around in AROUND:
        yield around.replace(b"%s", b'{"n":1}'), "stored", None
    for payload, reason in REFUSED.items():
        yield payload, f"letter: {reason}", None


def became(database, after):
    """Of each since that number, in their order: what, and its text."""
    found = {seq: ["stored", payload] for seq, payload in database.rows(
        "SELECT seq, payload::text FROM telemetry WHERE seq > %s", after)}
    for seq, member, reason in database.rows("SELECT seq, member, reason FROM row_notes WHERE seq > %s", after):
        found[seq][0] = f"{member}:{reason}"
    for seq, reason in database.rows("SELECT seq, reason FROM dead_letters WHERE seq > %s", after):
        found[seq] = [f"letter: {reason}", None]
    return [found[seq] for seq in sorted(found)], max(found, default=after)


@pytest.fixture
def gateway(make_gateway):
    gateway = make_gateway(database__row_notes=1000)
    populate(gateway)
    gateway.start()
    return gateway


def test_telemetry_is_judged_alike_by_broker_and_socket(gateway, publisher, database):
    tried = list(cases())
    assert len(tried) >= 60
    for payload, _, _ in tried:
        publisher.publish("ems/dev-1/telemetry", payload)
    publisher.flush()

    def settled(door):
        return gateway.metric("tidegate_received_total", door=door) == len(tried) and gateway.metric("tidegate_in_journal") == 0

    wait_until(lambda: settled("mqtt"), "what the broker brought")
    by_broker, last = became(database, 0)
    device = Viewer(gateway, "/ws/device/dev-1", gateway.ids["dev-1 token"])
    for payload, _, _ in tried:
        device.send(payload)
    wait_until(lambda: settled("ws"), "what the socket brought")
    assert device.closed is None
    device.close()
    by_socket, _ = became(database, last)
    for (payload, must, text), one, other in zip(tried, by_broker, by_socket, strict=True):
        assert (one[0], other[0], one[1]) == (must, must, other[1]), payload
        assert text is None or one[1] == text, payload
    assert gateway.metric("tidegate_accounting_drift") == 0


def heard(item):
    return '{"device_id":"dev-1","detections":[%s,%s,%s]}' % (json.dumps(ONE), item, json.dumps(ONE))


def items():
    """Each with how many of the three are saved."""
    plain = json.dumps(ONE)[:-1]
    for value in [*SAME, *ODD]:
        yield plain + f',"x":{value}}}', 3
    for value in TIMES:
        yield plain.rpartition(', "timestamp"')[0] + f',"timestamp":{value}}}', 3
    for value in ("NaN", "1.#QNAN", "1e400", "true", "[]", "{}", '""', '"loud"', '"-55 dBm"', "999", "9" * 400):
        yield '{"device_hash":"%s","rssi":%s}' % (ONE["device_hash"], value), 2
    for value in ('"-55"', '" -55.0 "', "-5.5e1"):
        yield '{"device_hash":"%s","rssi":%s}' % (ONE["device_hash"], value), 3
    for value in ("5", "null", '"short"', '"' + "g" * 64 + '"'):
        yield '{"device_hash":%s,"rssi":-55}' % value, 2
    yield "null", 2
    yield "[]", 2
    yield '"item"', 2


def test_detections_are_judged_alike_by_broker_and_http(gateway, publisher, database):
    tried = [(bytes_of(heard(item)), n_saved) for item, n_saved in items()]
    tried += [(around.replace(b"%s", heard(json.dumps(ONE)).encode()), 3) for around in AROUND]
    for payload, _ in tried:
        publisher.publish("tfg/detections/raw", payload)
    publisher.flush()
    wait_until(lambda: gateway.metric("tidegate_received_total", door="mqtt") == len(tried) and
               gateway.metric("tidegate_in_journal") == 0, "what the broker brought")
    counts = "SELECT count(b.*) FROM ble_detections b GROUP BY seq ORDER BY seq"
    by_broker = [n for (n,) in database.rows(counts)]
    by_http = []
    for payload, _ in tried:
        answer = post(gateway, payload)
        by_http.append(answer.json().get("saved") if answer.status_code == 200 else answer.text)
    wrong = [(payload[-200:], n_saved, one, other) for (payload, n_saved), one, other in zip(tried, by_broker, by_http, strict=True)
             if (one, other) != (n_saved, n_saved)]
    assert not wrong, "\n".join(map(repr, wrong))
    wait_until(lambda: gateway.metric("tidegate_in_journal") == 0, "what was posted to be stored")
    assert [n for (n,) in database.rows(counts)] == by_broker + by_http
    assert gateway.metric("tidegate_accounting_drift") == 0
