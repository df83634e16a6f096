"""The real servers of the tests: PostgreSQL, Mosquitto and the gateway, each private and killable."""
import atexit
import contextlib
import ctypes
import functools
import io
import os
import pathlib
import pwd
import random
import re
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

import jwt
import psycopg2
import requests

from waiting import PATIENCE, wait_until

ROOT = pathlib.Path(__file__).resolve().parents[2]
TIDEGATE = pathlib.Path(os.environ.get("TIDEGATE_BIN", ROOT / "build-asan/gateway/tidegate"))
POSTGRES = pathlib.Path("/usr/lib/postgresql/15/bin")
SANITIZERS = re.compile(r"(AddressSanitizer|LeakSanitizer|ThreadSanitizer|runtime error|a bug: please report it):?", re.M)
REGISTRY = ("users", "vehicles", "devices")
SLOW = 1.0 if "release" in TIDEGATE.as_posix() else 3.0

_libc = ctypes.CDLL(None, use_errno=True)


def _use_descriptors(n_wanted=20000):
    """A login shell has 1,024 of them, and may have more: some tests have more connections."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    n_most = n_wanted if hard == resource.RLIM_INFINITY else min(n_wanted, hard)
    if soft < n_most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (n_most, hard))


_use_descriptors()


def die_with_parent(n_files=None, closed=()):
    """Runs in the child: whatever happens to pytest, no server outlives it. @n_files: it may have
    so many descriptors, and cannot raise that. @closed: descriptors that it does not get."""
    os.setsid()
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # a shell that runs the tests in the background has it ignored
    for fd in closed:
        os.close(fd)
    if n_files:
        resource.setrlimit(resource.RLIMIT_NOFILE, (n_files, n_files))
    _libc.prctl(1, signal.SIGKILL)


def suspend(*pids):
    """SIGSTOP; returns once every thread of them stands, which on a busy machine is some time after."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP)
    for pid in pids:
        wait_until(lambda p=pid: _stands(p), f"process {pid} to stand still")


def _stands(pid):
    """Or is no more."""
    states = set()
    for stat in pathlib.Path(f"/proc/{pid}/task").glob("*/stat"):
        with contextlib.suppress(OSError):
            states.add(stat.read_text("ascii", "replace").rpartition(")")[2].split()[0])
    return states <= {"T", "t", "Z", "X"}


def resume(*pids):
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def sweep_faked_time():
    """What libfaketime shares is named after its process, and stays when that is killed: one of that number
    and of another account would wait for it for ever."""
    for path in pathlib.Path("/dev/shm").glob("*faketime_s*_*"):
        if not pathlib.Path("/proc", path.name.rpartition("_")[2]).exists():
            with contextlib.suppress(OSError):  # another account's
                path.unlink()


atexit.register(sweep_faked_time)


MEMORY = pathlib.Path("/dev/shm")
MEMORY_WANTED = 4 << 30  # bytes free: some databases at once, and nobody is short of it


def memory_folder():
    """A folder in memory, or None where there is little of it; of this process, and gone with it.

    One of a process that was killed is removed by the next that asks."""
    for left in MEMORY.glob("tidegate-pg-*"):
        if not pathlib.Path("/proc", left.name.split("-")[2]).exists():
            shutil.rmtree(left, ignore_errors=True)
    if not os.access(MEMORY, os.W_OK) or shutil.disk_usage(MEMORY).free < MEMORY_WANTED:
        return None
    folder = pathlib.Path(tempfile.mkdtemp(prefix=f"tidegate-pg-{os.getpid()}-", dir=MEMORY))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def faked_time(env, clock, *before):
    """The environment of a server whose clock is @clock ("+400d") away from ours; None: as ours.

    Time-outs and sleeps go by the monotonic clock, which stays right. @before: libraries that have
    to be loaded first, as a sanitizer's."""
    if clock is None:
        return env
    sweep_faked_time()
    faketime = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1"
    faked = {**env, "LD_PRELOAD": " ".join([*before, faketime]), "FAKETIME": clock,
             "FAKETIME_DONT_FAKE_MONOTONIC": "1", "FAKETIME_DONT_RESET": "1"}
    if before:  # a sanitizer that asks for the time while it allocates waits for itself: libfaketime allocates
        faked["ASAN_OPTIONS"] = env.get("ASAN_OPTIONS", "") + ":allocator_release_to_os_interval_ms=-1"
    return faked


def _ports():
    """Ports below those that the kernel gives to clients, each once, a class of its own a worker."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
    n_workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    ports = range(10000 + worker, 32000, n_workers)
    at = random.randrange(len(ports))
    yield from ports[at:]
    yield from ports[:at]


_ports_left = _ports()


def free_port():
    """Stays free until it is listened on, and while its server is away: a port that the kernel picks
    (32768 and up) may meanwhile have gone to a client of any other test."""
    for port in _ports_left:
        with socket.socket() as s, contextlib.suppress(OSError):
            s.bind(("127.0.0.1", port))
            return port
    raise OSError("every port has been tried")


@functools.cache
def sanitizer_library():
    """The sanitizer that the program is linked with: what is preloaded must not come before it."""
    out = subprocess.run(["ldd", str(TIDEGATE)], text=True, capture_output=True, check=True).stdout
    return re.findall(r"=> (\S*/lib[at]san\.so\S*)", out)


def run_statement(conn, statement, values):
    """Its rows; none of a statement that has no answer."""
    with conn.cursor() as cursor:
        cursor.execute(statement, values or None)
        return cursor.fetchall() if cursor.description else []


class Postgres:
    """A cluster of its own on a unix socket; fsync is off, as no test cuts the power.

    The first of a run is kept as initdb made it, and the others are copies: it takes seconds. With
    @in_memory its tables are in memory, where there is enough: a database is some 700 files, and a disk
    takes a third of a second of CPU to make them."""

    _pristine = None

    def __init__(self, folder, in_memory=False):
        self.folder = pathlib.Path(folder)
        self.memory = memory_folder() if in_memory else None
        self.data = (self.memory or self.folder) / "data"
        self.process = None
        self.clock = None  # see faked_time()
        self.inside = []  # what runs it, as `nsenter` does
        self.folder.mkdir(mode=0o700)
        self.account = "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
        if os.geteuid() == 0:
            shutil.chown(self.folder, self.account)
            if self.memory:
                shutil.chown(self.memory, self.account)
        self._initialise()
        with open(self.data / "postgresql.conf", "a", encoding="ascii") as conf:
            conf.write(f"listen_addresses = ''\nunix_socket_directories = '{self.folder}'\n"
                       "fsync = off\nmax_connections = 50\nlogging_collector = off\n")

    def _initialise(self):
        pristine = Postgres._pristine
        if pristine and pristine.exists():
            subprocess.run(["cp", "-a", pristine, self.data], check=True)
            return
        self._run("initdb", "-D", self.data, "-A", "trust", "-U", "tidegate", "--no-locale",
                  "-E", "UTF8", "--no-sync")
        Postgres._pristine = self.data.parent / "pristine"
        subprocess.run(["cp", "-a", self.data, Postgres._pristine], check=True)

    def _command(self, program, *args):
        # Not before setpriv: what libfaketime shares would be root's.
        clock = [f"{k}={v}" for k, v in faked_time({}, self.clock).items()]
        command = ["env", *clock, str(POSTGRES / program), *map(str, args)]
        if os.geteuid() == 0:
            command = ["setpriv", f"--reuid={self.account}", f"--regid={self.account}",
                       "--init-groups", "--pdeathsig=QUIT", *command]
        return [*self.inside, *command]

    def _run(self, program, *args):
        done = subprocess.run(self._command(program, *args), cwd="/", text=True,
                              capture_output=True, check=False)
        assert done.returncode == 0, f"{program}: {done.stdout}{done.stderr}"

    def start(self):
        if self.process and self.process.poll() is None:
            return  # one that ended by itself is no reason for the next test to fail
        with open(self.folder.parent / f"{self.folder.name}.log", "a", encoding="ascii") as log:
            self.process = subprocess.Popen(self._command("postgres", "-D", self.data), cwd="/",
                                            stdout=log, stderr=log, preexec_fn=die_with_parent)
        wait_until(self.answers, "PostgreSQL to answer")

    def answers(self):
        with contextlib.suppress(psycopg2.OperationalError):
            psycopg2.connect(self.url("postgres")).close()
            return True
        return False

    def stop(self, how=signal.SIGINT):
        if not self.process:
            return
        self.thaw()
        self.process.send_signal(how)
        self.process.wait(PATIENCE)
        self.process = None

    def remove(self):
        """What it had in memory; it is stopped."""
        if self.memory:
            shutil.rmtree(self.memory, ignore_errors=True)

    def backends(self):
        """The postmaster and all of its children."""
        out = subprocess.run(["ps", "-o", "pid=", "--ppid", str(self.process.pid)], text=True,
                             capture_output=True, check=False).stdout
        return [self.process.pid, *map(int, out.split())]

    def freeze(self):
        suspend(*self.backends())

    def thaw(self):
        resume(*self.backends())

    def url(self, database):
        return f"postgresql://tidegate@/{database}?host={self.folder}"

    def connect(self, database):
        """A connection on which each statement is committed."""
        conn = psycopg2.connect(self.url(database))
        conn.autocommit = True
        return conn

    def execute(self, database, statement, *values):
        """One statement, committed; its rows."""
        with contextlib.closing(self.connect(database)) as conn:
            return run_statement(conn, statement, values)


class Database:
    """One migrated database of the cluster."""

    def __init__(self, postgres, name):
        self.postgres = postgres
        self.name = name
        self.url = postgres.url(name)
        self._kept = threading.local()

    def rows(self, statement, *values):
        if statement.startswith("SELECT"):
            return self._ask(statement, values)
        return self.postgres.execute(self.name, statement, *values)

    def _ask(self, statement, values):
        """By one connection a thread, as each is a process there; by another one where the server has ended it."""
        kept = getattr(self._kept, "conn", None)
        if kept and not kept.closed:
            try:
                return run_statement(kept, statement, values)
            except psycopg2.Error as error:
                if error.pgcode and not kept.closed:  # the statement is wrong
                    raise
        self._kept.conn = self.postgres.connect(self.name)
        return run_statement(self._kept.conn, statement, values)

    def value(self, statement, *values):
        """The single value of the statement; None where there is no row."""
        rows = self.rows(statement, *values)
        return rows[0][0] if rows else None

    def wait_for(self, statement, expected, *values, timeout=PATIENCE * SLOW):
        """Until the single value of the statement is @expected."""
        seen = None

        def same():
            nonlocal seen
            rows = self._ask(statement, values)
            seen = rows[0][0] if rows else None
            return seen == expected

        with contextlib.suppress(AssertionError):
            wait_until(same, statement, timeout)
        if seen != expected:
            letters = self.rows("SELECT topic, reason, detail FROM dead_letters LIMIT 20")
            raise AssertionError(f"{statement}: {seen!r}, expected {expected!r}; "
                                 f"dead letters: {letters}")


    # the registry as a whole

    def has_no_registry(self):
        return not any(self.value(f"SELECT EXISTS (SELECT FROM {table})") for table in REGISTRY)

    def dump_registry(self):
        rows = {}
        with contextlib.closing(psycopg2.connect(self.url)) as conn, conn.cursor() as cursor:
            for table in REGISTRY:
                rows[table] = io.StringIO()
                cursor.copy_expert(f"COPY {table} TO STDOUT", rows[table])
        return {table: text.getvalue() for table, text in rows.items()}

    def load_registry(self, rows):
        """What dump_registry() gave, of another database."""
        with contextlib.closing(psycopg2.connect(self.url)) as conn, conn.cursor() as cursor:
            for table, text in rows.items():
                cursor.copy_expert(f"COPY {table} FROM STDIN", io.StringIO(text))
                cursor.execute(f"SELECT setval('{table}_id_seq', max(id)) FROM {table}")
            conn.commit()


class Broker:
    """A Mosquitto with a persistent store, which can be restarted on its port."""

    address = "127.0.0.1"
    inside = ()  # what runs it, as `nsenter` does

    def __init__(self, folder, extra="", port=None):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir()
        self.port = port or free_port()
        self.process = None
        self.extra = extra
        self.conf = self.folder / "mosquitto.conf"
        self.write_conf()

    def write_conf(self):
        user = "user root\n" if os.geteuid() == 0 else ""
        auth = "" if "password_file" in self.extra else "allow_anonymous true\n"
        self.conf.write_text(
            f"{user}{auth}listener {self.port} {self.address}\npersistence true\n"
            f"persistence_location {self.folder}/\nautosave_interval 1\nset_tcp_nodelay true\n"
            "max_inflight_messages 1000\nmax_queued_messages 0\nlog_dest stderr\n"
            f"log_type error\nlog_type warning\nlog_type notice\n{self.extra}", "ascii")

    def start(self):
        with open(self.folder / "log", "a", encoding="ascii") as log:
            self.process = subprocess.Popen([*self.inside, "/usr/sbin/mosquitto", "-c", str(self.conf)],
                                            stdout=log, stderr=log, preexec_fn=die_with_parent)
        wait_until(self.answers, "Mosquitto to answer")
        return self

    def answers(self):
        assert self.process.poll() is None, (self.folder / "log").read_text()
        with contextlib.suppress(OSError):
            socket.create_connection((self.address, self.port), 1).close()
            return True
        return False

    def stop(self, how=signal.SIGTERM):
        if self.process:
            self.process.send_signal(how)
            self.process.wait(PATIENCE)
            self.process = None

    def publish(self, topic, payload, qos=1, retain=False):
        """One message by mosquitto_pub, as a device would; returns once the broker has it."""
        data = payload if isinstance(payload, bytes) else payload.encode()
        command = ["mosquitto_pub", "-h", "127.0.0.1", "-p", str(self.port), "-q", str(qos),
                   "-t", topic, "-V", "mqttv311", *(["-r"] if retain else []),
                   *(["-s"] if data else ["-n"])]
        done = subprocess.run(command, input=data, capture_output=True, timeout=PATIENCE,
                              check=False)
        assert done.returncode == 0, done.stderr.decode()


class Gateway:
    """`tidegate serve` with a configuration file, its log, and its private folder."""

    def __init__(self, folder, database, broker=None, **settings):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(mode=0o700)
        self.database = database
        self.broker = broker
        self.port = free_port()
        self.process = None
        self.clock = None  # see faked_time()
        self.program = TIDEGATE  # or one of another version
        self.inside = []  # what runs it, as `nsenter` does
        self.preload = []  # libraries of the test's own
        self.extra_env = {}
        self.n_files = None  # see die_with_parent()
        self.log_path = self.folder / "log"
        self.conf = self.folder / "tidegate.conf"
        self.secret = "integration-test-secret-of-32-bytes!"
        for name, text in (("secret", self.secret), ("pepper", "pepper-of-the-tests-pepper-pepper")):
            path = self.folder / name
            path.touch(0o600)
            path.write_text(text + "\n", "ascii")
        self.settings = {
            "http.listen": f"127.0.0.1:{self.port}",
            "database.url": database.url if database else None,
            "mqtt.url": f"mqtt://127.0.0.1:{broker.port}" if broker else None,
            "mqtt.backoff_min": "50ms",
            "mqtt.backoff_max": "500ms",
            "http.dashboard": str(self.folder / "dashboard"),  # there is none, unless a test makes one
            "journal.dir": str(self.folder / "journal"),
            "auth.jwt_secret_file": str(self.folder / "secret"),
            "auth.token_pepper_file": str(self.folder / "pepper"),
            "auth.query_token": "on",
            "ws.connects_per_second": 0,
            "database.partitions_ahead": "1d",  # each takes its time in every database of a test
            "database.stall_timeout": "1s",  # a slow machine is no slow database
        }
        self.settings.update({key.replace("__", "."): value for key, value in settings.items()})
        self.routes = ""
        self.write_conf()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self):
        return self.process.pid

    def write_conf(self, **changes):
        self.settings.update({key.replace("__", "."): value for key, value in changes.items()})
        sections = {}
        for key, value in self.settings.items():
            section, _, name = key.partition(".")
            if value is not None:
                sections.setdefault(section, []).append(f"{name} = {value}")
        text = "".join(f"[{s}]\n" + "\n".join(lines) + "\n\n" for s, lines in sections.items())
        self.conf.write_text(text + self.routes, "utf-8")

    def environment(self):
        env = {k: v for k, v in os.environ.items() if not k.startswith("TIDEGATE_")}
        env["ASAN_OPTIONS"] = "detect_leaks=1:exitcode=77:abort_on_error=0:detect_stack_use_after_return=0"
        env["UBSAN_OPTIONS"] = "print_stacktrace=1:halt_on_error=1:exitcode=77"
        env["TSAN_OPTIONS"] = f"exitcode=77:suppressions={ROOT}/tests/lint/tsan.supp"
        env["LSAN_OPTIONS"] = f"suppressions={ROOT}/tests/lint/lsan.supp:print_suppressions=0"
        if self.preload:
            env["LD_PRELOAD"] = " ".join([*sanitizer_library(), *self.preload])
        return faked_time({**env, **self.extra_env}, self.clock, *sanitizer_library())

    def cli(self, *args, stdin="", check=True, shell=None):
        """Any other command of the program, with the same configuration. @shell: what runs "$@"."""
        command = [*(["sh", "-c", shell, "sh"] if shell else []), str(self.program), *args]
        if args and args[0] not in ("version", "--help") and "--help" not in args:
            command += ["--config", str(self.conf)]
        done = subprocess.run(command, input=stdin, text=True, capture_output=True,
                              env=self.environment(), timeout=PATIENCE * SLOW, check=False)
        if check:
            assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done

    def start(self, wait=True, log_to=None, closed=()):
        """@log_to: a descriptor in place of the log; @closed: streams that it does not have."""
        with open(self.log_path, "ab") as log:
            log_to = log_to or log
            self.process = subprocess.Popen(
                [*self.inside, str(self.program), "serve", "--config", str(self.conf)], stdin=subprocess.DEVNULL,
                stdout=log_to, stderr=log_to, env=self.environment(),
                preexec_fn=functools.partial(die_with_parent, self.n_files, closed))
        if wait:
            self.wait_ready()
        return self

    def wait_ready(self):
        wait_until(self.is_ready, f"the gateway to be ready, see\n{self.log()[-3000:]}",
                   PATIENCE * SLOW)

    def is_ready(self):
        assert self.process.poll() is None, \
            f"the gateway ended with {self.process.returncode}:\n{self.log()[-6000:]}"
        return self.status("/readyz") == 200

    def status(self, path, **kwargs):
        """The status of a GET, or 0 while nobody answers."""
        with contextlib.suppress(requests.RequestException):
            return requests.get(self.url + path, timeout=5, **kwargs).status_code
        return 0

    def get(self, path, user=None, **kwargs):
        headers = kwargs.pop("headers", {})
        if user:
            headers["Authorization"] = f"Bearer {self.token(user)}"
        return requests.get(self.url + path, headers=headers, timeout=PATIENCE, **kwargs)

    def put(self, path, user=None, **kwargs):
        headers = kwargs.pop("headers", {})
        if user:
            headers["Authorization"] = f"Bearer {self.token(user)}"
        return requests.put(self.url + path, headers=headers, timeout=PATIENCE, **kwargs)

    def post(self, path, **kwargs):
        return requests.post(self.url + path, timeout=PATIENCE, **kwargs)

    def metric(self, name, **labels):
        """The sum of a metric over the labels that are not named."""
        total = 0.0
        for line in self.get("/metrics").text.splitlines():
            match = re.match(r"([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$", line)
            if match and match[1] == name:
                seen = dict(re.findall(r'(\w+)="([^"]*)"', match[2] or ""))
                if all(seen.get(k) == v for k, v in labels.items()):
                    total += float(match[3])
        return total

    def log(self):
        return self.log_path.read_text("utf-8", "replace") if self.log_path.exists() else ""

    def kill(self):
        """As a crash would: no chance to say good-bye."""
        self.process.kill()
        self.process.wait()
        self.process = None

    def freeze(self):
        """As a suspended machine would."""
        suspend(self.pid)

    def thaw(self):
        resume(self.pid)

    def terminate(self, timeout=PATIENCE * SLOW):
        """SIGTERM, and the exit code."""
        self.process.terminate()
        code = self.process.wait(timeout)
        self.process = None
        return code

    def stop(self):
        """The end of a test: a clean stop, and nothing that a sanitizer had to say."""
        code = 0
        if self.process:
            self.thaw()
            try:
                code = self.terminate()
            except subprocess.TimeoutExpired:
                self.process.send_signal(signal.SIGABRT)
                self.kill()
                code = "still running after SIGTERM"
        assert not SANITIZERS.search(self.log()), f"sanitizer:\n{self.log()[-8000:]}"
        assert code == 0, f"the gateway ended with {code}:\n{self.log()[-4000:]}"

    def token(self, subject, ttl=3600, **claims):
        body = {"sub": str(subject), "exp": int(time.time()) + ttl, **claims}
        return jwt.encode(body, self.secret, "HS256")

    # what the registry is made of, by the command line

    def add_user(self, name, role="user", password="correct horse battery"):
        self.cli("user", "add", name, "--role", role, stdin=password + "\n")
        return self.database.value("SELECT id FROM users WHERE username = %s", name)

    def add_device(self, code, user, *options):
        token = self.cli("device", "add", code, "--user", user, *options).stdout.split()[-1]
        return self.database.value("SELECT id FROM devices WHERE code = %s", code), token

    def add_vehicle(self, code, user, *options):
        self.cli("vehicle", "add", code, "--user", user, *options)
        return self.database.value("SELECT id FROM vehicles WHERE code = %s", code)
