"""Promise: a few bytes of JSON are not made into hundreds of megabytes, nor into a long turn of the loop, at any door."""
import json
import pathlib
import re

import pytest
import requests

from waiting import PATIENCE

HEAPS = {"objects": b"{}", "arrays": b"[]", "numbers": b"1"}  # some 300,000 of them in a MiB


def heap(each):
    before, behind = b'{"a":[', each + b"]}"
    return before + (each + b",") * (((1 << 20) - len(before) - len(behind)) // (len(each) + 1)) + behind


def doors(gateway):
    """Who is told what where a body is no JSON object."""
    ana, root, device = gateway.token("ana"), gateway.token("root"), gateway.ids["dev-1 token"]
    return [("POST", "/auth/login", None, 422), ("POST", "/api/devices/dev-1/commands", ana, 422),
            ("POST", "/api/v1/detections/bulk", device, 422), ("POST", "/api/manage/users", root, 400),
            ("PUT", "/api/devices/dev-1/owner", root, 422), ("PUT", "/api/v1/settings/thresholds", root, 422),
            ("POST", "/api/routes/try", root, 400)]


def most_memory(gateway):
    """The most that it ever had, in bytes."""
    status = pathlib.Path(f"/proc/{gateway.pid}/status").read_text("ascii")
    return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) * 1024


@pytest.mark.parametrize("what", HEAPS)
def test_no_body_is_made_into_a_heap(shared_gateway, what):
    gateway, body = shared_gateway, heap(HEAPS[what])
    before = most_memory(gateway)
    for method, path, token, status in doors(gateway):
        headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
        answer = requests.request(method, gateway.url + path, data=body, headers=headers, timeout=PATIENCE)
        assert answer.status_code == status, f"{path}: {answer.text}"
    assert most_memory(gateway) - before < 100 << 20


def test_what_is_large_and_light_is_taken(shared_gateway):
    """As much as a command or a batch of detections may be."""
    gateway = shared_gateway
    payload = {"text": "{[," * 200000, "list": list(range(50000))}
    answer = gateway.post("/api/devices/dev-1/commands", json={"action": "X", "payload": payload},
                          headers={"Authorization": f"Bearer {gateway.token('ana')}"})
    assert answer.status_code == 202, answer.text
    items = [{"device_hash": f"{n:064x}", "rssi": -50, "zone": "near"} for n in range(2000)]
    answer = gateway.post("/api/v1/detections/bulk", data=json.dumps({"device_id": "dev-1", "detections": items}), headers={
        "Content-Type": "application/json", "Authorization": f"Bearer {gateway.ids['dev-1 token']}"})
    assert answer.status_code == 200, answer.text
