"""A device that moves in comes with the token that it has, of which there is somebody else's hash."""
import hashlib

import pytest

from conftest import populate
from viewers import Viewer

TOKEN = "0f3c9a1b-their-token-5d2e"


@pytest.fixture
def house(make_gateway):
    """dev-1 has the token of another system."""
    gateway = make_gateway()
    populate(gateway)
    gateway.database.rows(
        "UPDATE devices SET token_hash = sha256(convert_to(%s, 'UTF8')), token_form = 'sha256'"
        " WHERE code = 'dev-1'", TOKEN)
    return gateway.start()


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


def form(gateway):
    return gateway.database.value("SELECT token_form FROM devices WHERE code = 'dev-1'")


def connect(gateway, token):
    return Viewer(gateway, "/ws/device/dev-1", token)


def ingest(gateway, token):
    return gateway.post("/api/v1/detections/", headers=bearer(token), json={
        "device_id": "dev-1", "device_hash": "a" * 64, "rssi": -50}).status_code


def test_its_socket_opens_and_stays_while_its_hash_becomes_ours(house):
    device = connect(house, TOKEN)
    house.database.wait_for("SELECT token_form FROM devices WHERE code = 'dev-1'", "keyed")
    assert house.metric("tidegate_device_tokens_rehashed_total") == 1
    device.send('{"power":1}')
    house.database.wait_for("SELECT count(*) FROM telemetry", 1)
    house.database.rows("UPDATE devices SET name = 'Meter' WHERE code = 'dev-1'")  # looked at once more
    device.send('{"power":2}')
    house.database.wait_for("SELECT count(*) FROM telemetry", 2)
    device.close()
    connect(house, TOKEN).close()
    assert ingest(house, TOKEN) == 200
    assert house.metric("tidegate_device_tokens_rehashed_total") == 1


def test_what_it_posts_is_taken(house):
    assert ingest(house, TOKEN) == 200
    house.database.wait_for("SELECT token_form FROM devices WHERE code = 'dev-1'", "keyed")
    assert ingest(house, TOKEN) == 200


def test_neither_another_token_nor_the_hash_itself_is_let_in(house):
    digest = hashlib.sha256(TOKEN.encode()).hexdigest()
    for token in (TOKEN + "x", digest, digest.upper(), "\\x" + digest):
        assert ingest(house, token) == 401
    assert form(house) == "sha256"


@pytest.mark.parametrize("command", ["rotate", "revoke"])
@pytest.mark.parametrize("is_used", [False, True])
def test_it_ends_as_ours_do(house, command, is_used):
    if is_used:
        connect(house, TOKEN).close()
        house.database.wait_for("SELECT token_form FROM devices WHERE code = 'dev-1'", "keyed")
    device = connect(house, TOKEN)
    token = house.cli("device", "token", command, "dev-1").stdout.split()[-1]
    device.wait_closed()
    assert form(house) == "keyed"
    assert ingest(house, TOKEN) == 401
    if command == "rotate":
        assert ingest(house, token) == 200


def test_without_a_pepper_it_goes_on_as_it_is(make_gateway, database):
    database.rows("INSERT INTO devices (code, token_hash, token_form)"
                  " VALUES ('dev-1', sha256(convert_to(%s, 'UTF8')), 'sha256')", TOKEN)
    gateway = make_gateway(auth__token_pepper_file=None).start()
    for _ in range(2):
        assert ingest(gateway, TOKEN) == 200
    assert form(gateway) == "sha256"
