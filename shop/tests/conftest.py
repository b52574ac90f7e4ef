"""What the tests share: one PostgreSQL, a filled database for each test, a shop in this process or as its own."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from fastapi.testclient import TestClient
from servers import ShopProcess, postgres

from bongsu_instrument import Instrument
from shop.app import create_app
from shop.database import Database
from shop.migrate import migrate
from shop.seed import seed
from shop.settings import Settings
from shop.shop import Shop

KEY = bytes(range(32))
STOCK, PRODUCTS, USERS = 50, 12, 30
_numbers = itertools.count(1)
logging.getLogger("httpx2").setLevel(logging.WARNING)  # the test's client lives in the process whose log is counted


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """PostgreSQL, with a filled database to copy from."""
    with postgres(tmp_path_factory.mktemp("pg")) as url:
        with psycopg.connect(url.replace("DATABASE", "postgres"), autocommit=True) as connection:
            connection.execute("CREATE DATABASE filled")
        filled = url.replace("DATABASE", "filled")
        migrate(filled)
        database = Database(filled, size=1, timeout=5)
        database.open()
        seed(database, products=PRODUCTS, users=USERS, stock=STOCK, orders=0)
        database.close()
        yield url


def _new_database(server: str, template: str) -> str:
    name = f"test{next(_numbers)}"
    with psycopg.connect(server.replace("DATABASE", "postgres"), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}".encode())
    return server.replace("DATABASE", name)


@pytest.fixture
def empty_url(server: str) -> str:
    """A database without tables."""
    return _new_database(server, "template1")


@pytest.fixture
def database_url(server: str) -> str:
    """A database with 12 products, 50 of each, and 30 users."""
    return _new_database(server, "filled")


@pytest.fixture
def settings(database_url: str) -> Settings:
    """A pool small enough to be exhausted."""
    return Settings(
        database_url=database_url, user_hash_key=KEY, machine="m1", pool_size=8, pool_timeout=5, log_level=logging.INFO
    )


@pytest.fixture
def shop(settings: Settings) -> Shop:
    """Not opened yet: the client does that."""
    return Shop(settings, Instrument())


@pytest.fixture
def client(shop: Shop) -> Iterator[TestClient]:
    """The application in this process."""
    with TestClient(create_app(shop), raise_server_exceptions=False) as client:
        shop.database.pool.wait(10)
        yield client


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    """The key by which users are hashed."""
    path = tmp_path / "key"
    path.write_text(KEY.hex() + "\n")
    return path


@pytest.fixture
def shop_process(database_url: str, key_file: Path, tmp_path: Path) -> Iterator[ShopProcess]:
    """The shop as users run it."""
    environment = {
        "SHOP_DATABASE_URL": database_url,
        "SHOP_USER_HASH_KEY_FILE": str(key_file),
        "SHOP_MACHINE": "m1",
        "SHOP_POOL_SIZE": "4",
        "SHOP_POOL_TIMEOUT": "1",
    }
    process = ShopProcess(environment, tmp_path)
    try:
        process.wait()
        yield process
    finally:
        process.end()
