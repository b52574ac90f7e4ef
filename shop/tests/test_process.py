"""The shop as users run it: commands, ports, the end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from servers import ShopProcess, free_port, wait_for


def get(url: str) -> tuple[int, bytes]:
    with urllib.request.urlopen(url, timeout=20) as answer:
        return answer.status, answer.read()


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SHOP_")}
    command = [sys.executable, "-m", "shop", *arguments]
    return subprocess.run(command, env=clean | environment, capture_output=True, text=True, timeout=60, check=False)


def test_it_answers_on_both_ports_and_stops_cleanly(shop_process: ShopProcess) -> None:
    wait_for("readiness", lambda: _ready(shop_process))
    assert get(f"{shop_process.url}/products/1")[0] == 200
    for url in (shop_process.metrics_url, f"{shop_process.url}/actuator/prometheus"):
        text = get(url)[1].decode()
        assert 'hikaricp_connections_max{pool="shop"} 4.0' in text
        assert 'uri="/products/{id}"' in text
        assert 'application_started_time_seconds{main_application_class="shop"}' in text
        assert 'logback_events_total{level="error"} 0.0' in text
    began = time.monotonic()
    shop_process.process.send_signal(signal.SIGTERM)
    assert shop_process.process.wait(10) == 0
    assert time.monotonic() - began < 5
    events = [json.loads(line) for line in shop_process.log.read_text().splitlines()]
    assert any(each["event"] == "request" for each in events)
    assert shop_process.errors.read_text() == ""


def _ready(shop: ShopProcess) -> bool:
    try:
        return get(f"{shop.url}/healthz/ready")[0] == 200
    except OSError:
        return False


def test_it_stops_although_requests_hang(shop_process: ShopProcess, database_url: str) -> None:
    with psycopg.connect(database_url) as connection, ThreadPoolExecutor(6) as people:
        connection.execute("LOCK TABLE products")
        for _ in range(6):  # four hang in the database, two wait for a connection
            people.submit(get, f"{shop_process.url}/products/1")
        wait_for("the pool to be exhausted", lambda: _pending(shop_process) >= 2)
        began = time.monotonic()
        shop_process.process.send_signal(signal.SIGTERM)
        assert shop_process.process.wait(10) == 0
        assert time.monotonic() - began < 4, "a statement may take 4 s; the stop does not wait for it"


def _pending(shop: ShopProcess) -> float:
    text = get(shop.metrics_url)[1].decode()
    return float(text.partition('hikaricp_connections_pending{pool="shop"} ')[2].partition("\n")[0])


def test_kept_connections_are_answered_at_once(shop_process: ShopProcess) -> None:
    from http.client import HTTPConnection

    connection = HTTPConnection("127.0.0.1", shop_process.port, timeout=20)
    times = []
    for _ in range(15):
        began = time.monotonic()
        connection.request("GET", "/healthz/live")
        connection.getresponse().read()
        times.append(time.monotonic() - began)
    connection.close()
    assert min(times) < 0.03, "Nagle's algorithm would hold each back for 40 ms"


def test_unwatched_it_answers_its_customers_alone(database_url: str, key_file: Path, tmp_path: Path) -> None:
    settings = {"SHOP_DATABASE_URL": database_url, "SHOP_USER_HASH_KEY_FILE": str(key_file), "SHOP_INSTRUMENT": "0"}
    shop = ShopProcess(settings, tmp_path)
    try:
        shop.wait()
        wait_for("readiness", lambda: _ready(shop))
        assert get(f"{shop.url}/products/1")[0] == 200
        with pytest.raises(urllib.error.HTTPError, match="404") as missing:
            get(f"{shop.url}/actuator/prometheus")
        missing.value.close()
        with pytest.raises(urllib.error.URLError, match="refused"):
            get(shop.metrics_url)
    finally:
        shop.end()


def test_what_is_missing_is_named() -> None:
    done = run("serve")
    assert done.returncode == 2
    assert "SHOP_DATABASE_URL is missing: set it to" in done.stderr
    assert "SHOP_USER_HASH_KEY_FILE is missing: set it to" in done.stderr
    assert run("migrate").returncode == run("seed").returncode == 2


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"SHOP_DATABASE_URL": "mysql://user:secret@there"}, "SHOP_DATABASE_URL is not an address of PostgreSQL"),
        ({"SHOP_USER_HASH_KEY_FILE": "/nowhere/key"}, "which cannot be read"),
        ({"SHOP_USER_HASH_KEY_FILE": __file__}, "which holds no hexadecimal digits"),
        ({"SHOP_POOL_SIZE": "many"}, "SHOP_POOL_SIZE is 'many': set it to a number from 1 to 1000"),
        ({"SHOP_POOL_TIMEOUT": "0"}, "SHOP_POOL_TIMEOUT is '0': set it to a number"),
        ({"SHOP_LOG_LEVEL": "loud"}, "SHOP_LOG_LEVEL is 'loud': set it to one of trace"),
        ({"SHOP_LOG_FILE": "/nowhere/log"}, "there is no folder '/nowhere'"),
        ({"SHOP_INSTRUMENT": "maybe"}, "SHOP_INSTRUMENT is 'maybe': set it to 1"),
    ],
)
def test_what_is_wrong_is_named(key_file: Path, wrong: Mapping[str, str], told: str) -> None:
    from shop.settings import BadSettings, read_settings

    good = {"SHOP_DATABASE_URL": "postgresql://a@b/c", "SHOP_USER_HASH_KEY_FILE": str(key_file)}
    assert read_settings(good).pool_size == 10
    with pytest.raises(BadSettings) as raised:
        read_settings({**good, **wrong})
    assert told in str(raised.value)
    assert "secret" not in str(raised.value)


def test_a_taken_port_is_named(shop_process: ShopProcess, database_url: str, key_file: Path) -> None:
    environment = {"SHOP_DATABASE_URL": database_url, "SHOP_USER_HASH_KEY_FILE": str(key_file)}
    done = run("serve", "--port", str(shop_process.port), "--metrics-port", "0", **environment)
    assert (done.returncode, "cannot listen on 127.0.0.1" in done.stderr) == (2, True)
    done = run("serve", "--port", "0", "--metrics-port", str(shop_process.metrics_port), **environment)
    assert (done.returncode, "metrics cannot be served on" in done.stderr) == (2, True)


def test_commands(empty_url: str) -> None:
    assert "python -m shop migrate" in run("seed", SHOP_DATABASE_URL=empty_url).stderr
    assert (
        run("migrate", SHOP_DATABASE_URL=empty_url).stdout
        == "applied: 0001_shop.sql, 0002_prices_and_corrections.sql\n"
    )
    assert run("migrate", SHOP_DATABASE_URL=empty_url).stdout == "the tables are up to date\n"
    done = run("seed", "--products", "5", "--users", "4", "--orders", "3", SHOP_DATABASE_URL=empty_url)
    assert done.stdout == "added: 5 products, 4 users, 3 orders\n"
    away = run("migrate", SHOP_DATABASE_URL=f"postgresql://a@127.0.0.1:{free_port()}/a")
    assert (away.returncode, "does not answer" in away.stderr) == (1, True)
    assert "SHOP_DATABASE_URL" in run("--help").stdout
