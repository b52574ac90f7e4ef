"""The shop's database: a PostgreSQL cluster of the lab's own, on a port of its own."""

from __future__ import annotations

import signal
from collections.abc import Sequence

from bongsu.lab.loopback import HOST
from bongsu.lab.parts import Part
from bongsu.lab.site import Site
from bongsu.programs import as_postgres, disguise

__all__ = ["ROLE", "SETTINGS", "accepts", "as_postgres", "cluster", "disguise", "postgres"]

ROLE = "shop"
# The lab's data lives as long as the lab: safety against a power cut would only cost speed.
SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "32MB",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_wal_size": "256MB",
    "jit": "off",
    "timezone": "UTC",
    "track_commit_timestamp": "on",  # so that bongsu data diff knows when a row was written
    "log_min_duration_statement": "1000",
}


def cluster(site: Site, before: Sequence[str]) -> Part:
    """Make the data directory."""
    secret = site.directory.secret("postgres_password")
    command = (
        site.programs.initdb, "--pgdata", str(site.directory.root / "postgres"), "--username", ROLE,
        "--pwfile", str(secret), "--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C.UTF-8",
        "--no-sync", "--no-instructions",
    )  # fmt: skip
    environment = {"LC_ALL": "C.UTF-8"}
    return Part("initdb", command, lambda: False, environment=environment, before=before, once=True)


def postgres(site: Site, before: Sequence[str]) -> Part:
    """The server. When we die it gets SIGQUIT, upon which it takes its children with it."""
    data = site.directory.root / "postgres"
    options = [each for key, value in SETTINGS.items() for each in ("-c", f"{key}={value}")]
    command = (site.programs.postgres, "-D", str(data), "-p", str(site.ports.postgres), *options)
    return Part(
        "postgres",
        command,
        lambda: accepts(site),
        site.ports.postgres,
        environment={"LC_ALL": "C.UTF-8"},
        before=before,
        death="QUIT",
        stop=signal.SIGINT,  # "fast": ends sessions and shuts down in good order
        cwd=data,
    )


def accepts(site: Site) -> bool:
    """Whether the server takes connections; makes the shop's database at the first one."""
    import psycopg

    url = site.database_url
    try:
        with psycopg.connect(url.rpartition("/")[0] + "/postgres", autocommit=True, connect_timeout=2) as connection:
            if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (ROLE,)).fetchone() is None:
                connection.execute(f"CREATE DATABASE {ROLE}")
    except psycopg.OperationalError:
        return False
    return True
