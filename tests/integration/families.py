"""The name both.test, which has an IPv4 and an IPv6 address, and doors that listen at one of them."""
import contextlib
import socket
import subprocess
import threading

from servers import ROOT

FAMILIES = {"IPv4": (socket.AF_INET, "127.0.0.1"), "IPv6": (socket.AF_INET6, "::1")}


class Door:
    """Listens by one family, and leads to a port of 127.0.0.1."""

    def __init__(self, family, target, port=0):
        kind, host = FAMILIES[family]
        self.target = target
        self.listener = socket.create_server((host, port), family=kind)
        self.port = self.listener.getsockname()[1]
        self.ends = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                server = socket.create_connection(("127.0.0.1", self.target))
                self.ends += [client, server]
                for pair in ((client, server), (server, client)):
                    threading.Thread(target=self._pass_on, args=pair, daemon=True).start()

    @staticmethod
    def _pass_on(source, sink):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for end in self.ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


def build_names(folder):
    """A library to be preloaded, which knows the name."""
    library = folder / "two_families.so"
    subprocess.run(["gcc", "-D_GNU_SOURCE", "-shared", "-fPIC", "-o", str(library),
                    str(ROOT / "tests/integration/two_families.c"), "-ldl"], check=True)
    return library
