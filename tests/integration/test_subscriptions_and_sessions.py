"""Promise: whatever the broker has forgotten, kept, or does not speak, what is published reaches us:
every filter is subscribed at every connect, and the session outlives the journal."""
import re
import shutil
import signal

import pytest

from waiting import wait_until


def source_id(scripted_broker):
    return scripted_broker.wait_for("SUBSCRIBE").link.client_id


def reconnect(scripted_broker, client_id):
    n = len(scripted_broker.seen("CONNECT", client_id=client_id))
    scripted_broker.link(client_id).close()
    return scripted_broker.wait_for("CONNECT", n + 1, client_id=client_id).link


def filters_of(scripted_broker, link):
    return sorted(text for packet in scripted_broker.seen("SUBSCRIBE", link=link)
                  for text in packet.filters)


@pytest.mark.parametrize("version", ["3.1.1", "5"])
def test_a_session_that_has_forgotten_its_subscriptions_gets_them_again(
        make_gateway, scripted_broker, version):
    gateway = make_gateway(broker=scripted_broker, mqtt__version=version, mqtt__canary="0")
    gateway.start()
    client_id = source_id(scripted_broker)
    wanted = filters_of(scripted_broker, scripted_broker.link(client_id))
    assert "devices/+/status" in wanted

    link = reconnect(scripted_broker, client_id)  # "session present"
    wait_until(lambda: filters_of(scripted_broker, link) == wanted, "the same filters again")

    gateway.terminate()
    gateway.start()
    link = scripted_broker.link(client_id)
    wait_until(lambda: filters_of(scripted_broker, link) == wanted, "them after a restart")
    if version == "5":  # what is retained is not sent again where the subscription is there
        assert all(packet.retain_handling == [1] for packet in scripted_broker.seen("SUBSCRIBE"))


def test_a_route_that_went_while_we_were_away_is_unsubscribed(make_gateway, scripted_broker):
    gateway = make_gateway(broker=scripted_broker)
    gateway.routes = "[route extra]\ntopic = lab/{device}/status\nkind = device_status\n"
    gateway.write_conf()
    gateway.start()
    gateway.terminate()
    gateway.routes = ""
    gateway.write_conf()
    gateway.start()
    assert scripted_broker.wait_for("UNSUBSCRIBE").filters == ["lab/+/status"]
    for name in ("subscriptions", "client-id"):
        assert (gateway.folder / "journal" / name).stat().st_mode & 0o077 == 0


def test_a_broker_that_never_answers_to_unsubscribing_is_used_all_the_same(
        make_gateway, scripted_broker):
    gateway = make_gateway(broker=scripted_broker, mqtt__connect_timeout="1s")
    scripted_broker.on_unsubscribe = lambda link, packet: None
    gateway.routes = "[route extra]\ntopic = lab/{device}/status\nkind = device_status\n"
    gateway.write_conf()
    gateway.start()
    gateway.terminate()
    gateway.routes = ""
    gateway.write_conf()
    gateway.start()  # ready
    wait_until(lambda: "mqtt_unsubscribe_unanswered" in gateway.log(), "it to give up", 60)
    assert len(scripted_broker.seen("UNSUBSCRIBE")) == 3
    gateway.wait_ready()


def test_who_answers_to_unsubscribing_in_the_end_is_asked_the_next_time(make_gateway, scripted_broker):
    """Connections that ended meanwhile are not counted against it for ever."""
    gateway = make_gateway(broker=scripted_broker)
    routes = {name: f"[route {name}]\ntopic = {name}/{{device}}/status\nkind = device_status\n"
              for name in ("lab", "shop")}
    gateway.routes = "".join(routes.values())
    gateway.write_conf()
    gateway.start()
    n = {"hangups": 0}

    def on_unsubscribe(link, packet):
        n["hangups"] -= 1
        if n["hangups"] >= 0:
            link.close()
        else:
            link.unsuback(packet.packet_id)

    scripted_broker.on_unsubscribe = on_unsubscribe
    for left in (routes["shop"], ""):
        n["hangups"] = 2
        gateway.routes = left
        gateway.write_conf()
        gateway.process.send_signal(signal.SIGHUP)
        wait_until(lambda: n["hangups"] == -1, "it to be unsubscribed")
    assert "mqtt_unsubscribe_unanswered" not in gateway.log()


def old_broker(link, packet):
    """Speaks 3.1.1 and nothing newer, and says so in its own words."""
    link.version = min(link.version, 4)
    link.connack(code=1 if packet.body[6] > 4 else 0)


def mute_broker(link, packet):
    """Likewise, but it just hangs up."""
    if packet.body[6] > 4:
        link.close()
    else:
        link.connack()


def new_broker(link, packet):
    link.connack(code=0x84 if packet.body[6] == 5 else 0)


@pytest.mark.parametrize("answer", [old_broker, mute_broker, new_broker])
def test_an_old_broker_is_spoken_to_in_its_own_version(make_gateway, scripted_broker, answer):
    scripted_broker.on_connect = answer
    gateway = make_gateway(broker=scripted_broker)
    gateway.start()
    link = scripted_broker.link(source_id(scripted_broker))
    assert link.version == 4
    gateway.add_user("ana")
    gateway.add_device("dev-1", "ana")
    link.publish("devices/dev-1/status", '{"status":"online"}')
    gateway.database.wait_for("SELECT count(*) FROM device_status_logs", 1)
    assert "version=4" in gateway.log()


def test_brokers_are_tried_in_turn(make_gateway, scripted_broker, broker):
    dead = "mqtt://127.0.0.1:1"
    gateway = make_gateway(mqtt__url=f"{dead}, mqtt://127.0.0.1:{broker.port},"
                                     f"mqtt://127.0.0.1:{scripted_broker.port}")
    gateway.start()
    assert f"mqtt_not_connected url={dead} failed" in gateway.log()
    assert f"mqtt_connected url=mqtt://127.0.0.1:{broker.port} " in gateway.log()

    broker.stop()
    source_id(scripted_broker)
    gateway.wait_ready()
    assert f"mqtt_connected url=mqtt://127.0.0.1:{scripted_broker.port} " in gateway.log()


def test_what_is_no_list_of_brokers_is_refused(make_gateway):
    gateway = make_gateway(mqtt__url="mqtt://a, http://b")
    done = gateway.cli("check-config", check=False)
    assert done.returncode == 2
    assert "mqtt.url" in done.stderr


@pytest.mark.parametrize("version", ["3.1.1", "5"])
def test_the_session_outlives_an_emptied_journal(make_gateway, broker, version):
    gateway = make_gateway(mqtt__version=version)
    gateway.add_user("ana")
    gateway.add_device("dev-1", "ana")
    gateway.start()
    gateway.terminate()
    for i in range(5):
        broker.publish("devices/dev-1/status", '{"status":"online","temperature":%d}' % i)
    shutil.rmtree(gateway.folder / "journal")
    gateway.start()
    gateway.database.wait_for("SELECT count(*) FROM device_status_logs", 5)
    assert "session=resumed" in gateway.log()


def test_the_session_goes_to_a_new_place_with_its_note(make_gateway, broker, database):
    """As the operator's document says for another machine, or another `journal.dir`."""
    gateway = make_gateway()
    gateway.add_user("ana")
    gateway.add_device("dev-1", "ana")
    gateway.start()
    gateway.terminate()
    for i in range(5):
        broker.publish("devices/dev-1/status", '{"status":"online","temperature":%d}' % i)
    moved = gateway.folder / "elsewhere"
    shutil.copy(gateway.folder / "journal.client-id", f"{moved}.client-id")
    shutil.rmtree(gateway.folder / "journal")  # the machine is gone
    gateway.write_conf(journal__dir=str(moved))
    gateway.start()
    database.wait_for("SELECT count(*) FROM device_status_logs", 5)
    assert "session=resumed" in gateway.log()


def test_an_older_journal_keeps_the_name_of_its_session(make_gateway, scripted_broker):
    gateway = make_gateway(broker=scripted_broker)
    gateway.start()
    client_id = source_id(scripted_broker)
    gateway.terminate()
    (gateway.folder / "journal" / "client-id").unlink()  # as they were before these notes
    (gateway.folder / "journal.client-id").unlink()
    gateway.start()
    assert source_id(scripted_broker) == client_id
    assert client_id in (gateway.folder / "journal.client-id").read_text("ascii")


@pytest.mark.parametrize("version", ["3.1.1", "5"])
def test_overlapping_routes_store_a_message_once(make_gateway, broker, version):
    gateway = make_gateway(mqtt__version=version)
    gateway.add_user("ana")
    gateway.add_device("dev-1", "ana")
    gateway.routes = ("[route site]\ntopic = site/{device}/tele\nkind = telemetry\n"
                      "[route any]\ntopic = {user}/{device}/tele\nkind = telemetry\n"
                      # over a built-in one
                      "[route one]\ntopic = {user}/{device}/telemetry\nkind = telemetry\n")
    gateway.write_conf()
    done = gateway.cli("check-config")
    assert "warning: route site (site/{device}/tele) and route any" in done.stderr
    gateway.start()
    for i in range(5):
        broker.publish("site/dev-1/tele", '{"n":%d}' % i)
        broker.publish("ana/dev-1/tele", '{"n":%d}' % i)
        broker.publish("ems/dev-1/telemetry", '{"n":%d}' % i)
    gateway.database.wait_for("SELECT count(DISTINCT seq) FROM telemetry", 15)
    broker.publish("ana/dev-1/tele", '{"last":true}')
    gateway.database.wait_for("SELECT count(*) FROM telemetry WHERE payload::text LIKE '%last%'", 1)
    assert gateway.database.value("SELECT count(*) FROM telemetry") == 16


@pytest.mark.parametrize("version", ["3.1.1", "5"])
def test_routes_that_only_meet_store_a_message_once(make_gateway, broker, database, version):
    """Neither takes all of the other's; what two devices sent, or one twice, stays two."""
    gateway = make_gateway(mqtt__version=version)
    gateway.add_user("lab")
    gateway.add_device("dev-1", "lab")
    gateway.add_device("gw", "lab")
    gateway.routes = ("[route site]\ntopic = site/{user}/{device}\nkind = telemetry\n"
                      "[route lab]\ntopic = {user}/lab/{device}\nkind = telemetry\n"
                      # with a built-in one
                      "[route gw]\ntopic = {device}/gw/alert\nkind = alert\n")
    gateway.write_conf()
    warnings = gateway.cli("check-config").stderr
    assert re.search(r"tidegate.conf:\d+: warning: route site .* and route lab .* \+/\+/\+ is "
                     "subscribed", warnings), warnings
    gateway.start()
    for qos in 0, 0, 1, 1, 1:
        broker.publish("site/lab/dev-1", '{"n":1}', qos=qos)
        broker.publish("lab/lab/dev-1", '{"n":1}', qos=qos)
        broker.publish("devices/gw/alert", '{"severity":"info","message":"m"}', qos=qos)
        broker.publish("what/no/route takes", "{}", qos=qos)
    wait_until(lambda: gateway.metric("tidegate_mqtt_unwanted_total") == 5, "the unwanted")
    gateway.terminate()
    for _ in range(2):  # and what the session kept
        broker.publish("site/lab/dev-1", '{"n":1}')
        broker.publish("what/no/route takes", "{}")
    gateway.start()
    broker.publish("lab/lab/dev-1", '{"last":true}')
    database.wait_for("SELECT count(*) FROM telemetry WHERE payload::text LIKE '%last%'", 1)
    wait_until(lambda: gateway.metric("tidegate_in_journal") == 0, "all to be stored")
    assert database.value("SELECT count(*) FROM telemetry") == 13
    assert database.value("SELECT count(*) FROM alerts") == 5
    assert database.rows("SELECT topic, reason FROM dead_letters") == []


def test_a_narrow_filter_stands_in_for_a_wide_one_that_is_refused(make_gateway, scripted_broker):
    scripted_broker.on_subscribe = lambda link, packet: link.suback(
        packet.packet_id, [0x80 if packet.filters == ["+/+/tele"] else 1])
    gateway = make_gateway(broker=scripted_broker)
    gateway.routes = ("[route site]\ntopic = site/{device}/tele\nkind = telemetry\n"
                      "[route any]\ntopic = {user}/{device}/tele\nkind = telemetry\n")
    gateway.write_conf()
    gateway.start()
    assert "site/+/tele" in scripted_broker.filters(source_id(scripted_broker))
