"""What all tests share: a real PostgreSQL, a database on either kind, and a world for stories."""

from __future__ import annotations

import itertools
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from bongsu.lab.postgres import disguise
from bongsu.lab.programs import find_program
from bongsu.store.database import Database
from bongsu.store.migrate import migrate
from bongsu.testing import World
from tests.support import wait_for

_numbers = itertools.count(1)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Some tests hold printed documents against the code; this writes them anew."""
    parser.addoption("--write-docs", action="store_true", help="write the documents that tests print")


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A PostgreSQL of our own on a Unix socket; its URL without a database name."""
    initdb, postgres = find_program("initdb"), find_program("postgres")
    if not initdb or not postgres:
        pytest.fail("PostgreSQL is missing: apt-get install --no-install-recommends postgresql")
    root = tmp_path_factory.mktemp("pg")
    data, before = root / "data", disguise(root / "data")
    subprocess.run(
        [*before, initdb, "-D", str(data), "-U", "test", "-A", "trust", "--no-sync"], check=True, capture_output=True
    )
    settings = [f"unix_socket_directories={root}", "listen_addresses=", "fsync=off", "max_connections=100"]
    settings.append("track_commit_timestamp=on")
    options = [each for setting in settings for each in ("-c", setting)]
    with (root / "log").open("wb") as log:
        server = subprocess.Popen([*before, postgres, "-D", str(data), *options], stdout=log, stderr=log)
    wait_for("PostgreSQL", lambda: _answers(root))
    yield f"postgresql+psycopg://test@/DATABASE?host={root}"
    server.terminate()
    server.wait(20)


def _answers(socket: Path) -> bool:
    try:
        psycopg.connect(host=str(socket), user="test", dbname="postgres").close()
    except psycopg.OperationalError:
        return False
    return True


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'bongsu.db'}"
    url: str = request.getfixturevalue("postgres_server")
    name = f"test{next(_numbers)}"
    host = url.rpartition("=")[2]
    with psycopg.connect(host=host, user="test", dbname="postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    return url.replace("DATABASE", name)


@pytest.fixture
def db(database_url: str) -> Iterator[Database]:
    """A database with the present schema."""
    opened = Database(database_url)
    migrate(opened)
    yield opened
    opened.close()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Two machines, a shop, Jimin on call."""
    stage = World(f"sqlite:///{tmp_path / 'bongsu.db'}", tmp_path)
    yield stage
    stage.close()
