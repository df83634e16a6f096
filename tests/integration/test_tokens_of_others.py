"""A device that moves in comes with the token that it has, of which there is somebody else's hash."""
import concurrent.futures
import crypt  # noqa: Debian 12 has Python 3.11
import hashlib
import socket

import pytest
import websockets

from conftest import populate
from viewers import UPGRADE, Viewer
from waiting import wait_until

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


# ---- bcrypt, which cannot be looked up: the path names the device

BCRYPT = crypt.crypt(TOKEN, "$2b$06$abcdefghijklmnopqrstuu")
AS_BCRYPT = ("UPDATE devices SET token_hash = sha256(convert_to(%s, 'UTF8')), token_form = 'bcrypt', token_text = %s"
             " WHERE code = 'dev-1'")


def house_with(make_gateway, hashed):
    gateway = make_gateway()
    populate(gateway)
    gateway.database.rows(AS_BCRYPT, hashed, hashed)
    return gateway.start()


@pytest.fixture
def bcrypt_house(make_gateway):
    return house_with(make_gateway, BCRYPT)


def refusal(gateway, path, token):
    """The status of a handshake that is refused."""
    with pytest.raises(websockets.InvalidStatusCode) as refused:
        Viewer(gateway, path, token)
    return refused.value.status_code


def test_a_bcrypt_is_checked_at_the_first_handshake_and_becomes_ours(bcrypt_house):
    device = connect(bcrypt_house, TOKEN)
    bcrypt_house.database.wait_for("SELECT token_form FROM devices WHERE code = 'dev-1'", "keyed")
    device.send('{"power":1}')
    bcrypt_house.database.wait_for("SELECT count(*) FROM telemetry", 1)
    assert bcrypt_house.database.value("SELECT token_text FROM devices WHERE code = 'dev-1'") is None
    assert ingest(bcrypt_house, TOKEN) == 200
    connect(bcrypt_house, TOKEN).close()
    assert bcrypt_house.metric("tidegate_device_tokens_rehashed_total") == 1
    assert device.wait_closed()[0] == 1008  # by the newer one, not by the hash


def test_who_comes_twice_at_once_is_let_in_twice(bcrypt_house):
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for device in pool.map(lambda _: connect(bcrypt_house, TOKEN), range(4)):
            device.close()


@pytest.mark.parametrize("n", [72, 80, 200])
def test_of_a_long_token_a_bcrypt_opens_no_door(make_gateway, n):
    """It looks at 72 bytes: of what was sent nobody can say whether it is all of the token, or another's with the same beginning."""
    token = "t" * n
    gateway = house_with(make_gateway, crypt.crypt(token, "$2b$06$abcdefghijklmnopqrstuu"))
    for sent in (token, token[:72], token + "t"):
        assert refusal(gateway, "/ws/device/dev-1", sent) == 403
        assert ingest(gateway, sent) == 401
    assert gateway.log().count('why="there is a bcrypt of the device\'s token, and that is none of 72 bytes or more') == 3
    assert form(gateway) == "bcrypt"
    token = gateway.cli("device", "token", "rotate", "dev-1").stdout.split()[-1]
    wait_until(lambda: ingest(gateway, token) == 200, "the new token to be known")
    connect(gateway, token).close()


def test_a_token_of_71_bytes_opens_all_of_them(make_gateway):
    token = "t" * 71
    gateway = house_with(make_gateway, crypt.crypt(token, "$2b$06$abcdefghijklmnopqrstuu"))
    connect(gateway, token).close()
    gateway.database.wait_for("SELECT token_form FROM devices WHERE code = 'dev-1'", "keyed")
    assert ingest(gateway, token) == 200


def test_another_token_is_refused_and_counts(bcrypt_house):
    before = bcrypt_house.metric("tidegate_credentials_refused_total")
    for token in (TOKEN + "x", BCRYPT, hashlib.sha256(BCRYPT.encode()).hexdigest()):
        assert refusal(bcrypt_house, "/ws/device/dev-1", token) == 403
        assert ingest(bcrypt_house, token) == 401
    assert refusal(bcrypt_house, "/ws/device/dev-2", TOKEN) == 403  # it is not that one's
    assert refusal(bcrypt_house, "/ws/device/nobody", TOKEN) == 403
    assert refusal(bcrypt_house, "/ws/dashboard/dev-1", TOKEN) == 403  # no device comes that way
    assert form(bcrypt_house) == "bcrypt"
    assert bcrypt_house.metric("tidegate_credentials_refused_total") == before + 9
    assert ingest(bcrypt_house, TOKEN) == 401  # nothing names the device there, before it has come by its socket


def test_people_see_it_as_ever_meanwhile(bcrypt_house):
    viewer = Viewer(bcrypt_house, "/ws/device/dev-1", bcrypt_house.token("ana"))
    device = connect(bcrypt_house, TOKEN)
    device.send('{"power":3}')
    assert viewer.next() == '{"power":3}'
    viewer.close()
    device.close()


def test_who_hangs_up_while_it_is_checked_leaves_nothing(bcrypt_house):
    for _ in range(5):
        with socket.create_connection(("127.0.0.1", bcrypt_house.port)) as hasty:
            hasty.sendall(f"GET /ws/device/dev-1 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer wrong\r\n{UPGRADE}\r\n".encode())
    connect(bcrypt_house, TOKEN).close()


def test_it_is_checked_each_time_without_a_pepper(make_gateway, database):
    database.rows("INSERT INTO devices (code, token_hash, token_form, token_text)"
                  " VALUES ('dev-1', sha256(convert_to(%s, 'UTF8')), 'bcrypt', %s)", BCRYPT, BCRYPT)
    gateway = make_gateway(auth__token_pepper_file=None).start()
    for _ in range(2):
        connect(gateway, TOKEN).close()
        assert refusal(gateway, "/ws/device/dev-1", TOKEN + "x") == 403
    assert form(gateway) == "bcrypt"


def test_without_the_database_it_is_told_to_come_again(bcrypt_house, postgres):
    postgres.stop()
    assert refusal(bcrypt_house, "/ws/device/dev-1", TOKEN) == 503
    postgres.start()
    wait_until(lambda: bcrypt_house.get("/readyz").status_code == 200, "the database to be back")

    def is_in():
        try:
            connect(bcrypt_house, TOKEN).close()
        except websockets.InvalidStatusCode as refused:
            assert refused.status_code == 503
            return False
        return True

    wait_until(is_in, "the token to be checked")
