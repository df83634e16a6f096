"""The page at /live in a real browser: signing in, live messages, one's own vehicles alone, reconnecting."""
import json
import math
import os
import pathlib
import subprocess
import threading

import pytest

from proxies import NGINX_PREFIX, Proxy

HERE = pathlib.Path(__file__).resolve().parent
PASSWORD = "correct horse battery"
EVIL = '<img src=x onerror="window.hacked=1"><script>window.hacked=2</script>'


class Fleet(threading.Thread):
    """Publishes a little of every kind, over and over, until told to stop."""

    def __init__(self, broker):
        super().__init__(daemon=True)
        self.broker = broker
        self.done = threading.Event()

    def run(self):
        turn = 0
        while not self.done.wait(0.05):
            for code, phase in (("USV-1", 0), ("USV-3", 2), ("USV-2", 4)):
                angle = turn / 20 + phase
                log = {"battery_voltage": 12.6 - turn / 1000, "battery_current": 2.5, "rssi": -45,
                       "mode": "AUTO", "latitude": -6.2 + 0.02 * math.cos(angle),
                       "longitude": 106.84 + 0.03 * math.sin(angle) + phase / 100,
                       "heading": math.degrees(angle) % 360, "armed": True, "speed": 3.2}
                self.send(f"seano/{code}/vehicle_log", json.dumps(log))
            self.send("seano/USV-1/sensor_log", json.dumps(
                {"sensor_id": 5, "data": {"temperature": 25.5, "humidity": 60.2}}))
            self.send("seano/USV-1/raw_log", EVIL if turn % 3 == 0 else "GPS initialized")
            turn += 1

    def send(self, topic, payload):
        try:
            self.broker.publish(topic, payload)
        except (AssertionError, subprocess.SubprocessError):
            pass  # the broker is being restarted

    def stop(self):
        self.done.set()
        self.join()


class Browser:
    """page.mjs, which says what it wants done outside and is told when it is."""

    def __init__(self, url, *args):
        command = ["/usr/bin/node", str(HERE / "page.mjs"), url, *args]
        self.process = subprocess.Popen(command, cwd=HERE, text=True, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE)
        self.timer = threading.Timer(240, self.process.kill)
        self.timer.start()

    def __iter__(self):
        for line in self.process.stdout:
            yield line.strip()

    def tell(self, text):
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()

    def finish(self):
        code = self.process.wait()
        self.timer.cancel()
        return code


@pytest.fixture
def fleet(broker):
    thread = Fleet(broker)
    thread.start()
    yield thread
    thread.stop()


def drive(gateway, *args, url=None):
    browser = Browser((url or gateway.url) + "/live", *args)
    seen = []
    for line in browser:
        seen.append(line)
        print(line)
        if line == "stop the gateway":
            gateway.stop()
            browser.tell("done")
        elif line == "start the gateway":
            gateway.start()
            browser.tell("done")
    code = browser.finish()
    assert code == 0, "\n".join(seen)
    assert seen[-1] == "all good"


def test_a_user_signs_in_and_sees_what_is_his(gateway, fleet):
    gateway.ids["USV-3"] = gateway.add_vehicle("USV-3", "ana")
    drive(gateway, "user", "ana", PASSWORD, os.environ.get("TIDEGATE_SCREENSHOTS", ""))
    assert gateway.metric("tidegate_ws_accepted_deflate_total") > 0
    assert "ticket=" not in gateway.log()
    assert PASSWORD not in gateway.log()


def test_a_guest_sees_the_page_where_that_is_allowed(make_gateway, fleet):
    gateway = make_gateway(auth__anonymous="/api/ws,/api/vehicles")
    gateway.add_user("ana")
    gateway.add_vehicle("USV-1", "ana")
    gateway.start()
    drive(gateway, "guest")


def test_the_page_works_under_a_prefix(make_gateway, fleet, folder):
    gateway = make_gateway(auth__anonymous="/api/ws,/api/vehicles", http__trusted_proxies="127.0.0.1")
    gateway.add_user("ana")
    gateway.add_vehicle("USV-1", "ana")
    gateway.start()
    proxy = Proxy(folder, gateway, "nginx", NGINX_PREFIX)
    try:
        drive(gateway, "guest", url=proxy.url + "/fleet")
    finally:
        proxy.stop()
