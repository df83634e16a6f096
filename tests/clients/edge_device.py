"""An energy edge device on python3-websockets, of Debian (10) or of PyPI (15): token in the header,
telemetry every second, and it takes one message a second and no more. After 1000 or 1008 it stays
away; refused with 403 it waits longer."""
import asyncio
import json

import websockets

from report import ARGS, HEADERS, REFUSED, SECOND, code_of, end_with_input, extensions, keepalive
from report import reason_of, say, status_of


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
    headers = {"Authorization": f"Bearer {ARGS['token']}"} if ARGS.get("token") else {}
    async with websockets.connect(ARGS["url"], **{HEADERS: headers}, **keepalive()) as socket:
        say("open", extensions=extensions(socket), version=websockets.__version__)
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
            say("close", code=code_of(error), reason=reason_of(error))
            if code_of(error) in (1000, 1008):
                break
        except REFUSED as error:
            say("refused", status=status_of(error))
            delay = 30
        except (OSError, asyncio.TimeoutError, websockets.InvalidMessage) as error:
            say("away", why=type(error).__name__)
        await asyncio.sleep(delay * SECOND)
    say("stays away")
    await asyncio.Event().wait()


if __name__ == "__main__":
    end_with_input()
    asyncio.run(main())
