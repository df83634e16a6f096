"""TLS before a broker that speaks none, with a certificate that may expire."""
import contextlib
import datetime
import ipaddress
import socket
import ssl
import threading

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from faultproxy import each_client

HOUR = datetime.timedelta(hours=1)


def _name(text):
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])


def _pem(path, key, certificate):
    path.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                       serialization.NoEncryption())
                     + certificate.public_bytes(serialization.Encoding.PEM))


class TlsFront:
    """@target: a port that is passed on to. @folder gets ca.pem, which a client has to trust."""

    def __init__(self, folder, target):
        self.folder, self.target = folder, target
        self.n_refused = 0
        self._ca_key = ec.generate_private_key(ec.SECP256R1())
        self.ca = folder / "ca.pem"
        made = self._certificate(_name("an authority"), self._ca_key, 24 * HOUR, True)
        self.ca.write_bytes(made.public_bytes(serialization.Encoding.PEM))
        self.context = None
        self.renew(24 * HOUR)
        self._ends = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _certificate(self, subject, key, lasts, is_authority):
        now = datetime.datetime.utcnow()
        return (x509.CertificateBuilder().subject_name(subject).issuer_name(_name("an authority"))
                .public_key(key.public_key()).serial_number(x509.random_serial_number())
                .not_valid_before(now - 48 * HOUR).not_valid_after(now + lasts)
                .add_extension(x509.SubjectAlternativeName(
                    [x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
                .add_extension(x509.BasicConstraints(is_authority, None), critical=True)
                .sign(self._ca_key, hashes.SHA256()))

    def renew(self, lasts):
        """From now on the certificate is one that is good for so long; negative: it has expired."""
        key = ec.generate_private_key(ec.SECP256R1())
        _pem(self.folder / "server.pem", key, self._certificate(_name("a broker"), key, lasts, False))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.folder / "server.pem")
        self.context = context

    def _accept(self):
        for client in each_client(self._listener):
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        try:
            inner = self.context.wrap_socket(client, server_side=True)
        except OSError:  # the client does not trust us
            self.n_refused += 1
            client.close()
            return
        with contextlib.suppress(OSError):
            outer = socket.create_connection(("127.0.0.1", self.target))
            self._ends += [inner, outer]
            threading.Thread(target=self._pump, args=(outer, inner), daemon=True).start()
            self._pump(inner, outer)

    @staticmethod
    def _pump(source, sink):
        with contextlib.suppress(OSError):
            while True:
                data = source.recv(65536)
                if not data:
                    break
                sink.sendall(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def cut(self):
        """Every connection ends."""
        for end in self._ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self):
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
