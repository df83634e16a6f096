"""A broker, a PostgreSQL and a gateway for the tests of the library, and what is done to them.

Says where they are in one line of JSON, takes what to do as a line of JSON each on its standard input, and
answers each with a line. Ends with its input.
"""
import json
import pathlib
import shutil
import sys
import tempfile
import threading
import time

import paho.mqtt.client as mqtt

TESTS = pathlib.Path(__file__).resolve().parents[3] / "tests/integration"
sys.path.insert(0, str(TESTS))

from conftest import populate  # noqa: E402
from load import Publisher  # noqa: E402
from servers import Broker, Database, Gateway, Postgres  # noqa: E402
from waiting import wait_until  # noqa: E402
from wire import Wire  # noqa: E402


class Stack:
    """The servers, and the doings, each by its name."""

    def __init__(self, folder, **settings):
        self.postgres = Postgres(folder / "pg", in_memory=True)
        self.postgres.start()
        self.postgres.execute("postgres", "CREATE DATABASE tidegate")
        self.broker = Broker(folder / "broker").start()
        self.gateway = Gateway(folder / "gateway", Database(self.postgres, "tidegate"), self.broker,
                               ws__max_connections_per_user=1000, ws__progress="200ms",
                               http__allowed_origins="*", **settings)
        self.gateway.cli("migrate")
        populate(self.gateway)
        self.gateway.start()
        self.wire = Wire(self.gateway.port)
        self.flooding = threading.Event()
        self.flooding_thread = None

    def where(self):
        return {"url": f"http://127.0.0.1:{self.wire.port}/", "straight": f"{self.gateway.url}/", "ids": self.gateway.ids,
                "mqtt": self.broker.port}

    def token(self, user, ttl=3600):
        return self.gateway.token(user, ttl)

    def publish(self, topic, payload, retain=False):
        self.broker.publish(topic, payload, retain=retain)

    def publish_many(self, topic, count, form="%d"):
        """In @form the numbers from 0 on, by one connection; returns when the broker has them."""
        publisher = Publisher(self.broker, "many")
        for n in range(count):
            publisher.publish(topic, form % n)
        publisher.flush()
        publisher.close()

    def sql(self, statement, values=()):
        return self.postgres.execute("tidegate", statement, *values)

    def kill(self):
        self.gateway.kill()

    def terminate(self):
        self.gateway.terminate()

    def start(self, wait=True):
        """Without @wait it is there, and may be nothing but that."""
        self.gateway.start(wait=wait)
        wait_until(lambda: self.gateway.status("/livez") == 200, "the gateway to answer")

    def halt(self, what):
        """The postgres, or the broker, is away."""
        getattr(self, what).stop()

    def resume(self, what):
        getattr(self, what).start()

    def drop(self):
        self.wire.drop()

    def mend(self, tell=True):
        """Connections of before are told that they are over, or never hear of it."""
        self.wire.mend(tell=tell)

    def cut(self):
        """Connections break, and others may come at once."""
        for one in list(self.wire.connections):
            one.close()

    def flood(self, rate):
        """Three kinds of one vehicle and one device, without end; 0: no more. At QoS 0: what counts is that they come."""
        self.flooding.set()
        if self.flooding_thread:
            self.flooding_thread.join()
        self.flooding.clear()
        self.flooding_thread = rate and threading.Thread(target=self._flood, args=(rate,), daemon=True)
        if self.flooding_thread:
            self.flooding_thread.start()

    def _flood(self, rate):
        client = mqtt.Client("flood")
        client.connect("127.0.0.1", self.broker.port)
        client.loop_start()
        begin, n = time.monotonic(), 0
        while not self.flooding.wait(0.005):
            for n in range(n + 1, int((time.monotonic() - begin) * rate) + 1):
                client.publish(*(("ems/dev-1/telemetry", f'{{"n":{n % 1000}}}'),
                                 ("seano/USV-1/vehicle_log", f'{{"battery_voltage":{n % 1000}}}'),
                                 ("seano/USV-1/sensor_log", f'{{"sensor_id":{n % 30},"data":{{"t":{n % 1000}}}}}'))[n % 3])
        client.disconnect()
        client.loop_stop()

    def metric(self, name):
        return self.gateway.metric(name)

    def stop(self):
        self.flood(0)
        self.wire.close()
        self.gateway.stop()
        self.broker.stop()
        self.postgres.stop()
        self.postgres.remove()


def main(kind=Stack):
    """Until the input ends. @kind: a Stack that can do more."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="tgj", dir="/tmp"))
    folder.chmod(0o755)
    stack = None
    try:
        stack = kind(folder)
        print(json.dumps(stack.where()), flush=True)
        for line in sys.stdin:
            asked = json.loads(line)
            try:
                answer = {"value": getattr(stack, asked.pop("do"))(**asked)}
            except Exception as error:  # pylint: disable=broad-except  # told to the test
                answer = {"error": repr(error)}
            print(json.dumps(answer, default=str), flush=True)
    finally:
        if stack:
            stack.stop()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
