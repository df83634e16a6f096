"""The road between an edge and a central gateway: TCP that is cut, shut, slow, or deaf in one direction."""
import contextlib
import random
import socket
import threading

from faultproxy import TO_SERVER, Pipe, each_client


class RoadPipe(Pipe):
    left = None  # bytes, until it breaks

    def _forward(self, direction, sink, data):
        left = self.left
        if left is not None:
            self.left = max(0, left - len(data))
        with contextlib.suppress(OSError):
            sink.sendall(data if left is None else data[:left])
            if self.left != 0:
                return b""
        self.cut()
        return b""


class LinkRoad:
    """Forwards what connects to self.port to @target."""

    def __init__(self, target, tls=None):
        """@tls: a context, of what stands before a gateway and ends TLS for it."""
        self.target, self.tls = target, tls
        self.deaf_to = None
        self.delay_s = 0
        self.is_shut = False
        self.n_links = 0
        self.life = lambda: None
        self.pipes = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        for client in each_client(self.listener):
            server = None
            if not self.is_shut:
                with contextlib.suppress(OSError):
                    server = socket.create_connection(("127.0.0.1", self.target), 5)
            if not server:
                client.close()
                continue
            if self.tls:
                try:
                    client = self.tls.wrap_socket(client, server_side=True)
                except OSError:  # who connects does not trust us
                    server.close()
                    continue
            self.n_links += 1
            self.pipes = [pipe for pipe in self.pipes if not pipe.is_cut]
            self.pipes.append(RoadPipe(self, client, server))
            self.pipes[-1].left = self.life()
            self.pipes[-1].start()

    def cut(self):
        for pipe in self.pipes:
            pipe.cut()

    def shut(self):
        """Nobody gets through until open()."""
        self.is_shut = True
        self.cut()

    def open(self):
        self.is_shut = False

    def lossy(self, part=0.05, seed=1):
        """What a lost packet costs TCP: its time-out, of each so many pieces one."""
        dice = random.Random(seed)
        self.delay_s = lambda: 0.2 if dice.random() < part else 0.001

    def breaks(self, least, most, seed=1):
        """Each new connection, within so many bytes of both directions."""
        dice = random.Random(seed)
        self.life = lambda: dice.randrange(least, most)

    def close(self):
        self.listener.close()
        self.cut()


__all__ = ["LinkRoad", "TO_SERVER"]
