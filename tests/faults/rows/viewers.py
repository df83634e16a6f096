"""Viewers that are rude, or gone."""
import contextlib
import socket
import struct

from crowd import Crowd
from matrix import again, row
from viewers import RawViewer
from waiting import wait_until
from watching import Follower


def token(world):
    return world.gateway.token("root")


def rude(world, n, path="/api/ws"):
    """Viewers of everything that never read."""
    return [RawViewer(world.gateway, path, token(world), receive_buffer=4096) for _ in range(n)]


@row("some that never read among those that do", rate=200, pad="x" * 500,
     settings={"ws__queue_bytes": "256K", "ws__slow_timeout": "2s"})
def never_reading(world):
    held = rude(world, 10 if world.is_short else 100)
    world.pause(8 if world.is_short else 60)
    for one in held:
        one.close()


@row("connections that end without a word, and their clients come back at once")
def reconnecting(world):
    for _ in again(world, 3, 20):
        held = rude(world, 50 if world.is_short else 500)
        for one in held:
            one.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            one.close()
    world.wait_flow()


def half_sent(world, text):
    with contextlib.suppress(OSError):
        made = socket.create_connection(("127.0.0.1", world.gateway.port), 5)
        made.sendall(text.encode())
        return made
    return None


@row("half-sent requests, and bodies that do not come")
def half_requests(world):
    held = [half_sent(world, text) for _ in range(40 if world.is_short else 200) for text in (
        "GET /api/ws HTTP/1.1\r\nHost: x\r\nX-Long: ",
        "POST /api/token HTTP/1.1\r\nHost: x\r\nContent-Length: 20\r\n\r\n", "G")]
    wait_until(lambda: world.gateway.status("/livez") == 200, "an answer beside them", 20)
    world.pause(3)
    for one in held:
        if one:
            one.close()
    world.wait_flow()


@row("event streams and polls that end without a word")
def streams_gone(world):
    for _ in again(world, 3, 20):
        held = [half_sent(world, f"GET /api/events{path} HTTP/1.1\r\nHost: x\r\nAuthorization: "
                                 f"Bearer {token(world)}\r\n\r\n")
                for _ in range(20) for path in ("?to=vehicle/*", "/poll?to=device/nobody&wait=50")]
        world.pause(0.5)
        for one in held:
            if one:
                one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                one.close()
    wait_until(lambda: world.gateway.metric("tidegate_ws_connections") <= 3, "the places back", 30)
    world.wait_flow()


@row("pings without pongs: who does not answer is dropped", settings={"ws__silence_timeout": "4s",
                                                                      "ws__ping_interval": "1s"})
def no_pongs(world):
    held = rude(world, 10)
    wait_until(lambda: world.gateway.metric("tidegate_ws_connections") <= 2, "only the others to be left", 60)
    for one in held:
        one.close()
    world.wait_flow()


MANY = {"ws__max_connections_per_user": 12000, "ws__user_share": 100, "http__share": 100,
        "http__max_connections": 12000, "ws__max_unauthenticated": 12000}


@row("1,000 viewers of whom 100 never read (200 and 20 in the short form)", rate=20, pad="x" * 300,
     settings={**MANY, "ws__queue_bytes": "64K", "ws__slow_timeout": "3s"})
def thousand(world):
    n = 200 if world.is_short else 1000
    crowd = Crowd(world.gateway, "root")
    world.at_end.append(crowd.close)
    crowd.grow(n - n // 10)
    held = rude(world, n // 10)
    wait_until(lambda: crowd.n_open == n - n // 10, "them to be there", 120)
    world.pause(10 if world.is_short else 60)
    world.complain_if(crowd.n_ended, f"{crowd.n_ended} who read were sent away")
    for one in held:
        one.close()
    crowd.close()
    wait_until(lambda: world.gateway.metric("tidegate_ws_connections") <= 2, "the places back", 60)


@row("10,000 who lose their connections at once, and are back at once (300 in the short form)",
     settings=MANY, rate=100)
def stampede(world):
    n = 300 if world.is_short else 10000  # and as many descriptors in this process
    crowd = Crowd(world.gateway, "root", is_native=True)
    world.at_end.append(crowd.close)
    for _ in again(world, 3, 5):
        crowd.grow(n)
        wait_until(lambda: crowd.n_open == n or crowd.n_refused, "all of them", 240)
        world.complain_if(crowd.n_refused, f"{crowd.n_refused} refused")
        world.wait_flow()
        crowd.reset()
    crowd.close()
    wait_until(lambda: world.gateway.metric("tidegate_ws_connections") <= 2, "the places back", 60)


@row("subscribers of everything that come, go, and ask for all that there is", rate=150)
def subscribers_of_everything(world):
    """They begin with the oldest cursor that there is, so each wants the whole again."""
    held = [Follower(world.gateway, "root", True) for _ in range(4)]
    for one in held:
        world.at_end.append(one.stop)
    for _ in again(world, 6, 60):
        world.pause(world.dice.uniform(0.3, 0.8))
        for one in held:
            one.cursor = world.first_cursor
            one.drop()
    for one in held:
        one.stop()
    world.wait_flow()
