"""deploy/haproxy.cfg before gateways of which one stores; and the units that start them."""
import os
import re
import subprocess
import types

import pytest
import requests
import yaml

import proxies
from conftest import populate
from servers import ROOT, TIDEGATE
from test_native_protocol import Native
from test_one_gateway_stores_at_a_time import wait_standing_by
from viewers import refused
from waiting import wait_until

CONF = ROOT / "deploy/haproxy.cfg"
COMPOSE = ROOT / "deploy/compose"
UNITS = ROOT / "deploy/systemd"


def balanced(*gateways):
    """The text of deploy/haproxy.cfg, as Proxy formats it, with these gateways in place of its own."""
    text = CONF.read_text("ascii").replace("maxconn 50000", "maxconn 500").replace("{", "{{").replace("}", "}}").replace("bind :8080", "bind 127.0.0.1:{port}")
    head, _ = re.split(r"(?m)^    server n1 ", text)
    return head + "".join(f"    server n{i} 127.0.0.1:{one.port}\n" for i, one in enumerate(gateways, 1))


@pytest.fixture
def balancer(make_gateway, folder):
    """(HAProxy, the one that stores, the one that stands by)"""
    first, second = (make_gateway(cluster__lease="2s", http__trusted_proxies="127.0.0.1") for _ in range(2))
    populate(first)
    first.start()
    second.start(wait=False)
    wait_standing_by(second)
    made = proxies.Proxy(folder, first, "haproxy", balanced(first, second))
    made.gateway = types.SimpleNamespace(port=made.port)
    yield made, first, second
    made.stop()


def is_served(proxy):
    return requests.get(proxy.url + "/readyz", timeout=5).status_code == 200


def watch(proxy, gateway, **since):
    viewer = Native(proxy.gateway, gateway.token("ana"))
    answer = viewer.ask("subscribe", to=["user"], types=["raw_log"], **since)
    assert answer["ok"] and answer["recovered"]
    return viewer, answer["cursor"]


def logs(viewer, n):
    return [viewer.push("raw_log") for _ in range(n)]


def test_it_is_one_that_haproxy_takes_as_it_is():
    done = subprocess.run(["/usr/sbin/haproxy", "-c", "-f", CONF], text=True, capture_output=True, check=False)
    assert done.returncode == 0 and "warning" not in done.stderr.lower(), done.stderr


def test_only_who_stores_is_asked(balancer):
    proxy, _, second = balancer
    wait_until(lambda: is_served(proxy), "HAProxy to know")
    for _ in range(10):  # never the other one
        assert is_served(proxy)
    assert second.metric("tidegate_ws_refused_total") == 0
    viewer, _ = watch(proxy, second)
    viewer.close()


def test_who_is_drained_tells_its_viewers_and_they_go_on_elsewhere(balancer, publisher):
    """4200 comes through, and the cursor of one is the other's."""
    proxy, first, second = balancer
    wait_until(lambda: is_served(proxy), "HAProxy to know")
    viewer, _ = watch(proxy, first)
    for n in range(10):
        publisher.publish("seano/USV-1/raw_log", str(n))
    seen = logs(viewer, 10)
    assert first.terminate() == 0
    assert viewer.wait_closed()[0] == 4200
    for n in range(10, 20):
        publisher.publish("seano/USV-1/raw_log", str(n))
    wait_until(lambda: refused(proxy.gateway, "/api/ws", first.token("ana")) == 101, "another one to take viewers")
    viewer, _ = watch(proxy, second, since=seen[-1]["cursor"])
    assert [int(frame["data"]) for frame in logs(viewer, 10)] == list(range(10, 20))
    viewer.close()


def test_who_is_killed_is_left_at_once(balancer):
    proxy, first, second = balancer
    wait_until(lambda: is_served(proxy), "HAProxy to know")
    viewer, _ = watch(proxy, first)
    first.kill()
    viewer.wait_closed(5)
    second.wait_ready()
    wait_until(lambda: is_served(proxy), "the other one to be asked")
    viewer, _ = watch(proxy, second)
    viewer.close()


def test_the_unit_of_a_node_is_that_of_one_gateway_but_for_its_name(tmp_path):
    one, many = ((UNITS / name).read_text("utf-8") for name in ("tidegate.service", "tidegate@.service"))
    differ = [pair for pair in zip(one.splitlines(), many.splitlines(), strict=True) if pair[0] != pair[1]]
    assert [line.partition("=")[0] for line, _ in differ] == ["Description", "ExecStart", "StateDirectory"]
    assert all("%i" in line for _, line in differ)
    for name, text in (("tidegate.service", one), ("tidegate@.service", many)):
        (tmp_path / name).write_text(text.replace("/usr/bin/tidegate", "/usr/bin/true"), "utf-8")
        done = subprocess.run(["systemd-analyze", "verify", tmp_path / name.replace("@", "@n1")], text=True,
                              capture_output=True, check=False)
        assert done.returncode == 0 and not done.stderr, done.stderr


def test_three_nodes_of_a_compose_file(tmp_path):
    """There is no engine here that would start them: it is read, and the gateway takes what each is given."""
    made = yaml.safe_load((COMPOSE / "compose.yaml").read_text("utf-8"))
    nodes = {name: made["services"][name] for name in ("n1", "n2", "n3")}
    servers = dict(re.findall(r"(?m)^    server (\w+) ([\d.]+):8000$", CONF.read_text("ascii")))
    assert {name: node["networks"]["inside"]["ipv4_address"] for name, node in nodes.items()} == servers
    assert [node["volumes"] for node in nodes.values()] == [[f"{name}:/var/lib/tidegate"] for name in nodes]
    assert set(made["volumes"]) == {*nodes, "broker", "database"}
    for name, node in nodes.items():
        assert node["environment"]["TIDEGATE_CLUSTER_NODE"] == name
        env = {key: value.replace("/var/lib/tidegate", str(tmp_path)) for key, value in node["environment"].items()}
        for key in ("TIDEGATE_AUTH_JWT_SECRET_FILE", "TIDEGATE_AUTH_TOKEN_PEPPER_FILE"):
            with open(env[key], "w", opener=lambda path, flags: os.open(path, flags, 0o600), encoding="ascii") as file:
                file.write("a secret of more than 32 bytes, of a test")
        done = subprocess.run([TIDEGATE, "check-config"], env=env, text=True, capture_output=True,
                              check=False)
        assert done.returncode == 0, done.stderr
        assert f"node = {name}" in done.stdout
    for mount in (v for one in made["services"].values() for v in one.get("volumes", []) if v.startswith(".")):
        assert (COMPOSE / mount.split(":")[0]).exists()
    assert (COMPOSE / nodes["n1"]["build"]["context"] / nodes["n1"]["build"]["dockerfile"]).exists()
