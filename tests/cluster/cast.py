"""Who takes part: a broker, a PostgreSQL, gateways, each on a machine of its own."""
import os
import pathlib
import re
import signal
import socket
import subprocess
import contextlib

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
    doors = [(address, 1883)]

    def __init__(self, folder):
        super().__init__(folder, port=1883)

    @property
    def url(self):
        return f"mqtt://{self.address}:{self.port}"

    def restart(self, is_kept):
        """@is_kept: with what it has queued, and with its sessions."""
        self.stop(signal.SIGTERM if is_kept else signal.SIGKILL)
        if not is_kept:
            for store in self.folder.glob("mosquitto.db*"):
                store.unlink()
        self.start()

    def mend(self):
        if not (self.process and self.process.poll() is None):
            self.start()


class Node(Gateway):
    """A gateway on a machine of its own, started again whenever it ends, as a service manager does."""

    def __init__(self, folder, name, database, broker):
        self.name = name
        self.is_wanted = False
        self.is_stopped = False
        self.n_ended = 0
        address = net.ADDRESSES[name]
        super().__init__(
            folder, database, None,
            **{"http__listen": f"{address}:8000", "mqtt__url": broker.url, "mqtt__keep_alive": "5s",
               "database__url": f"postgresql://tidegate@{net.ADDRESSES['np']}/{database.name}",
               "cluster__node": name, "cluster__advertise": f"http://{address}:8000",
               "cluster__lease": f"{LEASE_S:.0f}s", "mqtt__receive_maximum": RECEIVE_MAXIMUM,
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
        """SIGTERM; what was not in order. One that has just been started may not have heard of signals yet."""
        self.is_wanted = False
        code = self.terminate()
        return None if code in (0, -signal.SIGTERM) else f"{self.name} ended with {code} after SIGTERM"

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
