"""Promise: what changes an origin system, on a path that is ours as well, is told where it is done here."""
import pytest
import requests

from waiting import PATIENCE


@pytest.mark.parametrize("method, path, status, page", [
    ("POST", "/api/devices", 405, "device-hub"), ("POST", "/api/devices/", 405, "device-hub"),
    ("PUT", "/api/devices/dev-1", 405, "device-hub"), ("PATCH", "/api/devices/dev-1", 405, "device-hub"),
    ("DELETE", "/api/devices/dev-1", 405, "device-hub"), ("POST", "/api/devices/dev-1/regenerate-key", 404, "device-hub"),
    ("GET", "/api/groups", 404, "device-hub"), ("POST", "/api/groups/1/devices", 404, "device-hub"),
    ("POST", "/api/auth/register", 404, "device-hub"), ("GET", "/api/auth/me", 404, "device-hub"),
    ("POST", "/api/vehicles", 405, "vehicles"), ("PUT", "/api/vehicles/USV-1", 405, "vehicles"),
    ("DELETE", "/api/vehicles/1", 405, "vehicles")])
def test_administration_is_elsewhere(shared_gateway, method, path, status, page):
    for body in (None, {"name": "x"}):
        answer = requests.request(method, shared_gateway.url + path, json=body, timeout=PATIENCE,
                                  headers={"Authorization": f"Bearer {shared_gateway.token('root')}"})
        assert answer.status_code == status, f"{method} {path}: {answer.text}"
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert f"docs/migrate/{page}.md" in answer.json()["detail"]
        assert answer.json()["code"] == "administration"
    assert shared_gateway.get("/api/devices", "root").status_code == 200
    answer = shared_gateway.get("/api/devices/dev-1/commands", "root")  # who reads administers nothing
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
    assert shared_gateway.get("/api/devices/nobody", "root").json()["code"] == "not_found"
