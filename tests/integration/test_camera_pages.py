"""The camera dashboard (dialect E), whole: what its page and its scripts ask, in their shapes."""
import json

from conftest import populate


def face(broker, camera, data, **members):
    broker.publish(f"surveillance/camera/{camera}/event", json.dumps(
        {"camera_id": camera, "event_type": "face_detected", "data": data, **members}))


def test_the_route_says_which_member_names_a_person(make_gateway, broker, database, viewer):
    gateway = make_gateway()
    gateway.routes = "[route camera_event]\nperson = label, face_name\n"
    gateway.write_conf()
    populate(gateway)
    gateway.start()
    for data in ({"label": "Ida", "face_name": "other"}, {"face_name": "Jo"},
                 {"person_name": "nobody asks for this"}):
        face(broker, "dev-1", data)
    database.wait_for("SELECT count(*) FROM camera_events", 3)
    assert database.rows("SELECT person_name FROM camera_events ORDER BY seq") == \
        [("Ida",), ("Jo",), (None,)]
    data = viewer("/api/ws/statistics", "ana").next_of("statistics_update")["data"]
    assert data["face_recognition"]["total_people"] == data["total_people"] == 2
    assert data["face_recognition"]["unknown_faces_today"] == 1


def test_statistics_that_have_not_changed_go_out_as_often_as_is_wished(make_gateway, viewer):
    gateway = make_gateway(ws__stats_interval="100ms", ws__stats_refresh="200ms")
    populate(gateway)
    gateway.start()
    v = viewer("/api/ws/statistics", "ana")
    first = v.next_of("statistics_update")["data"]
    for _ in range(3):
        again = v.next_of("statistics_update")["data"]
        assert {**again, "timestamp": 0} == {**first, "timestamp": 0}
