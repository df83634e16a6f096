#!/usr/bin/python3
"""An energy edge device on python3-websockets, as it comes: token in the header, telemetry every
second, and it takes one message a second and no more. After 1000 or 1008 it stays away; refused
with 403 it waits longer."""
import asyncio
import json
import os
import sys

import websockets

ARGS = json.loads(sys.argv[1])
SECOND = ARGS.get("second", 1000) / 1000


def say(event, **data):
    print(json.dumps({"event": event, **data}), flush=True)


async def send_telemetry(socket, state):
    while True:
        state["n"] += 1
        await socket.send(json.dumps({"voltage": 230.5, "current": 4.2, "n": state["n"],
                                      "mode": state["mode"]}))
        say("sent", n=state["n"])
        await asyncio.sleep(SECOND)


async def obey(socket, state):
    while True:
        message = json.loads(await socket.recv())
        if set(message) != {"command_id", "action", "payload"}:
            say("unexpected", message=message)
            continue
        if message["action"] == "SET_MODE":
            state["mode"] = message["payload"]["mode"]
        say("command", command=message)
        await socket.send(json.dumps({"command_id": message["command_id"], "status": "ok"}))
        await asyncio.sleep(SECOND)


async def session(state):
    headers = {"Authorization": f"Bearer {ARGS['token']}"}
    async with websockets.connect(ARGS["url"], extra_headers=headers) as socket:
        say("open", extensions=[type(e).__name__ for e in socket.extensions])
        tasks = [asyncio.ensure_future(f(socket, state)) for f in (send_telemetry, obey)]
        done, rest = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in rest:
            task.cancel()
        for task in done:
            task.result()


async def main():
    state = {"n": 0, "mode": "AUTO"}
    while True:
        delay = 5
        try:
            await session(state)
        except websockets.ConnectionClosed as error:
            code = error.rcvd.code if error.rcvd else 1006
            say("close", code=code)
            if code in (1000, 1008):
                return
        except websockets.InvalidStatusCode as error:
            say("refused", status=error.status_code)
            delay = 30
        except OSError:
            pass
        await asyncio.sleep(delay * SECOND)


def end_with_input(loop):
    if not os.read(0, 1):
        loop.stop()


if __name__ == "__main__":
    LOOP = asyncio.new_event_loop()
    LOOP.add_reader(0, end_with_input, LOOP)
    LOOP.create_task(main())
    LOOP.run_forever()
