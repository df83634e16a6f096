"""A device's queue of commands: nobody fills it for others."""
from commanding import command, post
from conftest import populate
from waiting import wait_until


def share(gateway, database, device="dev-1", user="ben"):
    """@user may command @device, and the gateway knows it."""
    database.rows("INSERT INTO shares (user_id, device_id) VALUES (%s, %s)", gateway.ids[user],
                  gateway.ids[device])
    wait_until(lambda: gateway.get(f"/api/devices/{device}", user).status_code == 200,
               f"{user} to see {device}")


def test_whom_it_is_shared_with_fills_his_part_of_a_queue_alone(make_gateway, database):
    gateway = make_gateway(commands__max_pending_per_device=8, commands__timeout="10m")
    populate(gateway)
    gateway.ids["eve"] = gateway.add_user("eve")
    gateway.start()
    for user in ("ben", "eve"):
        share(gateway, database, user=user)
    command(gateway, "ben")
    command(gateway, "ben", idempotency_key="k")
    refused = post(gateway, "ben", "dev-1", {"action": "A"})
    assert refused.status_code == 429 and "Retry-After" in refused.headers
    assert refused.headers["Content-Type"] == "application/problem+json"
    assert refused.json()["code"] == "too_many_commands" and "your" in refused.json()["detail"]
    assert post(gateway, "ben", "dev-1", {"action": "SET_MODE", "idempotency_key": "k"}
                ).status_code == 200, "the same again is no further one"
    for user in ("eve", "eve", "ana", "ana"):
        command(gateway, user)
    assert gateway.metric("tidegate_commands_share_refused_total") == 1

    command(gateway, "ben", "dev-2")  # his own is another queue
    for user in ("ana", "root"):  # the reserve is theirs
        command(gateway, user)
    assert post(gateway, "root", "dev-1", {"action": "A"}).status_code == 429
