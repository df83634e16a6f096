"""A backup of a database, and the way back that docs/operations.md shows."""
import psycopg2


class Backup:
    """As docs/operations.md says: dumped, restored beside, and put in place of the other."""

    def __init__(self, postgres, database):
        self.postgres, self.database = postgres, database
        self.file = postgres.folder / f"{database.name}.dump"
        postgres._run("pg_dump", "-Fc", "-f", self.file, database.url)

    def restore(self):
        name = self.database.name
        self.postgres.execute("postgres", f"CREATE DATABASE {name}_restored")
        self.postgres._run("pg_restore", "-d", self.postgres.url(f"{name}_restored"), self.file)
        for _ in range(50):
            self.postgres.execute("postgres", "SELECT pg_terminate_backend(pid) FROM"
                                  " pg_stat_activity WHERE datname = %s", name)
            try:
                self.postgres.execute("postgres", f"ALTER DATABASE {name} RENAME TO {name}_old")
                break
            except psycopg2.OperationalError:  # somebody was back already
                continue
        self.postgres.execute("postgres", f"ALTER DATABASE {name}_restored RENAME TO {name}")
        self.postgres.execute("postgres", f"DROP DATABASE {name}_old WITH (FORCE)")
