"""Who takes part: a broker, a PostgreSQL, gateways, each on a machine of its own."""
import contextlib
import json
import shutil
import signal
import socket
import subprocess

import requests

import net
import watching
from servers import Broker, Gateway, Postgres, die_with_parent
from waiting import wait_until

N_USERS = watching.N_THINGS  # one for each thing
LEASE_S = 2.0
RECEIVE_MAXIMUM = 1000  # mqtt.receive_maximum: what can be without an acknowledgement


class Database(Postgres):
    """On np, and for what looks into it on a unix socket, which nobody cuts."""

    def __init__(self, folder):
        super().__init__(folder)
        self.inside = net.inside("np")
        with open(self.data / "postgresql.conf", "a", encoding="ascii") as conf:
            conf.write(f"listen_addresses = '{net.ADDRESSES['np']}'\nport = 5432\nmax_connections = 100\n")
        with open(self.data / "pg_hba.conf", "a", encoding="ascii") as conf:
            conf.write("host all all 10.77.0.0/24 trust\n")


class Mosquitto(Broker):
    """On nb. Its store is written once a second, and as it ends."""

    machines = ["nb"]
    address = net.ADDRESSES["nb"]
    inside = net.inside("nb")
    keeps_order = True
    doors = [(address, 1883)]

    def __init__(self, folder):
        super().__init__(folder, port=1883)

    @property
    def url(self):
        return f"mqtt://{self.address}:{self.port}"

    def restart(self, _dice):
        """With what it has queued, and with its sessions."""
        self.stop(signal.SIGTERM)
        self.start()

    def lose_its_store(self, town, dice):
        """It is asked for nothing more, and what the gateways have of it is stored, before it is counted."""
        town.publishers.say_at_once(dice.randrange(100))
        town.pause(dice.uniform(0, 0.1))
        town.publishers.are_to_go()
        self.stop(signal.SIGKILL)
        town.publishers.wait_gone()
        town.wait_stored()
        town.ledger.lose()
        for store in self.folder.glob("mosquitto.db*"):
            store.unlink()
        self.start()
        town.wait_subscribed()
        town.publishers.go()

    def mend(self):
        if not (self.process and self.process.poll() is None):
            self.start()


class NatsServer:
    def __init__(self, folder, name, names):
        self.folder, self.name = folder, name
        self.process = None
        self.folder.mkdir()
        address, routes = net.ADDRESSES[name], [f"nats-route://{net.ADDRESSES[one]}:6222" for one in names if one != name]
        self.conf = folder / "nats.conf"
        self.conf.write_text(f"""server_name: {name}
listen: {address}:4222
jetstream {{ store_dir: "{folder}/store" }}
cluster {{ name: tidegate, listen: {address}:6222, routes: {json.dumps(routes)} }}
mqtt {{ listen: "{address}:1883", stream_replicas: {len(names)}, max_ack_pending: {RECEIVE_MAXIMUM}, ack_wait: "{Nats.ACK_WAIT_S}s" }}
""", "ascii")

    def start(self):
        with open(self.folder / "log", "a", encoding="ascii") as log:
            self.process = subprocess.Popen([*net.inside(self.name), "/usr/sbin/nats-server", "-c", self.conf],
                                            stdout=log, stderr=log, preexec_fn=die_with_parent)

    def stop(self, how):
        self.process.send_signal(how)
        self.process.wait()
        self.process = None


class Nats:
    """Three nats-server, which keep what is queued three times: one of them may be gone, with its disk."""

    ACK_WAIT_S = 10  # after which it sends once more what was not acknowledged, behind what is newer
    keeps_order = False
    machines = ["nb1", "nb2", "nb3"]
    doors = [(net.ADDRESSES[name], 1883) for name in machines]
    url = ", ".join(f"mqtt://{address}:{port}" for address, port in doors)

    def __init__(self, folder):
        folder.mkdir()
        self.servers = [NatsServer(folder / name, name, self.machines) for name in self.machines]

    def start(self):
        self.mend()
        wait_until(lambda: all(map(answers_mqtt, self.doors)), "three nats-server to take MQTT", 60, step=0.5)
        return self

    def mend(self):
        for one in self.servers:
            if one.process is None or one.process.poll() is not None:
                one.start()

    def restart(self, dice):
        one = dice.choice(self.servers)
        one.stop(signal.SIGTERM)
        one.start()

    def lose_its_store(self, town, dice):
        """One of them, its disk with it, which may cost nothing."""
        town.publishers.say_at_once(dice.randrange(100))
        one = dice.choice(self.servers)
        one.stop(signal.SIGKILL)
        shutil.rmtree(one.folder / "store")
        town.pause(dice.uniform(0, 3))
        one.start()


def answers_mqtt(door):
    """Whether a session can be had there, which needs a quorum."""
    with contextlib.suppress(OSError), socket.create_connection(door, 2) as s:
        s.settimeout(5)
        s.sendall(b"\x10\x11\0\4MQTT\4\2\0\x3c\0\5probe")
        return s.recv(4)[3:4] == b"\0"
    return False


class Node(Gateway):
    """A gateway on a machine of its own, started again whenever it ends, as a service manager does."""

    def __init__(self, folder, name, database, broker, n_slots):
        self.name = name
        self.n_slots = n_slots
        self.is_wanted = False
        self.is_stopped = False
        self.n_ended = 0
        address = net.ADDRESSES[name]
        super().__init__(
            folder, database, None,
            **{"http__listen": f"{address}:8000", "mqtt__url": broker.url, "mqtt__keep_alive": "5s",
               "database__url": f"postgresql://tidegate@{net.ADDRESSES['np']}/{database.name}",
               "cluster__node": name, "cluster__advertise": f"http://{address}:8000",
               "cluster__lease": f"{LEASE_S:.0f}s", "cluster__slots": n_slots if n_slots > 1 else None, "mqtt__receive_maximum": RECEIVE_MAXIMUM,
               "ws__max_connections_per_user": 100, "ws__queue_bytes": "64M", "journal__segment_bytes": "1M"})
        self.port = 8000
        self.inside = net.inside(name)

    @property
    def url(self):
        return f"http://{net.ADDRESSES[self.name]}:8000"

    def up(self):
        self.is_wanted = True
        self.start(wait=False)

    def look_after(self):
        """Starts it again if it has ended; what it should not have ended with is returned."""
        if not self.is_wanted or self.process is None or self.process.poll() is None:
            return None
        code = self.process.returncode
        self.n_ended += 1
        self.start(wait=False)
        return None if code in (0, 1) else f"{self.name} ended with {code}"

    def kill(self):
        self.is_wanted = False
        super().kill()

    def leave(self):
        """SIGTERM; what was not in order. One that has just been started may not have heard of signals yet, and one that
        has lost its turn was about to end by itself."""
        self.is_wanted = False
        code = self.terminate()
        is_lost = code == 1 and "lease_lost" in self.log().rpartition(" info started ")[2]
        return None if code in (0, -signal.SIGTERM) or is_lost else f"{self.name} ended with {code} after SIGTERM"

    def freeze(self):
        self.is_stopped = True
        super().freeze()

    def thaw(self):
        if self.is_stopped:
            super().thaw()
        self.is_stopped = False

    def is_ready(self):
        if self.process is None or self.is_stopped:
            return False
        with contextlib.suppress(requests.RequestException):
            return requests.get(self.url + "/readyz", timeout=1).status_code == 200
        return False
