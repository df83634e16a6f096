"""What report.mjs is for Node: arguments (one JSON object), how long one of a client's seconds lasts,
telling the test what happens, one JSON object a line, and ending with the standard input."""
import json
import os
import sys
import threading

import websockets

ARGS = json.loads(sys.argv[1])
SECOND = ARGS.get("second", 1000) / 1000
IS_NEW = int(websockets.__version__.split(".")[0]) >= 14
HEADERS = "additional_headers" if IS_NEW else "extra_headers"
REFUSED = websockets.InvalidStatus if IS_NEW else websockets.InvalidStatusCode


def say(event, **data):
    sys.stdout.write(json.dumps({"event": event, **data}) + "\n")  # in one piece: threads say things
    sys.stdout.flush()


def status_of(refused):
    return refused.response.status_code if IS_NEW else refused.status_code


def code_of(closed):
    return closed.rcvd.code if closed.rcvd else 1006


def reason_of(closed):
    return closed.rcvd.reason if closed.rcvd else ""


def keepalive():
    """How long a silent peer is believed in, in its seconds: the library's own 20 and 20."""
    return {"ping_interval": 20 * SECOND, "ping_timeout": ARGS.get("patience", 20) * SECOND,
            "open_timeout": max(10 * SECOND, 5), "close_timeout": 10 * SECOND}


def extensions(socket):
    return [type(e).__name__ for e in (socket.protocol if IS_NEW else socket).extensions]


def _wait_for_end():
    while os.read(0, 4096):
        pass
    os._exit(0)


def end_with_input():
    threading.Thread(target=_wait_for_end, daemon=True).start()


def commands():
    """What the test tells, an object a line, until it ends."""
    for line in sys.stdin:
        yield json.loads(line)
