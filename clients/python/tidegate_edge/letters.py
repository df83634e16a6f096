"""What nobody takes: it is put down in a file beside the buffer, so that what comes behind it gets through."""
import base64
import json
import logging
import os

LOG = logging.getLogger("tidegate_edge")


class Letters:
    """A JSON object a line, the newest last. Half of @limit_bytes is in @path, what was before in @path.1: older ones are
    forgotten."""

    def __init__(self, path, limit_bytes=1 << 20):
        self.path = path
        self.limit_bytes = limit_bytes
        self.n = 0  # since the start

    def add(self, when, message, reason):
        """False: it could not be written."""
        try:
            payload = {"payload": message.payload.decode()}
        except UnicodeDecodeError:
            payload = {"payload_base64": base64.b64encode(message.payload).decode()}
        line = json.dumps({"at": when, "topic": message.topic, "reason": reason, **payload}) + "\n"
        try:
            self._make_room(len(line))
            file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                with open(file, "a", encoding="ascii", closefd=False) as out:
                    out.write(line)
                os.fsync(file)
            finally:
                os.close(file)
        except OSError as error:
            LOG.error("%s cannot be written (%s): what is refused is tried again", self.path, error)
            return False
        self.n += 1
        return True

    def _make_room(self, n_bytes):
        if os.path.exists(self.path) and os.path.getsize(self.path) + n_bytes > self.limit_bytes // 2:
            os.replace(self.path, f"{self.path}.1")


class Suspicion:
    """Which message ends connections. When one ends with several on their way, each is sent alone from then on, until one
    arrives; when it ends @most times in a row with the same one alone on its way, that one is refused. 0: never."""

    def __init__(self, most):
        self.most = most
        self.is_wary = False
        self.n = 0  # ends in a row that @one had a part in
        self._one = None

    def arrived(self):
        self.is_wary = False
        self.n = 0
        self._one = None

    def ended(self, ids):
        """The other side has ended the connection with @ids on their way. The id of what is refused, or None."""
        if not ids or not self.most:
            return None
        self.is_wary = True
        if len(ids) > 1:
            return None
        self.n = self.n + 1 if self._one == ids[0] else 1
        self._one = ids[0]
        return self._one if self.n >= self.most else None
