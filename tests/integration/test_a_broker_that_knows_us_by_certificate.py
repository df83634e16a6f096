"""Mosquitto with use_identity_as_username: who one is is the common name of one's certificate."""
import shutil
import subprocess

import pytest

from conftest import populate
from servers import Broker
from waiting import PATIENCE, wait_until

LOGS = "SELECT logs FROM raw_logs ORDER BY logs"
RULES = """user tidegate
topic read seano/#
topic readwrite tidegate/canary/#
pattern write seano/%u/#
"""


def openssl(folder, *args):
    subprocess.run(["openssl", *args], cwd=folder, check=True, capture_output=True)


class Authority:
    """Makes certificates NAME.pem, with keys NAME.key."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir()
        openssl(folder, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                "-subj", "/CN=authority", "-keyout", "ca.key", "-out", "ca.pem")

    def certify(self, name, extra=""):
        (self.folder / "extra").write_text(extra, "ascii")
        openssl(self.folder, "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
                f"/O=boats/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.csr")
        openssl(self.folder, "x509", "-req", "-days", "1", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
                "-CAcreateserial", "-out", f"{name}.pem", "-extfile", "extra")
        for path in self.folder.iterdir():
            path.chmod(0o644)  # Mosquitto reads them as somebody else

    def __getitem__(self, name):
        return self.folder / name


@pytest.fixture
def authority(folder):
    made = Authority(folder / "authority")
    made.certify("localhost", "subjectAltName=IP:127.0.0.1")
    for name in ("tidegate", "USV-1", "stranger"):
        made.certify(name)
    return made


@pytest.fixture
def broker(folder, authority):
    rules = folder / "rules"
    rules.write_text(RULES, "ascii")
    rules.chmod(0o644)
    server = Broker(folder / "broker", f"acl_file {rules}\ncafile {authority['ca.pem']}\n"
                    f"certfile {authority['localhost.pem']}\nkeyfile {authority['localhost.key']}\n"
                    "require_certificate true\nuse_identity_as_username true\n").start()
    yield server
    server.stop()


def publish(broker, authority, name, topic, payload):
    """What the rules do not allow is acknowledged, and goes nowhere."""
    subprocess.run(["mosquitto_pub", "-h", "127.0.0.1", "-p", str(broker.port), "-q", "1", "-t", topic, "-m", payload,
                    "--cafile", authority["ca.pem"], "--cert", authority[f"{name}.pem"],
                    "--key", authority[f"{name}.key"]], check=True, capture_output=True, timeout=PATIENCE)


def settings(broker, authority, name=None, **more):
    settled = {"mqtt__url": f"mqtts://127.0.0.1:{broker.port}", "mqtt__ca_file": authority["ca.pem"], **more}
    if name:
        settled |= {"mqtt__cert_file": authority[f"{name}.pem"], "mqtt__key_file": authority[f"{name}.key"]}
    return settled


@pytest.mark.parametrize("version", ["5", "3.1.1"])
@pytest.mark.parametrize("username", [None, "somebody"])
def test_its_certificate_is_its_name(make_gateway, broker, authority, database, version, username):
    """Whatever it says besides; and what it may by that name it may, also after the broker has been away."""
    more = {"mqtt__username": username} if username else {}
    gateway = make_gateway(**settings(broker, authority, "tidegate", mqtt__version=version, mqtt__canary="50ms", **more))
    populate(gateway)
    gateway.start()
    publish(broker, authority, "USV-1", "seano/USV-1/raw_log", "1")
    publish(broker, authority, "USV-1", "seano/USV-2/raw_log", "of another")
    publish(broker, authority, "stranger", "seano/USV-1/raw_log", "of a stranger")
    database.wait_for("SELECT count(*) FROM raw_logs", 1)
    gateway.kill()
    publish(broker, authority, "USV-1", "seano/USV-1/raw_log", "2")
    gateway.start()
    database.wait_for("SELECT count(*) FROM raw_logs", 2)
    broker.stop()
    broker.start()
    wait_until(lambda: gateway.log().count("mqtt_connected") == 3, "it to be back")
    publish(broker, authority, "USV-1", "seano/USV-1/raw_log", "3")
    database.wait_for("SELECT count(*) FROM raw_logs", 3)
    assert database.rows(LOGS) == [("1",), ("2",), ("3",)]
    assert "mqtt_canary" not in gateway.log()
    assert "session=resumed" in gateway.log()


def test_by_another_name_only_the_canary_tells_and_its_own_is_read_at_the_next_connection(
        make_gateway, broker, authority, database):
    """Mosquitto grants each subscription, and then delivers nothing of what the rules do not allow."""
    for part in ("pem", "key"):
        shutil.copy(authority[f"stranger.{part}"], authority[f"own.{part}"])
    gateway = make_gateway(**settings(broker, authority, "own"))
    populate(gateway)
    gateway.start()
    publish(broker, authority, "USV-1", "seano/USV-1/raw_log", "not for strangers")
    wait_until(lambda: "mqtt_canary_denied topic=tidegate/canary/" in gateway.log(), "it to say that it may not write")
    for part in ("pem", "key"):
        shutil.copy(authority[f"tidegate.{part}"], authority[f"own.{part}"])
    broker.stop()
    wait_until(lambda: gateway.status("/readyz") == 503, "it to notice")
    broker.start()
    gateway.wait_ready()
    publish(broker, authority, "USV-1", "seano/USV-1/raw_log", "1")
    database.wait_for("SELECT count(*) FROM raw_logs", 1)
    assert database.rows(LOGS) == [("1",)]


@pytest.mark.parametrize("who", [None, "of another authority"])
def test_without_one_that_the_broker_takes_it_says_why(make_gateway, broker, authority, folder, who):
    if who:
        other = Authority(folder / "other")
        other.certify("tidegate")
        for part in ("pem", "key"):
            shutil.copy(other[f"tidegate.{part}"], authority[f"own.{part}"])
    gateway = make_gateway(**settings(broker, authority, who and "own"))
    gateway.start(wait=False)
    wait_until(lambda: "a certificate that it takes (mqtt.cert_file)" in gateway.log(), "it to say what may be wrong")
    assert gateway.status("/readyz") == 503
