"""PgBouncer between the gateway and PostgreSQL, on a unix socket, in the mode that a test asks for."""
import os
import pathlib
import shutil
import signal
import subprocess

import psycopg2

from servers import die_with_parent
from waiting import wait_until

PGBOUNCER = shutil.which("pgbouncer", path=os.environ["PATH"] + ":/usr/sbin")


class Pooler:
    def __init__(self, folder, postgres, database, mode, **settings):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(mode=0o755)
        self.database = database
        self.process = None
        lines = {"unix_socket_dir": self.folder, "listen_port": 6432, "auth_type": "any",
                 "pool_mode": mode, "default_pool_size": 20, "logfile": self.folder / "log",
                 "pidfile": "", **settings}
        self.conf = self.folder / "pgbouncer.ini"
        self.conf.write_text(
            f"[databases]\n{database.name} = host={postgres.folder} dbname={database.name}"
            " user=tidegate\n[pgbouncer]\n" + "".join(f"{k} = {v}\n" for k, v in lines.items()),
            "ascii")
        self.command = [PGBOUNCER, "-q", str(self.conf)]
        if os.geteuid() == 0:  # it does not run as root
            shutil.chown(self.folder, postgres.account)
            self.command[1:1] = ["-u", postgres.account]

    @property
    def url(self):
        return f"postgresql://tidegate@/{self.database.name}?host={self.folder}&port=6432"

    def answers(self):
        try:
            psycopg2.connect(self.url).close()
            return True
        except psycopg2.OperationalError:
            return False

    def start(self):
        # pylint: disable=consider-using-with,subprocess-popen-preexec-fn
        self.process = subprocess.Popen(self.command, preexec_fn=die_with_parent,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(self.answers, "the pooler to answer")
        return self

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(10)
