"""The real shop's data: orders made and paid by its customers, a backup, and more orders after it."""

from __future__ import annotations

import http.client
import itertools
import json
import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psycopg
import pytest

from bongsu.adapters.backup_folder import BackupFolder
from bongsu.adapters.clock import SystemClock
from bongsu.adapters.servicedata import ServiceData
from bongsu.config.invariants import load_invariants
from bongsu.core.backups import Backup
from bongsu.lab.programs import shop_command
from tests.support import free_port, wait_for

INVARIANTS = Path(__file__).parents[2] / "shop" / "src" / "shop" / "invariants"
PRODUCTS, USERS = 24, 20
_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Books:
    """``server``: a URL with DATABASE in the database's place; ``template``: the database to copy."""

    server: str
    template: str
    backups: Path
    backup: Backup


def trade(port: int, first: int, count: int) -> None:
    """Customers order and pay; some only order, some charge points."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)

    def post(path: str, body: object, user: int, key: str) -> Any:
        headers = {"X-User-Id": str(user), "Idempotency-Key": key, "Content-Type": "application/json"}
        connection.request("POST", path, json.dumps(body), headers)
        answer = connection.getresponse()
        told = json.loads(answer.read())
        assert answer.status in (200, 201), told
        return told

    for number in range(first, first + count):
        user = number % USERS + 1
        lines = [{"product_id": (5 * number + step) % PRODUCTS + 1, "quantity": step} for step in (1, 2)]
        order = post("/orders", {"lines": lines}, user, f"o{number}")
        if number % 4:
            post(f"/orders/{order['id']}/payment", {}, user, f"p{number}")
        if number % 3 == 0:
            post(f"/users/{user}/points/charge", {"amount": 100 + number}, user, f"c{number}")
    connection.close()


@contextmanager
def shop(url: str, folder: Path) -> Iterator[int]:
    """The shop as users run it; its port."""
    port = free_port()
    (folder / "key").write_text("00" * 32)
    environment = {
        **os.environ, "SHOP_DATABASE_URL": url, "SHOP_USER_HASH_KEY_FILE": str(folder / "key"),
        "SHOP_LOG_FILE": str(folder / "shop.jsonl"), "SHOP_INSTRUMENT": "0", "SHOP_POOL_SIZE": "2",
    }  # fmt: skip
    command = [*shop_command(), "serve", "--port", str(port), "--metrics-port", str(free_port())]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    try:
        wait_for("the shop", lambda: _listens(port))
        yield port
    finally:
        process.terminate()
        process.wait(20)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def care_of(url: str, backups: Path) -> ServiceData:
    """The shop's data with the shop's own invariants."""
    invariants, rules = load_invariants(INVARIANTS)
    return ServiceData("shop", url, invariants, rules, BackupFolder(backups, "shop"), SystemClock())


@pytest.fixture(scope="session")
def books(postgres_server: str, tmp_path_factory: pytest.TempPathFactory) -> Books:
    """Half of the trade before the backup, half after it."""
    folder = tmp_path_factory.mktemp("books")
    server = postgres_server.replace("+psycopg", "")
    _sql(server, "CREATE DATABASE shop_books")
    url = server.replace("DATABASE", "shop_books")
    for arguments in (["migrate"], ["seed", "--products", str(PRODUCTS), "--users", str(USERS), "--orders", "6"]):
        command = [*shop_command(), *arguments]
        subprocess.run(command, env={**os.environ, "SHOP_DATABASE_URL": url}, check=True, capture_output=True)
    data = care_of(url, folder / "backups")
    with shop(url, folder) as port:
        trade(port, 0, 30)
        backup = data.back_up()
        trade(port, 30, 30)
    return Books(server, "shop_books", folder / "backups", backup)


def _sql(server: str, sql: str) -> None:
    with psycopg.connect(server.replace("DATABASE", "postgres"), autocommit=True) as connection:
        connection.execute(sql.encode())


@pytest.fixture
def data(books: Books, tmp_path: Path) -> Iterator[ServiceData]:
    """A copy of the books, and of the folder with the backup, for one test."""
    name = f"books{next(_numbers)}"
    _sql(books.server, f"CREATE DATABASE {name} TEMPLATE {books.template}")
    shutil.copytree(books.backups, tmp_path / "backups")
    yield care_of(books.server.replace("DATABASE", name), tmp_path / "backups")
    _sql(books.server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def backup(books: Books) -> Backup:
    """The one made in the middle."""
    return books.backup


@pytest.fixture
def sql(data: ServiceData) -> Callable[..., list[Any]]:
    """Past the shop, as the owner, past the guards of tables that only grow."""

    def run(statement: str, *values: object) -> list[Any]:
        with psycopg.connect(data.dsn) as connection:
            connection.execute("SET session_replication_role = replica")
            found = connection.execute(statement.encode(), values)
            return found.fetchall() if found.description else []

    return run


def as_user(data: ServiceData, role: str) -> ServiceData:
    """The same data, seen by another role."""
    return replace(data, dsn=data.dsn.replace("test@", f"{role}@"))
