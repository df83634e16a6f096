"""A PostgreSQL that is reached by TCP, with TLS, certificates and passwords, for those who try the way to it."""
import shutil
import subprocess
import urllib.parse

from servers import Postgres, free_port

PASSWORD = "p#;a ' \"=%\\&/?:@ß"


def _openssl(*args):
    subprocess.run(["openssl", *map(str, args)], check=True, capture_output=True)


class Road(Postgres):
    """Its own account comes in by the socket as it likes; by TCP it needs PASSWORD, "certified" a certificate."""

    def __init__(self, folder):
        super().__init__(folder)
        self.port = free_port()
        self.keys = self.folder.parent / f"{self.folder.name}-keys"
        self.keys.mkdir()
        _openssl("req", "-x509", *self._new_key("ca"), "-subj", "/CN=authority", "-days", 2,
                 "-out", self.keys / "ca.crt")
        for name, days, names in (("server", 2, "DNS:localhost,IP:127.0.0.1,IP:::1"),
                                  ("elsewhere", 2, "DNS:elsewhere.test"),
                                  ("expired", -1, "DNS:localhost,IP:127.0.0.1,IP:::1"),
                                  ("certified", 2, "DNS:certified")):
            self._certify(name, days, names)
        self.present("server")
        with open(self.data / "postgresql.conf", "a", encoding="ascii") as conf:
            conf.write(f"listen_addresses = '127.0.0.1, ::1'\nport = {self.port}\nssl = on\n"
                       f"ssl_ca_file = '{self.keys}/ca.crt'\n")
        (self.data / "pg_hba.conf").write_text("local all all trust\nhostssl all certified all cert\n"
                                               "host all all all scram-sha-256\n", "ascii")

    def _new_key(self, name):
        return ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-keyout", self.keys / f"{name}.key")

    def _certify(self, name, days, names):
        request, extensions = self.keys / f"{name}.csr", self.keys / f"{name}.ext"
        extensions.write_text(f"subjectAltName={names}\n", "ascii")
        _openssl("req", *self._new_key(name), "-subj", f"/CN={name}", "-out", request)
        _openssl("x509", "-req", "-in", request, "-CA", self.keys / "ca.crt", "-CAkey", self.keys / "ca.key",
                 "-CAcreateserial", "-days", days, "-extfile", extensions, "-out", self.keys / f"{name}.crt")

    def present(self, name):
        """That certificate, once it has been told."""
        for end in ("crt", "key"):
            shutil.copy(self.keys / f"{name}.{end}", self.data / f"server.{end}")
            shutil.chown(self.data / f"server.{end}", self.account)
        (self.data / "server.key").chmod(0o600)

    def tell(self):
        self.execute("postgres", "SELECT pg_reload_conf()")

    def url(self, database):
        return (f"postgresql://tidegate@/{urllib.parse.quote(database, safe='')}?host={self.folder}"
                f"&port={self.port}")
