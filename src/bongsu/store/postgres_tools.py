"""PostgreSQL's own programs for copies: pg_dump, pg_restore and psql, of Debian's package postgresql-client."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from sqlalchemy import URL

from bongsu.core.errors import BongsuError, InvalidInput
from bongsu.programs import find_program
from bongsu.store.schema import metadata

_COPY = re.compile(rb'COPY (?:"?\w+"?\.)?"?(\w+)"? \(.*\) FROM stdin;')
_PATIENCE = 10
"""Seconds for a connection."""


class ToolFailed(BongsuError):
    """A program of PostgreSQL failed."""


def tables() -> list[str]:
    """Bongsu's own tables; a database may hold others, which are not ours to copy or to move."""
    return [*metadata.tables, "migrations"]


def tool(name: str) -> str:
    """Where a program is. Raises ToolFailed that names the package it is in."""
    found = find_program(name)
    if found is None:
        raise ToolFailed(
            f"{name} is missing: apt-get install --no-install-recommends postgresql-client   "
            "(its version must not be older than the server's)"
        )
    return found


def dump(url: URL, to: Path, lock: int) -> None:
    """Copy Bongsu's tables into a file of pg_dump's custom format. ``lock``: kept open as long as pg_dump lives."""
    command = [tool("pg_dump"), "--format=custom", "--no-owner", "--no-privileges", f"--file={to}"]
    command += [f"--table={name}" for name in tables()]
    _run([*command, f"--dbname={_target(url)}"], url, (lock,))


def contents(file: Path) -> tuple[dict[str, int], set[int]]:
    """The rows of each table and the migrations in a dump, which is read to its end. Raises InvalidInput if damaged."""
    rows: dict[str, int] = {}
    schema: set[int] = set()
    table = ""
    command = [tool("pg_restore"), "--data-only", "--file=-", str(file)]
    with tempfile.TemporaryFile() as said:
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=said) as it:
            for line in it.stdout or ():
                begins = None if table else _COPY.match(line)
                if begins:
                    table = begins[1].decode()
                    rows[table] = 0
                elif line == b"\\.\n":
                    table = ""
                elif table:
                    rows[table] += 1
                    if table == "migrations":
                        schema.add(int(line))
        if it.returncode != 0:
            said.seek(0)
            raise InvalidInput([f"{file} is damaged: {_last_line(said.read())}; take another backup"])
    return rows, schema


def replay(file: Path, url: URL, before: Sequence[str]) -> None:
    """Run ``before`` and then a dump on a database: all of it in one transaction, or nothing. Raises ToolFailed."""
    steps = [f"--command={statement}" for statement in before]
    writer = [tool("psql"), "--no-psqlrc", "--quiet", "--single-transaction", "--set=ON_ERROR_STOP=1", *steps]
    reader = [tool("pg_restore"), "--no-owner", "--no-privileges", "--file=-", str(file)]
    with tempfile.TemporaryFile() as said, subprocess.Popen(reader, stdout=subprocess.PIPE, stderr=said) as read:
        assert read.stdout is not None
        with subprocess.Popen(
            [*writer, "--file=-", f"--dbname={_target(url)}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=said,
            env=_environment(url),
        ) as write:
            assert write.stdin is not None
            try:
                shutil.copyfileobj(read.stdout, write.stdin)
                write.stdin.flush()
            except BrokenPipeError:
                read.kill()  # psql has ended by itself and said why
            if read.wait() != 0:
                write.kill()  # before it sees the end of its input, which it would take for the end of the dump
            with suppress(BrokenPipeError):
                write.stdin.close()
        if read.returncode != 0 or write.returncode != 0:
            said.seek(0)
            raise ToolFailed(f"nothing was restored: {_last_line(said.read())}")


def _run(command: Sequence[str], url: URL, kept: tuple[int, ...]) -> None:
    done = subprocess.run(command, capture_output=True, check=False, env=_environment(url), pass_fds=kept)
    if done.returncode != 0:
        raise ToolFailed(_last_line(done.stderr))


def _target(url: URL) -> str:
    """The database as libpq names it; the password goes another way, for everybody may read a command line."""
    return url.set(drivername="postgresql")._replace(password=None).render_as_string()


def _environment(url: URL) -> dict[str, str]:
    password = {"PGPASSWORD": str(url.password)} if url.password is not None else {}
    return {"PGCONNECT_TIMEOUT": str(_PATIENCE), "LC_ALL": "C.UTF-8", **os.environ, **password}


def _last_line(said: bytes) -> str:
    """What a program complained of last; what it adds to that are hints and places."""
    lines = [line.strip() for line in said.decode("utf-8", "replace").splitlines() if line.strip()]
    faults = [line for line in lines if "error" in line.lower() or "fatal" in line.lower()]
    return (faults or lines or ["no reason given"])[-1]
