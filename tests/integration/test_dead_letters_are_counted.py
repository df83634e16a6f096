"""How many dead letters there are, and who makes them, is told; none is dropped for its number."""
from conftest import populate
from waiting import wait_until


def notes(gateway):
    answer = gateway.get("/readyz")
    assert answer.status_code == 200, "letters keep nobody from being served"
    return answer.json().get("notes", [])


def test_many_are_said_to_be_many_once(make_gateway, database, publisher):
    gateway = make_gateway(database__survey="200ms", database__dead_letters_warn=20)
    populate(gateway)
    gateway.start()
    for n in range(20):
        publisher.publish("devices/dev-1/status", f"nonsense {n}")
    publisher.flush()
    wait_until(lambda: gateway.metric("tidegate_dead_letters") == 20, "the count")
    assert notes(gateway) == [] and "dead_letters_many" not in gateway.log()
    for n in range(5):
        publisher.publish("devices/dev-1/status", f"more {n}")
    publisher.flush()
    wait_until(lambda: notes(gateway) == ["dead_letters_many"], "a note")
    assert gateway.metric("tidegate_dead_letters_bytes") > 0
    assert gateway.metric("tidegate_dead_letters_many") == 1
    assert database.value("SELECT count(*) FROM dead_letters") == 25, "all of them are there"
    database.rows("DELETE FROM dead_letters WHERE id IN (SELECT id FROM dead_letters LIMIT 15)")
    wait_until(lambda: notes(gateway) == [] and gateway.metric("tidegate_dead_letters") == 10,
               "the note to go")
    assert gateway.log().count("dead_letters_many") == 1
    assert gateway.log().count("dead_letters_fewer") == 1


def test_the_summary_names_who_makes_them(gateway, database, publisher):
    for n in range(7):
        publisher.publish("devices/dev-1/status", f"nonsense {n}")
    for n in range(4):
        publisher.publish("tfg/detections/raw", '{"device_id" : "pi-7", "detections": 5}')
    publisher.publish("tfg/detections/raw", b'{"device_id":"pi-8\xff\x00')
    publisher.publish("devices/dev-2/status", "{\x1b[2J")
    publisher.flush()
    database.wait_for("SELECT count(*) FROM dead_letters", 13)
    lines = [line.split() for line in gateway.cli("dead-letters", "summary").stdout.splitlines()]
    assert lines[0] == ["LETTERS", "BYTES", "FIRST", "LAST", "REASON", "TOPIC", "NAME"]
    assert [(line[0], line[1], *line[4:]) for line in lines[1:3]] == [
        ("7", "70", "bad_json", "devices/dev-1/status"),
        ("4", "156", "wrong_type", "tfg/detections/raw", "pi-7")]
    assert ["1", "tfg/detections/raw", "pi-8\\377\\000"] in [
        [line[0], *line[5:]] for line in lines]
    assert len(gateway.cli("dead-letters", "summary", "--limit", "1").stdout.splitlines()) == 2
    assert len(gateway.cli("dead-letters", "summary", "--reason",
                           "wrong_type").stdout.splitlines()) == 2
