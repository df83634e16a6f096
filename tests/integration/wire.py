"""A network between clients and a server that can be dropped: nobody is told, nothing arrives."""
import contextlib
import socket
import threading

from faultproxy import Pipe, each_client
from servers import free_port


class _Connection(Pipe):
    def __init__(self, wire, client):
        server = None if wire.is_down else socket.create_connection(("127.0.0.1", wire.target))
        super().__init__(wire, client, server)
        self.is_lost = wire.is_down
        if server:
            self.start()

    def _forward(self, direction, sink, data):
        if not self.is_lost:
            sink.sendall(data)
        return b""

    def cut(self):
        if not self.is_lost:
            super().cut()

    def close(self):
        self.is_cut = True
        for end in (self.client, self.server):
            if end:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
                    end.close()


class Wire:
    """Listens on `port` for a server on @target. While it is down whatever goes over it is lost, and
    connections of that time and of before are never heard of again: the road that they took is gone."""

    deaf_to = None
    delay_s = 0

    def __init__(self, target):
        self.target = target
        self.port = free_port()
        self.is_down = False
        self.connections = []
        self._listener = socket.create_server(("127.0.0.1", self.port), backlog=64)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        for client in each_client(self._listener):
            try:
                self.connections.append(_Connection(self, client))
            except OSError:  # the server is away, and so is this
                client.close()

    def drop(self):
        self.is_down = True
        for one in list(self.connections):
            one.is_lost = True

    def mend(self, tell=False):
        """@tell: whoever still uses the old road is told that it ends here, as by a router that was
        switched on again."""
        self.is_down = False
        for one in [c for c in self.connections if c.is_lost and tell]:
            one.close()

    def close(self):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for one in self.connections:
            one.close()
