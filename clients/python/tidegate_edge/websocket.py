"""By WebSocket, with python3-websockets 10 to 15."""
import asyncio
import inspect
import logging
import sqlite3
import ssl

import websockets

LOG = logging.getLogger("tidegate_edge")

_ANSWER_S = 20
_STAY_AWAY = (1008,)  # a newer connection of this device, or what we send is not taken
_NOT_TAKEN = (1003, 1007, 1008, 1009)  # that is what a message may be to blame for
_REPLACED = "replaced"  # but for this
_REFUSED_WAITS = 4  # a token that is not taken now may be in a while: as after so many failures


def _headers():
    """What websockets calls the headers: it was renamed in 14."""
    connect = inspect.signature(websockets.connect.__init__ if inspect.isclass(websockets.connect) else websockets.connect)
    return "additional_headers" if "additional_headers" in connect.parameters else "extra_headers"


class WebSocket:
    """The device's socket (dialect B): each frame is telemetry, or the answer to a command. The gateway answers a PING
    only when it has in its journal what came before it: that is how we know what has arrived."""

    def __init__(self, edge):
        self.edge = edge
        self._loop = None
        self._due = None
        self._sent = []  # what is on its way

    def takes(self, kind):
        return kind == "telemetry"

    def wake(self):
        if self._loop:
            try:
                self._loop.call_soon_threadsafe(self._due.set)
            except RuntimeError:
                pass  # it has just ended

    def stop(self):
        self.wake()

    def run(self):
        asyncio.run(self._run())

    async def _run(self):
        self._due = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        while not self.edge.is_over:
            try:
                await self._session()
            except (OSError, ValueError, asyncio.TimeoutError, sqlite3.Error, websockets.WebSocketException) as error:
                LOG.warning("the gateway cannot be reached, or the buffer not read: %s", error or type(error).__name__)
                self._heed(error)
            self.edge.is_connected = False
            self.edge.buffer.give_back()
            if not await self._loop.run_in_executor(None, self.edge.wait):
                break

    def _heed(self, error):
        rcvd = getattr(error, "rcvd", None)
        code = getattr(rcvd, "code", None)
        response = getattr(error, "response", None)
        status = getattr(error, "status_code", None) or getattr(response, "status_code", None)
        if code in _STAY_AWAY or status in (401, 403):
            self.edge.backoff.n_failed = max(self.edge.backoff.n_failed, _REFUSED_WAITS)
        if code in _NOT_TAKEN and not rcvd.reason.startswith(_REPLACED):
            self.edge.ended(self._sent, f"{code} {rcvd.reason}".strip())

    async def _session(self):
        self._sent = []
        token = self.edge.token
        how = {_headers(): {"Authorization": f"Bearer {token}"}} if token else {}
        if self.edge.url.scheme == "wss" and self.edge.ca:
            how["ssl"] = ssl.create_default_context(cafile=self.edge.ca)
        address = self.edge.url.geturl().rstrip("/") + f"/ws/device/{self.edge.device}"
        async with websockets.connect(address, **how) as socket:
            self.edge.backoff.worked()
            self.edge.is_connected = True
            tasks = [asyncio.ensure_future(run(socket)) for run in (self._send, self._hear)]
            try:
                done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def _hear(self, socket):
        async for text in socket:
            self.edge.ordered(text)

    async def _send(self, socket):
        while not self.edge.is_over:
            messages = self._sent = self.edge.buffer.take(max(1, min(self.edge.window, int(self.edge.rate))))
            if not messages:
                await self._due.wait()
                self._due.clear()
                continue
            pause = self._loop.create_task(asyncio.sleep(len(messages) / self.edge.rate))
            for message in messages:
                await socket.send(message.payload.decode())
            answered = await socket.ping()
            await asyncio.wait_for(answered, _ANSWER_S)
            self._sent = []
            self.edge.arrived([message.id for message in messages])
            await pause
