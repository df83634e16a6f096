"""Who moves in logs in with the password that he had, and what is checked becomes a hash of ours."""
import base64
import crypt  # noqa: Debian 12 has Python 3.11
import hashlib

import psycopg2
import pytest

from waiting import wait_until

SETTINGS = {"auth__login_failures_per_minute": 1000}
PASSWORD = "correct horse bättery"
BYTES = PASSWORD.encode()


def plain(data):
    return base64.b64encode(data).decode()


def scrypt(n, r, p, size):
    return hashlib.scrypt(BYTES, salt=b"SodiumChloride", n=n, r=r, p=p, dklen=size)


def pbkdf2(digest, rounds, salt=b"SodiumChloride"):
    return hashlib.pbkdf2_hmac(digest, BYTES, salt, rounds)


HASHES = {
    "bcrypt, 2a": crypt.crypt(PASSWORD, "$2a$05$abcdefghijklmnopqrstuu"),
    "bcrypt, 2b": crypt.crypt(PASSWORD, "$2b$06$abcdefghijklmnopqrstuu"),
    "bcrypt, 2y": crypt.crypt(PASSWORD, "$2y$04$abcdefghijklmnopqrstuu"),
    "bcrypt of Django": "bcrypt_sha256$" + crypt.crypt(hashlib.sha256(BYTES).hexdigest(), "$2b$04$abcdefghijklmnopqrstuu"),
    "SHA-256 of /etc/shadow": crypt.crypt(PASSWORD, "$5$SodiumChloride$"),
    "SHA-512 of /etc/shadow": crypt.crypt(PASSWORD, "$6$rounds=10000$SodiumChloride$"),
    "yescrypt of /etc/shadow": crypt.crypt(PASSWORD, "$y$j9T$abcdefghijklmnop$"),
    "yescrypt of GOST": crypt.crypt(PASSWORD, "$gy$j75$abcdefghijklmnop$"),
    "scrypt of crypt": crypt.crypt(PASSWORD, "$7$A6..../....SodiumChloride$"),
    "scrypt of passlib": f"$scrypt$ln=10,r=8,p=1${plain(b'SodiumChloride').strip('=')}${plain(scrypt(1024, 8, 1, 32)).strip('=')}",
    "scrypt of Werkzeug": f"scrypt:1024:8:1$SodiumChloride${scrypt(1024, 8, 1, 64).hex()}",
    "PBKDF2 of Django": f"pbkdf2_sha256$1000$SodiumChloride${plain(pbkdf2('sha256', 1000))}",
    "PBKDF2 of passlib": "$pbkdf2-sha512$1000$"
                         f"{plain(b'SodiumChloride').strip('=')}${plain(pbkdf2('sha512', 1000)).strip('=').replace('+', '.')}",
    "PBKDF2 of Werkzeug": f"pbkdf2:sha256:1000$SodiumChloride${pbkdf2('sha256', 1000).hex()}",
}
ARGON2 = "$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc"  # of "password"


def log_in(gateway, user, password=PASSWORD):
    return gateway.post("/api/token", data={"username": user, "password": password})


def add(gateway, name, hashed):
    return gateway.database.value(
        "INSERT INTO users (username, password_hash) VALUES (%s, %s) RETURNING id", name, hashed)


def hash_of(gateway, name):
    return gateway.database.value("SELECT password_hash FROM users WHERE username = %s", name)


@pytest.fixture(scope="module")
def house(shared_gateway):
    for i, hashed in enumerate(HASHES.values()):
        add(shared_gateway, f"user-{i}", hashed)
    wait_until(lambda: shared_gateway.get("/api/devices", user="user-0").status_code == 200, "the users to be known")
    return shared_gateway


@pytest.mark.parametrize("form", HASHES)
def test_a_hash_is_checked_as_it_is_and_becomes_ours(house, form):
    name = f"user-{list(HASHES).index(form)}"
    generation = house.database.value("SELECT generation FROM users WHERE username = %s", name)
    assert log_in(house, name, "correct horse battery").status_code == 401
    assert hash_of(house, name) == HASHES[form]
    answer = log_in(house, name)
    assert answer.status_code == 200
    ours = hash_of(house, name)
    assert ours.startswith("$scrypt$ln=15,r=8,p=1$")
    headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}
    assert [log_in(house, name).status_code for _ in range(2)] == [200, 200]
    assert log_in(house, name, "correct horse battery").status_code == 401
    assert hash_of(house, name) == ours
    assert house.database.value("SELECT generation FROM users WHERE username = %s", name) == generation
    assert house.get("/api/devices", headers=headers).status_code == 200


def test_argon2_is_checked_too(house):
    add(house, "argo", ARGON2)
    wait_until(lambda: log_in(house, "argo", "password").status_code == 200, "argo to be known")
    assert hash_of(house, "argo").startswith("$scrypt$ln=15")
    assert log_in(house, "argo", "passwort").status_code == 401


def test_of_bcrypt_the_first_72_bytes_go_on_to_count(house):
    long = "x" * 72
    add(house, "long", crypt.crypt(long, "$2b$04$abcdefghijklmnopqrstuu"))
    wait_until(lambda: log_in(house, "long", long + "and more").status_code == 200, "long to be known")
    assert hash_of(house, "long").startswith("$2b$")  # all of it would count in one of ours
    assert log_in(house, "long", long + "or other").status_code == 200
    assert log_in(house, "long", long[1:]).status_code == 401
    assert log_in(house, "long", long).status_code == 200
    assert hash_of(house, "long").startswith("$2b$")  # whoever typed that: the owner's may be longer
    assert log_in(house, "long", long + "and more").status_code == 200


def test_a_password_that_bcrypt_looked_at_whole_becomes_ours(house):
    short = "x" * 71
    add(house, "short", crypt.crypt(short, "$2b$04$abcdefghijklmnopqrstuu"))
    wait_until(lambda: log_in(house, "short", short).status_code == 200, "short to be known")
    assert hash_of(house, "short").startswith("$scrypt$")


NO_HASHES = {
    "none": "",
    "locked": "!",
    "plain text": PASSWORD,
    "MD5": hashlib.md5(BYTES).hexdigest(),
    "too dear": crypt.crypt(PASSWORD, "$2b$04$abcdefghijklmnopqrstuu").replace("$04$", "$31$"),
    "too large": f"scrypt:1048576:8:1$SodiumChloride${scrypt(1024, 8, 1, 64).hex()}",
    "locked in /etc/shadow": "!" + crypt.crypt(PASSWORD, "$6$SodiumChloride$"),
    "too dear in /etc/shadow": crypt.crypt(PASSWORD, "$6$SodiumChloride$").replace("$6$", "$6$rounds=9999999$"),
    "cut": HASHES["PBKDF2 of Django"][:60],
}


@pytest.mark.parametrize("kind", NO_HASHES)
def test_what_cannot_be_checked_lets_nobody_in(house, kind):
    name = f"no-{list(NO_HASHES).index(kind)}"
    add(house, name, NO_HASHES[kind])
    assert [log_in(house, name, p).status_code for p in (PASSWORD, NO_HASHES[kind] or "x")] == [401, 401]
    assert hash_of(house, name) == NO_HASHES[kind]


def test_a_hash_that_changed_meanwhile_is_left_alone(house):
    """And one on which somebody else has a lock: the log-in waits for nobody."""
    db = house.database
    add(house, "meanwhile", HASHES["bcrypt, 2y"])
    whose = db.value("SELECT id FROM users WHERE username = 'meanwhile'")
    assert db.value("SELECT tidegate_rehash(%s, 'another', 'anew')", whose) is False
    assert hash_of(house, "meanwhile") == HASHES["bcrypt, 2y"]
    with psycopg2.connect(db.url) as other, other.cursor() as cursor:
        cursor.execute("SELECT FROM users WHERE id = %s FOR UPDATE", (whose,))
        wait_until(lambda: log_in(house, "meanwhile").status_code == 200, "meanwhile to be known")
        assert hash_of(house, "meanwhile") == HASHES["bcrypt, 2y"]
    assert log_in(house, "meanwhile").status_code == 200
    assert hash_of(house, "meanwhile") != HASHES["bcrypt, 2y"]


def test_a_name_that_is_nobodys_has_somebodys_hash_to_be_checked_against(house):
    """So that how long a refusal takes tells nothing; the same one each time, and not the same for all names."""
    db = house.database
    stand_ins = [db.value("SELECT tidegate_stand_in(%s)", f"nobody-{i}") for i in range(100)]
    assert stand_ins == [db.value("SELECT tidegate_stand_in(%s)", f"nobody-{i}") for i in range(100)]
    assert set(stand_ins) <= {row[0] for row in db.rows("SELECT password_hash FROM users")}
    assert len(set(stand_ins)) > 3
    assert log_in(house, "nobody-1").status_code == 401
