"""Faults of the links, on which nobody is told of anything."""
import socket

from faultproxy import TO_SERVER
from matrix import again, row
from waiting import wait_until


@row("partition from the broker for seconds", settings={"mqtt__keep_alive": "5s"})
def no_broker(world):
    for _ in again(world, 1, 5):
        world.mqtt.freeze()
        world.pause(6 if world.is_short else 20)
        world.mqtt.thaw()
        world.wait_flow()


@row("the link to the broker is half-open for good: the gateway makes another",
     settings={"mqtt__keep_alive": "5s"})
def half_open_broker(world):
    for _ in again(world, 1, 5):
        before = list(world.mqtt.links)
        world.mqtt.freeze()
        world.mqtt.is_partitioned = False  # new links are well
        wait_until(lambda known=before: any(link not in known for link in world.mqtt.links), "a new link", 60)
        world.wait_flow(50)


@row("partition from the database for seconds")
def no_database(world):
    for _ in again(world, 1, 5):
        world.proxy.freeze()
        world.pause(6 if world.is_short else 20)
        world.proxy.thaw()
        world.wait_flow()


@row("the link to the database is half-open for good: the gateway makes another",
     settings={"database__timeout": "5s"})
def half_open_database(world):
    for _ in again(world, 1, 5):
        world.proxy.freeze()
        world.proxy.is_partitioned = False
        world.wait_flow(50)


@row("200 ms to the broker and to the database", rate=100)
def slow(world):
    world.mqtt.delay_s = world.proxy.delay_s = 0.2
    world.pause(5 if world.is_short else 60)
    world.mqtt.cut()
    world.proxy.cut()
    world.wait_flow(50)
    world.mqtt.delay_s = world.proxy.delay_s = 0.0


@row("5 % loss to the broker and to the database: what is lost comes again after 200 ms or more", rate=100)
def lossy(world):
    """As TCP shows a loss: the piece, and all behind it, waits for a time-out that doubles."""
    def wait():
        late = 0.0
        while world.dice.random() < 0.05:
            late = 2 * late + 0.2
        return late
    world.mqtt.delay_s = world.proxy.delay_s = wait
    world.pause(8 if world.is_short else 120)
    world.mqtt.delay_s = world.proxy.delay_s = 0.0
    world.wait_flow(50)


@row("the broker takes nothing in for seconds: a window of zero", rate=600)
def zero_window(world):
    for _ in again(world, 1, 5):
        for link in world.mqtt.links:
            link.client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        world.mqtt.deaf_to = TO_SERVER
        world.pause(8 if world.is_short else 25)
        world.mqtt.deaf_to = None
        world.wait_flow()
