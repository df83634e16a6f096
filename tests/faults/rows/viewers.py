"""Viewers that are rude, or gone."""
import contextlib
import socket
import struct

from matrix import again, row
from viewers import RawViewer
from waiting import wait_until

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


@row("event streams that end without a word")
def streams_gone(world):
    for _ in again(world, 3, 20):
        held = [half_sent(world, "GET /api/events?to=vehicle/* HTTP/1.1\r\nHost: x\r\nAuthorization: "
                                 f"Bearer {token(world)}\r\n\r\n") for _ in range(20)]
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
