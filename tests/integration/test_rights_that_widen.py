"""Who may see more sees it at once, on what is open already, also when the news was lost with the link."""
import json

import pytest

from identities import native
from servers import SLOW
from waiting import PATIENCE

GIVE = {
    "handed over": "UPDATE devices SET user_id = {ben} WHERE code = 'dev-1'",
    "shared": "INSERT INTO shares (user_id, device_id) VALUES ({ben}, {dev})",
    "put into a group": "INSERT INTO device_groups (device_id, group_id) VALUES ({dev}, 1)",
    "made admin": "UPDATE users SET role = 'admin' WHERE id = {ben}",
}
LOSE_LINK = ("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
             " WHERE application_name = 'tidegate/registry'")


@pytest.mark.parametrize("link", ["there", "made again"])
@pytest.mark.parametrize("how", GIVE)
def test_what_one_may_see_now_is_seen(gateway, broker, database, how, link):
    ids = {"ben": gateway.ids["ben"], "dev": gateway.ids["dev-1"]}
    database.rows("INSERT INTO groups (name) VALUES ('Floor 1')")
    database.rows("INSERT INTO shares (user_id, group_id) VALUES (%s, 1)", ids["ben"])
    ben = native(gateway, gateway.token("ben"))
    ben.send({"op": "subscribe", "id": 1, "to": ["user"]})
    ben.wait_for(lambda frames: any('"id":1' in f for f in frames), "the subscription")
    broker.publish("ems/dev-1/telemetry", '{"n":"before"}')
    broker.publish("ems/dev-2/telemetry", '{"n":"own"}')
    assert ben.next_of("telemetry")["data"] == {"n": "own"}

    # One statement: the news is sent to a session that is not there any more.
    if link == "made again":
        database.rows(LOSE_LINK)
    database.rows(GIVE[how].format(**ids))
    for n in range(1000):  # it takes a moment; each try is a new message
        broker.publish("ems/dev-1/telemetry", json.dumps({"n": n}))
        broker.publish("ems/dev-2/telemetry", '{"n":"own"}')
        frame = ben.next_of("telemetry", timeout=PATIENCE * SLOW)
        if frame["data"] != {"n": "own"}:
            break
    assert frame["device_id"] == ids["dev"]
