"""A program that reads the live data of vehicles by python3-websockets, of Debian (10) or of PyPI (15):
signs in at /api/token, has the token in a header, comes back after any close but 1000, and signs in
again when its token is no good any more."""
import asyncio
import json
import urllib.error
import urllib.parse
import urllib.request

import websockets

from report import ARGS, HEADERS, REFUSED, SECOND, code_of, end_with_input, keepalive, say, status_of

state = {"token": ARGS.get("token")}


def sign_in():
    form = urllib.parse.urlencode({"username": ARGS["username"], "password": ARGS["password"]})
    with urllib.request.urlopen(ARGS["base"] + "/api/token", form.encode(), timeout=10) as answer:
        state["token"] = json.load(answer)["access_token"]
    say("signed in")


async def session():
    if not state["token"]:
        await asyncio.get_running_loop().run_in_executor(None, sign_in)
    headers = {"Authorization": f"Bearer {state['token']}"}
    async with websockets.connect(ARGS["url"], **{HEADERS: headers}, **keepalive()) as socket:
        say("open", version=websockets.__version__)
        async for text in socket:
            message = json.loads(text)
            say(message["type"], data=message.get("data"), at=message.get("timestamp"))
        raise websockets.ConnectionClosedOK(None, None)


async def main():
    while True:
        try:
            await session()
        except websockets.ConnectionClosed as error:
            say("close", code=code_of(error))
            if code_of(error) == 1000:
                break
        except REFUSED as error:
            say("refused", status=status_of(error))
            if status_of(error) in (401, 403):
                state["token"] = None
        except (OSError, asyncio.TimeoutError, websockets.InvalidMessage) as error:
            say("away", why=type(error).__name__)
        await asyncio.sleep(SECOND)
    await asyncio.Event().wait()


if __name__ == "__main__":
    end_with_input()
    asyncio.run(main())
