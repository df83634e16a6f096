"""Faults of PostgreSQL, of the link to it, and of those who administer it."""
import contextlib
import os
import shutil
import signal
import subprocess
import threading
import time

import psycopg2
import psycopg2.errors

import faultproxy
import watching
from backup import Backup
from faultproxy import CUT, FREEZE, TO_CLIENT, TO_SERVER
from matrix import again, row
from servers import ROOT, Postgres
from waiting import wait_until

# what the log says of it, and when it is over
AWAY = ("database_away", "database_connected")
REFUSES = ("database_refuses", "database_connected")


def cuts(world, rule, short=4, full=40):
    """Faults at moments that the dice choose; after each the flow goes on."""
    for _ in again(world, short, full):
        world.pause(world.dice.uniform(0.0, 0.3))
        before = world.proxy.arm(rule())
        wait_until(lambda at=before: world.proxy.n_faults > at, "the fault to strike", 60)
        if world.proxy.frozen():
            world.pause(world.dice.uniform(0.1, 1.0))
            world.proxy.cut()
        world.wait_flow(20)


@row("cut before a COMMIT arrives", says=AWAY)
def cut_before_commit(world):
    cuts(world, lambda: faultproxy.commit_request(CUT))


@row("cut after a COMMIT, before its answer", says=AWAY)
def cut_after_commit(world):
    cuts(world, lambda: faultproxy.commit_answer(CUT))


@row("a COMMIT's answer hangs, then the link ends", says=AWAY)
def hang_after_commit(world):
    cuts(world, lambda: faultproxy.commit_answer(FREEZE))


@row("a COMMIT hangs on its way, then the link ends", says=AWAY)
def hang_before_commit(world):
    cuts(world, lambda: faultproxy.commit_request(FREEZE))


@row("cut between any two messages to the server", says=AWAY)
def cut_to_server(world):
    cuts(world, lambda: faultproxy.nth_message(world.dice.randint(1, 60), TO_SERVER), 8, 80)


@row("cut between any two messages of the server", says=AWAY)
def cut_to_client(world):
    cuts(world, lambda: faultproxy.nth_message(world.dice.randint(1, 60), TO_CLIENT), 8, 80)


@row("one direction hangs anywhere, then the link ends", says=AWAY)
def hang_anywhere(world):
    cuts(world, lambda: faultproxy.nth_message(
        world.dice.randint(1, 60), world.dice.choice((TO_SERVER, TO_CLIENT)), FREEZE), 4, 60)


@row("stopped for a while", says=AWAY, rate=600)
def down(world):
    world.postgres.stop()
    world.pause(6 if world.is_short else 60)
    world.postgres.start()
    world.wait_flow()


@row("stopped for ten minutes at 2,000 a second", rate=2000, in_short=False, in_soak=False, max_fds=20)
def down_long(world):
    world.postgres.stop()
    world.pause(600)
    world.postgres.start()
    world.wait_flow()


def crash(postgres):
    """The postmaster is gone at once; its children notice by themselves."""
    postgres.stop(signal.SIGKILL)
    lock = postgres.data / "postmaster.pid"

    def starts():
        with contextlib.suppress(AssertionError):
            postgres.start()
            return True
        return False
    wait_until(lambda: not subprocess.run(["pgrep", "-f", f"^postgres.*{postgres.folder}"],
                                          check=False, capture_output=True).stdout, "no child of it", 30)
    lock.unlink(missing_ok=True)
    wait_until(starts, "PostgreSQL to recover", 60)


@row("kill -9 of the postmaster", says=AWAY, own_cluster=True)
def postmaster_killed(world):
    for _ in again(world, 2, 10):
        world.pause(world.dice.uniform(0.2, 1.0))
        crash(world.postgres)
        world.wait_flow()


@row("kill -9 of one backend, so that all are reset", says=AWAY)
def backend_killed(world):
    for _ in again(world, 2, 20):
        world.pause(world.dice.uniform(0.2, 1.0))
        pid = world.database.value(
            "SELECT pid FROM pg_stat_activity WHERE application_name = 'tidegate/processor'")
        if pid:
            os.kill(pid, signal.SIGKILL)
        world.wait_flow()


def terminate(world):
    """Of this database alone; not from within it, as its settings are not for us."""
    world.postgres.execute("postgres", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                           " WHERE application_name LIKE 'tidegate/%%' AND datname = %s", world.database.name)


@row("every connection of the gateway terminated, again and again", says=AWAY)
def terminated(world):
    for _ in again(world, 6, 60):
        world.pause(world.dice.uniform(0.0, 0.5))
        terminate(world)
    world.wait_flow()


@row("SIGSTOP of every process of the server")
def frozen(world):
    for _ in again(world, 1, 3):
        world.postgres.freeze()
        world.pause(5 if world.is_short else 60)
        world.postgres.thaw()
        world.wait_flow()


@contextlib.contextmanager
def setting(world, name, value):
    """Of the database, for every session that begins from now on; ours are made to begin."""
    world.database.rows(f"ALTER DATABASE {world.database.name} SET {name} = {value}")
    terminate(world)
    yield
    world.postgres.execute("postgres", f"ALTER DATABASE {world.database.name} RESET {name}")
    terminate(world)


@row("read-only for a while", says=AWAY)
def read_only(world):
    with setting(world, "default_transaction_read_only", "on"):
        world.pause(3)
    world.wait_flow()


@row("statement_timeout of 50 ms set by the administrator, and a lock of 2 s")
def statement_timeout(world):
    with setting(world, "statement_timeout", "50"):
        with locked(world, "vehicle_logs"):
            world.pause(2)
        world.wait_flow()
    world.wait_flow()


@row("lock_timeout of 50 ms set by the administrator, and a lock of 2 s")
def lock_timeout(world):
    with setting(world, "lock_timeout", "50"):
        with locked(world, "telemetry"):
            world.pause(2)
        world.wait_flow()
    world.wait_flow()


@row("idle_session_timeout and idle_in_transaction_session_timeout of 100 ms")
def idle_timeouts(world):
    with setting(world, "idle_session_timeout", "100"):
        world.load.stop()
        world.pause(1)
        world.load.start(world.row.rate)
        world.wait_flow()
    with setting(world, "idle_in_transaction_session_timeout", "100"):
        world.wait_flow()
    world.wait_flow()


@row("out of connections", says=AWAY, own_cluster=True)
def no_connections(world):
    held = []
    with contextlib.suppress(psycopg2.OperationalError):
        while True:
            held.append(psycopg2.connect(world.database.url))
    with held[0].cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                       " WHERE application_name LIKE 'tidegate/%%'")
    with contextlib.suppress(psycopg2.OperationalError):
        while True:
            held.append(psycopg2.connect(world.database.url))
    world.pause(4)
    for conn in held:
        conn.close()
    world.wait_flow()


@contextlib.contextmanager
def locked(world, table):
    conn = psycopg2.connect(world.database.url)
    try:
        with conn.cursor() as cursor:
            cursor.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        yield
    finally:
        conn.close()


def tables(world):
    """Every table that is ours, but for the partitions."""
    return [name for (name,) in world.database.rows(
        "SELECT c.relname FROM pg_class c WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition"
        " AND c.relnamespace = 'public'::regnamespace ORDER BY 1")]


@row("a lock of 2 s on each table that there is", in_short=False)
def locks(world):
    for table in tables(world):
        with locked(world, table):
            world.pause(0.5 if world.is_short else 2)
        world.wait_flow(10)


@row("a lock of 12 s on the position, longer than any time-out")
def long_lock(world):
    with locked(world, "journal_positions"):
        world.pause(12)
    world.wait_flow()


@row("rows locked in the other order: deadlocks")
def deadlocks(world):
    def fight(stop):
        while not stop.is_set():
            with contextlib.suppress(psycopg2.Error), \
                    contextlib.closing(psycopg2.connect(world.database.url)) as conn, \
                    conn.cursor() as cursor:
                cursor.execute("SELECT 1 FROM journal_positions FOR UPDATE")
                time.sleep(world.dice.uniform(0, 0.05))
                cursor.execute("LOCK TABLE raw_logs IN ACCESS EXCLUSIVE MODE")
                conn.commit()
    stop = threading.Event()
    thread = threading.Thread(target=fight, args=(stop,), daemon=True)
    thread.start()
    world.pause(4 if world.is_short else 30)
    stop.set()
    thread.join()
    world.wait_flow()


@row("today's partition dropped behind the gateway's back", may_forget=True)
def partition_dropped(world):
    day = time.strftime("%Y%m%d", time.gmtime())
    world.database.rows(f"DROP TABLE sensor_logs_{day}")
    world.forgive(lambda n: n % 4 == 3)  # went with it
    world.wait_flow()


@row("today's partition detached, and attached again", says=REFUSES)
def partition_detached(world):
    day = time.strftime("%Y%m%d", time.gmtime())
    (bound,), = world.database.rows(
        "SELECT pg_get_expr(relpartbound, oid) FROM pg_class WHERE relname = %s", f"telemetry_{day}")
    world.database.rows(f"ALTER TABLE telemetry DETACH PARTITION telemetry_{day}")
    world.pause(3)
    world.database.rows(f"ALTER TABLE telemetry ATTACH PARTITION telemetry_{day} {bound}")
    world.wait_flow()


@row("a table renamed for a while, as by a migration of somebody else", says=REFUSES)
def table_renamed(world):
    world.database.rows("ALTER TABLE vehicle_logs RENAME TO elsewhere")
    world.pause(3)
    world.database.rows("ALTER TABLE elsewhere RENAME TO vehicle_logs")
    world.wait_flow()


@row("a new column that must not be null, for a while", says=REFUSES)
def column_added(world):
    world.database.rows("ALTER TABLE raw_logs ADD COLUMN surprise int NOT NULL DEFAULT 0;"
                        "ALTER TABLE raw_logs ALTER COLUMN surprise DROP DEFAULT")
    world.pause(3)
    world.database.rows("ALTER TABLE raw_logs DROP COLUMN surprise")
    world.wait_flow()


@row("a constraint that refuses every row, for a while", says=REFUSES)
def all_refused(world):
    world.database.rows("ALTER TABLE sensor_logs ADD CONSTRAINT none CHECK (vehicle_id < 0) NOT VALID")
    world.pause(3)
    world.database.rows("ALTER TABLE sensor_logs DROP CONSTRAINT none")
    world.wait_flow()


@row("a trigger that fails for 3 s", says=REFUSES)
def trigger_fails(world):
    world.database.rows(
        "CREATE OR REPLACE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS"
        " $$BEGIN RAISE EXCEPTION 'not now'; END$$;"
        "CREATE TRIGGER no BEFORE INSERT ON telemetry FOR EACH ROW EXECUTE FUNCTION no()")
    world.pause(3)
    world.database.rows("DROP TRIGGER no ON telemetry")
    world.wait_flow()


@row("restored from a dump of a while ago", says=("database_older",), is_live_whole=False, may_forget=True,
     max_warnings=60)
def restored(world):
    backup = Backup(world.postgres, world.database)
    world.wait_flow(300)
    backup.restore()
    world.wait_flow(10)


@row("failed over to a standby that lagged", says=("database_older",), own_cluster=True, is_live_whole=False,
     may_forget=True, max_warnings=60)
def failed_over(world):
    standby = Standby(world)
    world.pause(1)
    standby.fall_behind()
    world.wait_flow(300)
    standby.take_over()
    world.wait_flow(10)


class Standby:
    """A copy of the world's cluster that follows it, and takes its place under the same address."""

    def __init__(self, world):
        self.world = world
        self.primary = world.postgres
        self.server = Postgres.__new__(Postgres)
        self.server.__dict__.update(self.primary.__dict__)
        self.server.folder = self.primary.folder.parent / f"{self.primary.folder.name}_standby"
        self.server.data = self.server.folder / "data"
        self.server.process = None
        self.server.folder.mkdir(mode=0o700)
        if os.geteuid() == 0:
            subprocess.run(["chown", self.server.account, self.server.folder], check=True)
        self.server._run("pg_basebackup", "-D", self.server.data, "-R", "-c", "fast",
                         "-d", self.primary.url("postgres").replace("/postgres?", "/?"))
        with open(self.server.data / "postgresql.conf", "a", encoding="ascii") as conf:
            conf.write(f"unix_socket_directories = '{self.server.folder}'\nhot_standby = on\n")
        self.server.start()

    def fall_behind(self):
        """It receives nothing any more: what it had received it would apply when it is promoted."""
        self.server.execute("postgres", "ALTER SYSTEM SET primary_conninfo = 'host=/nowhere'")
        self.server.execute("postgres", "SELECT pg_reload_conf()")
        wait_until(lambda: not self.server.execute(
            "postgres", "SELECT 1 FROM pg_stat_wal_receiver WHERE status = 'streaming'"), "no receiver")

    def take_over(self):
        self.primary.stop(signal.SIGKILL)
        self.world.proxy.target = str(self.server.folder / ".s.PGSQL.5432")
        self.world.proxy.cut("")
        self.server.execute("postgres", "SELECT pg_promote()")
        self.world.move_to(self.server)


@row("asynchronous commit, and a crash that loses what it confirmed", own_cluster=True,
     is_live_whole=False, may_forget=True, max_warnings=60)
def asynchronous(world):
    world.postgres.execute("postgres", "ALTER SYSTEM SET synchronous_commit = off")
    world.postgres.execute("postgres", "ALTER SYSTEM SET wal_writer_delay = '10s'")
    world.postgres.execute("postgres", "SELECT pg_reload_conf()")
    terminate(world)
    for _ in again(world, 2, 10):
        world.wait_flow(200)
        crash(world.postgres)
        world.wait_flow()


@row("a schema that is newer, at a start", is_live_whole=False, says=("schema_unknown",))
def schema_newer(world):
    world.gateway.terminate()
    newest = world.database.value("SELECT max(number) FROM schema_migrations")
    world.database.rows("INSERT INTO schema_migrations (number, name, checksum)"
                        " VALUES (%s, 'of the future', 'unknown')", newest + 1)
    world.gateway.start(wait=False)
    wait_until(lambda: world.gateway.process.poll() is not None, "the gateway to refuse", 30)
    world.gateway.process = None
    world.database.rows("DELETE FROM schema_migrations WHERE number = %s", newest + 1)
    world.restart_gateway()
    world.wait_flow()


class Bouncer:
    """pgbouncer between the proxy and the server."""

    def __init__(self, world, mode):
        self.world = world
        self.folder = world.folder / "bouncer"
        self.folder.mkdir(mode=0o777, exist_ok=True)
        self.folder.chmod(0o777)
        (self.folder / "users").write_text('"tidegate" ""\n', "ascii")
        (self.folder / "ini").write_text(
            f"[databases]\n* = host={world.postgres.folder} user=tidegate\n[pgbouncer]\n"
            f"listen_addr =\nunix_socket_dir = {self.folder}\nlisten_port = 5432\nauth_type = trust\n"
            f"auth_file = {self.folder}/users\npool_mode = {mode}\nmax_client_conn = 100\n"
            "default_pool_size = 40\nignore_startup_parameters = extra_float_digits,options\n", "ascii")
        self.process = None

    def start(self):
        command = ["/usr/sbin/pgbouncer", self.folder / "ini"]
        if os.geteuid() == 0:
            command = ["setpriv", f"--reuid={self.world.postgres.account}", "--regid=postgres",
                       "--init-groups", "--pdeathsig=KILL", *command]
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        wait_until((self.folder / ".s.PGSQL.5432").exists, "pgbouncer")

    def stop(self):
        self.process.kill()
        self.process.wait()


@contextlib.contextmanager
def bounced(world, mode):
    """Every connection from now on goes by way of it."""
    bouncer = Bouncer(world, mode)
    bouncer.start()
    world.proxy.target = str(bouncer.folder / ".s.PGSQL.5432")
    world.proxy.cut("")
    yield bouncer
    world.proxy.target = str(world.postgres.folder / ".s.PGSQL.5432")
    bouncer.stop()


@row("pgbouncer in session mode, killed now and then", says=AWAY)
def bouncer_session(world):
    with bounced(world, "session") as bouncer:
        for _ in again(world, 2, 10):
            world.wait_flow()
            bouncer.stop()
            world.pause(0.5)
            bouncer.start()
        world.wait_flow()
    world.wait_flow()


def bouncer_row(mode):
    @row(f"pgbouncer in {mode} mode for a while: nothing is stored, and it is said why",
         says=("let it pool by session",), in_short=mode == "transaction")
    def bouncer_wrong(world):
        with bounced(world, mode):
            world.wait_log("let it pool by session")
            world.pause(2)
        world.wait_flow()


bouncer_row("transaction")
bouncer_row("statement")


@row("a constraint that refuses one row among many")
def one_refused(world):
    """That one becomes a dead letter; its neighbours are stored."""
    world.database.rows("ALTER TABLE vehicle_logs ADD CONSTRAINT one CHECK (mode <> 'FORBIDDEN') NOT VALID")
    for vehicle in watching.VEHICLES:
        world.broker.publish(f"seano/{vehicle}/vehicle_log", '{"mode": "FORBIDDEN"}')
    n = len(watching.VEHICLES)
    wait_until(lambda: world.database.value("SELECT count(*) FROM dead_letters") == n, "the letters", 60)
    world.wait_flow()
    world.database.rows("ALTER TABLE vehicle_logs DROP CONSTRAINT one")
    world.complain_if(world.database.value("SELECT count(*) FROM dead_letters WHERE reason <> 'db_rejected'"),
                      "a letter of another reason")
    world.gateway.cli("dead-letters", "discard", "--reason", "db_rejected")
    world.wait_flow()


@contextlib.contextmanager
def small_disk(world):
    """A file system of its own, on which today's telemetry lives."""
    disk = world.folder / "tablespace"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m,mode=0777", "tidegate-faults", disk], check=True)
    try:
        shutil.chown(disk, world.postgres.account)
        world.database.rows(f"CREATE TABLESPACE small LOCATION '{disk}'")
        day = time.strftime("%Y%m%d", time.gmtime())
        world.database.rows(f"ALTER TABLE telemetry_{day} SET TABLESPACE small")
        yield disk
        world.database.rows(f"ALTER TABLE telemetry_{day} SET TABLESPACE pg_default")
        world.database.rows("DROP TABLESPACE small")
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


@row("out of disk", needs_root=True, own_cluster=True, rate=600, pad="x" * 300,
     says=("database_refuses sqlstate=53100", "database_connected"))
def out_of_disk(world):
    with small_disk(world) as disk:
        filler = disk / "filler"
        with contextlib.suppress(OSError), open(filler, "wb", 0) as file:
            while True:
                file.write(b"x" * 4096)
        world.wait_log("sqlstate=53100")
        world.pause(2)
        filler.unlink()
        world.wait_flow(50)
    world.wait_flow()


OLD_SCHEMA = 3  # what the first release had


def at_old_schema(world):
    """As a database that the first release made, with everybody in it."""
    known = world.postgres.execute("template_tidegate", "SELECT number, name, checksum FROM schema_migrations"
                                   " WHERE number <= %s ORDER BY number", OLD_SCHEMA)
    world.database.rows("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    world.database.rows("CREATE TABLE schema_migrations (number integer PRIMARY KEY, name text NOT NULL,"
                        " checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())")
    for number, name, checksum in known:
        world.database.rows(next((ROOT / "schema").glob(f"{number:04}_*.sql")).read_text("utf-8"))
        world.database.rows("INSERT INTO schema_migrations VALUES (%s, %s, %s)", number, name, checksum)
    world.database.rows("INSERT INTO users (username, password_hash, role) VALUES ('root', 'none', 'admin')")
    for table, codes in (("vehicles", watching.VEHICLES), ("devices", watching.DEVICES)):
        for code in codes:
            world.database.rows(f"INSERT INTO {table} (code, user_id) VALUES (%s, 1)", code)


@row("a schema that is older, at a start: it is brought up to date", prepare=at_old_schema)
def schema_older(world):
    world.wait_flow()
    world.complain_if("schema_migrated" not in world.gateway.log(), "it did not say that it migrated")


def migrate_beside(world, verb):
    with contextlib.closing(psycopg2.connect(world.database.url)) as conn, conn.cursor() as cursor:
        for table in tables(world):
            cursor.execute(f"ALTER TABLE {table} {verb}")
        world.pause(2)
        conn.commit()


@row("a migration beside it: a column more in every table, in one transaction of seconds")
def migrated_beside(world):
    for verb in ("ADD COLUMN IF NOT EXISTS of_the_future text", "DROP COLUMN of_the_future"):
        for _ in range(20):  # PostgreSQL may end it for a deadlock: then it is tried again, as one would
            with contextlib.suppress(psycopg2.errors.DeadlockDetected):
                migrate_beside(world, verb)
                break
        else:
            world.complain("no migration comes through for deadlocks")
        world.wait_flow()
