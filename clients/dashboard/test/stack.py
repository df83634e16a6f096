"""The servers of clients/js/test/stack.py, with a fleet that is worth looking at."""
import csv
import gzip
import os
import pathlib
import signal
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve()
sys.path.insert(0, str(HERE.parents[2] / "js/test"))

from stack import Stack, main  # noqa: E402
from servers import Gateway, TIDEGATE  # noqa: E402
from waiting import wait_until  # noqa: E402

VESSELS = HERE.parents[3] / "deploy/demo/vessels.csv.gz"


class Dashboard(Stack):
    """What is built at DASHBOARD, and, on demand, a fleet."""

    def __init__(self, folder):
        self.simulators = []
        self.second = None
        super().__init__(folder, http__dashboard=os.environ["DASHBOARD"], http__dashboard_hosts="https://pictures.example")
        self.at_first = dict(self.gateway.settings)

    def vessels(self, user, speed=300):
        """Those of the recording, which belong to @user, move as they did."""
        with gzip.open(VESSELS, "rt", encoding="utf-8") as rows:
            names = {f"mmsi-{row['mmsi']}": row["name"] for row in csv.DictReader(rows)}
        for code, name in names.items():
            self.sql("INSERT INTO vehicles (code, name, user_id) SELECT %s, %s, id FROM users WHERE username = %s",
                     (code, name or code, user))
        self._simulate("--replay", str(VESSELS), "--prefix", "mmsi-", "--speed", str(speed))
        return len(names)

    def fleet(self, user, n, rate):
        """@n vehicles that move around one place, which say so @rate times a second, all together."""
        self.sql("INSERT INTO vehicles (code, name, user_id) SELECT code, code, id FROM users, "
                 "(SELECT 'sim-vehicle-' || lpad(i::text, greatest(3, length(i::text)), '0') AS code FROM generate_series(1, %s) i) c WHERE username = %s", (n, user))
        self._simulate("--vehicles", str(n), "--devices", "0", "--rate", str(rate), "--user", user)

    def devices(self, user, n=12):
        """Devices, a scanner, an energy device and a camera, which say something all the time."""
        codes = [f"sim-device-{i:03}" for i in range(1, n + 1)] + ["sim-ble-01", "sim-ems-01", "sim-cam-01"]
        for code in codes:
            self.sql("INSERT INTO devices (code, user_id) SELECT %s, id FROM users WHERE username = %s", (code, user))
        self._simulate("--vehicles", "0", "--devices", str(n), "--rate", "25", "--user", user)
        return codes

    def viewer(self, name, of):
        """Somebody who may look at the vehicle @of and change nothing."""
        self.gateway.add_user(name, "viewer")
        self.gateway.cli("vehicle", "share", of, "--user", name)

    def acknowledge(self, message, user):
        """As another gateway would, while this one is away."""
        self.sql("INSERT INTO alert_acks (journal_id, seq, received_at, vehicle_id, device_id, user_id, acknowledged_by)"
                 " SELECT a.journal_id, a.seq, a.received_at, a.vehicle_id, a.device_id, u.id, u.username"
                 " FROM alerts a, users u WHERE a.message = %s AND u.username = %s", (message, user))

    def configure(self, settings):
        """What may change while it runs; other settings are as at first."""
        gateway = self.gateway
        before = gateway.log().count(" reloaded")
        gateway.settings = dict(self.at_first)
        gateway.write_conf(**settings)
        gateway.process.send_signal(signal.SIGHUP)
        wait_until(lambda: gateway.log().count(" reloaded") > before, "the configuration to be read")

    def explore(self, filters):
        """The gateway looks at these topics, too."""
        gateway = self.gateway
        gateway.write_conf(mqtt__explore=filters)
        gateway.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "mqtt_explore_connected" in gateway.log(), "the explorer to be there")

    def cluster(self, slots=4):
        """The gateway is n1 of two from now on, which share @slots."""
        first = self.gateway
        settings = {"cluster__slots": slots, "cluster__lease": "2s"}
        first.terminate()
        first.write_conf(cluster__node="n1", **settings)
        first.start()
        self.second = Gateway(first.folder.parent / "second", first.database, self.broker, cluster__node="n2", **settings)
        self.second.start(wait=False)
        wait_until(lambda: self.sql("SELECT count(*) FROM slots s JOIN nodes n USING (instance) WHERE n.node = 'n2'") == [(slots // 2,)],
                   "each to have its share")
        for node in (first, self.second):
            wait_until(lambda node=node: node.metric("tidegate_mqtt_connected") == slots // 2, "its slots to be at the broker")

    def lose(self):
        """The second gateway dies with what it has taken in and not stored."""
        self.halt("postgres")
        for n in range(20):
            self.publish(f"seano/{('USV-1', 'USV-2')[n % 2]}/raw_log", str(n))
            self.publish("ems/dev-1/telemetry", f'{{"n":{n}}}')
        self.second.kill()
        self.resume("postgres")

    def find(self):
        self.second.start()

    def leave(self):
        self.second.terminate()

    def cli(self, words):
        return self.gateway.cli(*words).stdout

    def _simulate(self, *options):
        gateway = self.gateway
        self.simulators.append(subprocess.Popen(  # pylint: disable=consider-using-with  # ended by stop()
            [str(TIDEGATE), "simulate", *options, "--config", str(gateway.conf)],
            env=gateway.environment(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))

    def stop(self):
        for one in self.simulators:
            one.terminate()
            one.wait(30)
        if self.second:
            self.second.stop()
        super().stop()


main(Dashboard)
