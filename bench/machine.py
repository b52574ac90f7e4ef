"""What the benches share: a PostgreSQL of their own, and how much CPU the host took away meanwhile."""

from __future__ import annotations

import itertools
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import psycopg

from bongsu.lab.postgres import disguise
from bongsu.lab.programs import find_program
from tests.support import wait_for


class Steal:
    """The share of all CPU time that the host took away since it began."""

    def __enter__(self) -> Self:
        self._began = _stat()
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def share(self) -> float:
        """0..1."""
        total, stolen = (now - then for now, then in zip(_stat(), self._began, strict=True))
        return stolen / total if total else 0.0


def _stat() -> tuple[int, int]:
    fields = [int(field) for field in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    return sum(fields), fields[7]


@contextmanager
def postgres() -> Iterator[Callable[[], str]]:
    """A PostgreSQL that syncs as in earnest; call what is given for the URL of a new database."""
    initdb, server = find_program("initdb"), find_program("postgres")
    assert initdb, "apt-get install --no-install-recommends postgresql"
    assert server
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        data, before = Path(folder, "data"), disguise(Path(folder, "data"))
        subprocess.run(
            [*before, initdb, "-D", str(data), "-U", "bench", "-A", "trust"], check=True, capture_output=True
        )
        options = ["-c", f"unix_socket_directories={folder}", "-c", "listen_addresses=", "-c", "max_connections=100"]
        process = subprocess.Popen([*before, server, "-D", str(data), *options], stderr=subprocess.DEVNULL)

        def connect() -> psycopg.Connection[tuple[object, ...]]:
            return psycopg.connect(host=folder, user="bench", dbname="postgres", autocommit=True)

        def answers() -> bool:
            try:
                connect().close()
            except psycopg.OperationalError:
                return False
            return True

        wait_for("PostgreSQL", answers)
        numbers = itertools.count(1)

        def fresh() -> str:
            name = f"bench{next(numbers)}_{time.time_ns()}"
            with connect() as connection:
                connection.execute(f"CREATE DATABASE {name}".encode())
            return f"postgresql+psycopg://bench@/{name}?host={folder}"

        yield fresh
        process.terminate()
        process.wait(20)
