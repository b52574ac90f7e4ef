"""Copies of a service's PostgreSQL: dumps, and scratch servers to restore them in."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bongsu.adapters.postgres import PATIENCE_S, Connection, connect, run
from bongsu.core.errors import BongsuError
from bongsu.core.recovery_plan import quoted
from bongsu.ports import Unavailable
from bongsu.programs import disguise, find_program

START_S = 30.0
_CLUSTER = ("initdb", "postgres", "pg_restore", "pg_dump")


class CopyFailed(BongsuError):
    """A copy could not be made or read."""


def missing_programs() -> list[str]:
    """What to install before a backup can be restored here."""
    missing = [name for name in _CLUSTER if find_program(name) is None]
    if not missing:
        return []
    return [f"missing programs: {', '.join(missing)}; apt-get install --no-install-recommends postgresql"]


def version_of(program: str) -> int:
    """The major version of a program of PostgreSQL. Raises CopyFailed."""
    done = subprocess.run([_path(program), "--version"], capture_output=True, check=False)
    words = done.stdout.decode().replace("(PostgreSQL)", "").split()
    number = next((each for each in words if each[:1].isdigit()), "0")
    return int("".join(sign for sign in number.split(".")[0] if sign.isdigit()) or 0)


def dump(dsn: str, to: Path, snapshot: str | None = None) -> None:
    """The whole database into a file of pg_dump's custom format, as of an exported snapshot. Raises CopyFailed."""
    extra = [f"--snapshot={snapshot}"] if snapshot else []
    _do(["pg_dump", "--format=custom", "--no-owner", "--no-privileges", f"--file={to}", *extra], dsn)


def restore(file: Path, dsn: str) -> None:
    """A dump into an empty database, all of it or nothing. Raises CopyFailed."""
    _do(["pg_restore", "--no-owner", "--no-privileges", "--exit-on-error", "--single-transaction", str(file)], dsn)


def whole(file: Path) -> str | None:
    """Why a dump cannot be read to its end; None when it can."""
    done = subprocess.run([_path("pg_restore"), "--file=/dev/null", str(file)], capture_output=True, check=False)
    return None if done.returncode == 0 else _last_line(done.stderr)


def create(connection: Connection, name: str) -> None:
    """An empty database on the same server. Raises CopyFailed."""
    import psycopg

    try:
        run(connection, f"CREATE DATABASE {quoted(name)} TEMPLATE template0")
    except psycopg.errors.InsufficientPrivilege:
        raise CopyFailed("this user may not make a database; as the server's owner: ALTER ROLE ... CREATEDB") from None
    except psycopg.errors.DuplicateDatabase:
        raise CopyFailed(f"there is a database {name} already; name another with --as") from None


@dataclass(frozen=True, slots=True)
class Scratch:
    """A server of our own, reachable by nobody else, that ends and disappears with its context."""

    socket: Path

    def dsn(self, database: str = "postgres") -> str:
        """One of its databases."""
        return f"postgresql://bongsu@/{database}?host={self.socket}"

    def database(self, name: str) -> str:
        """A new database; its address."""
        with connect(self.dsn()) as connection:
            create(connection, name)
        return self.dsn(name)


@contextmanager
def scratch(folder: Path | None = None) -> Iterator[Scratch]:
    """A PostgreSQL in a temporary folder (below ``folder``), on a Unix socket only. Raises CopyFailed."""
    root = Path(tempfile.mkdtemp(prefix="bongsu-scratch-", dir=folder))
    socket = Path(tempfile.mkdtemp(prefix="bongsu-"))  # a socket's path may have 107 bytes at the most
    data = root / "data"
    before = disguise(data)
    server: subprocess.Popen[bytes] | None = None
    try:
        if before and "setpriv" in before[0]:
            shutil.chown(socket, data.stat().st_uid)
        command = [
            *before, _path("initdb"), f"--pgdata={data}", "--username=bongsu", "--auth=trust", "--no-sync",
            "--encoding=UTF8", "--locale=C.UTF-8", "--no-instructions",
        ]  # fmt: skip
        made = subprocess.run(command, capture_output=True, check=False)
        if made.returncode != 0:
            raise CopyFailed(f"no scratch server could be made: {_last_line(made.stderr)}")
        server = _launch(before, data, socket, root / "log")
        yield Scratch(socket)
    finally:
        if server is not None:
            server.send_signal(signal.SIGQUIT)  # nothing of it is kept
            server.wait()
        shutil.rmtree(root, ignore_errors=True)
        shutil.rmtree(socket, ignore_errors=True)


def _launch(before: Sequence[str], data: Path, socket: Path, log: Path) -> subprocess.Popen[bytes]:
    settings = {
        "listen_addresses": "", "unix_socket_directories": str(socket), "fsync": "off", "synchronous_commit": "off",
        "full_page_writes": "off", "wal_level": "minimal", "max_wal_senders": "0", "autovacuum": "off",
        "shared_buffers": "64MB", "max_connections": "10",
    }  # fmt: skip
    options = [each for name, value in settings.items() for each in ("-c", f"{name}={value}")]
    # the kernel ends it when the thread that started it does, however that comes about
    ending = [find_program("setpriv") or "setpriv", "--pdeathsig", "QUIT", "--"]
    command = [*before, *ending, _path("postgres"), "-D", str(data), *options]
    with log.open("wb") as out:
        server = subprocess.Popen(command, stdout=out, stderr=out)
    deadline = time.monotonic() + START_S
    while True:
        try:
            connect(Scratch(socket).dsn()).close()
        except Unavailable:
            if server.poll() is not None or time.monotonic() > deadline:
                server.kill()
                server.wait()
                raise CopyFailed(f"the scratch server did not start: {_last_line(log.read_bytes())}") from None
            time.sleep(0.02)
        else:
            return server


def _path(name: str) -> str:
    found = find_program(name)
    if found is None:
        raise CopyFailed(missing_programs()[0])
    return found


def _do(command: list[str], dsn: str) -> None:
    """Run a program on a database. The password goes by the environment, for everybody may read a command line."""
    address, environment = _split(dsn)
    done = subprocess.run(
        [_path(command[0]), *command[1:], f"--dbname={address}"], capture_output=True, check=False, env=environment
    )
    if done.returncode != 0:
        raise CopyFailed(f"{command[0]}: {_last_line(done.stderr)}")


def _split(dsn: str) -> tuple[str, Mapping[str, str]]:
    from psycopg.conninfo import conninfo_to_dict, make_conninfo

    parts = {key: str(value) for key, value in conninfo_to_dict(dsn).items() if value is not None}
    password = parts.pop("password", None)
    secret = {"PGPASSWORD": str(password)} if password is not None else {}
    return make_conninfo(**parts), {"PGCONNECT_TIMEOUT": str(PATIENCE_S), **os.environ, "LC_ALL": "C.UTF-8", **secret}


def _last_line(said: bytes) -> str:
    """What a program complained of last; what it adds to that are hints and places."""
    lines = [line.strip() for line in said.decode("utf-8", "replace").splitlines() if line.strip()]
    faults = [line for line in lines if "error" in line.lower() or "fatal" in line.lower()]
    return (faults or lines or ["no reason given"])[-1]
