"""The shop's database: a PostgreSQL cluster of the lab's own, on a port of its own."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

from bongsu.core.errors import BongsuError
from bongsu.lab.loopback import HOST
from bongsu.lab.parts import Part
from bongsu.lab.programs import find_program
from bongsu.lab.site import Site

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
    "log_min_duration_statement": "1000",
}


def disguise(data: Path) -> Sequence[str]:
    """What lets PostgreSQL run when we are root, which it refuses to be.

    A user namespace maps root to an ordinary number, so files below a private folder stay ours and readable.
    Where those are forbidden, the user ``postgres`` gets the data and the right to pass the folders above it.
    Raises BongsuError when neither is possible.
    """
    if os.geteuid() != 0:
        return ()
    unshare = (find_program("unshare") or "unshare", "--map-user=1000", "--map-group=1000")
    if subprocess.run([*unshare, "true"], capture_output=True, check=False).returncode == 0:
        return unshare
    return as_postgres(data)


def as_postgres(data: Path) -> Sequence[str]:
    """Run as the user ``postgres``, who becomes the owner of ``data``."""
    try:
        user = pwd.getpwnam("postgres")
    except KeyError:
        raise BongsuError(
            "PostgreSQL does not run as root, user namespaces are forbidden here, and there is no user 'postgres'. "
            "Run the lab as an ordinary user, or add the user with: adduser --system --group postgres"
        ) from None
    data.mkdir(parents=True, exist_ok=True)
    shutil.chown(data, user.pw_uid, user.pw_gid)
    setpriv = find_program("setpriv") or "setpriv"
    return (
        setpriv, f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups",
        "--inh-caps=-all,+dac_override", "--ambient-caps=-all,+dac_override",
    )  # fmt: skip


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
