"""What the shop tells about itself: access log, log events, metrics, the pool under pressure."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import KEY
from customers import order
from fastapi.testclient import TestClient
from servers import wait_for

from bongsu_instrument import TRACE, Instrument
from shop.app import create_app
from shop.logs import set_up_logging
from shop.settings import Settings
from shop.shop import Shop

FIELDS = [
    "ts", "level", "logger", "event", "machine", "request_id", "method", "route", "path", "status", "duration_ms",
    "user", "visitor", "synthetic",
]  # fmt: skip


@pytest.fixture
def log(settings: Settings, tmp_path: Path) -> Iterator[Path]:
    """The shop's log file; the process's logging is put back afterwards."""
    root, path = logging.getLogger(), tmp_path / "shop.jsonl"
    handlers, level = root.handlers[:], root.level
    set_up_logging(replace(settings, log_file=path))
    yield path
    root.handlers[0].close()
    root.handlers[:] = handlers
    root.setLevel(level)


def lines(path: Path, logger: str) -> list[dict[str, Any]]:
    every = [json.loads(each) for each in path.read_text().splitlines()]
    return [each for each in every if each["logger"] == logger]


def hashed(text: str) -> str:
    return hmac.new(KEY, text.encode(), hashlib.sha256).hexdigest()


def test_the_access_log(log: Path, client: TestClient) -> None:
    headers = {"X-User-Id": "17", "Cookie": "a=b; visitor=v-9; c=d", "X-Request-Id": "edge-1", "X-Synthetic": "1"}
    answer = client.get("/products/3?x=1", headers=headers)
    assert answer.headers["X-Request-Id"] == "edge-1"
    made_up = client.get("/nowhere").headers["X-Request-Id"]
    first, second = lines(log, "shop.access")
    assert list(first) == FIELDS
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", first.pop("ts"))
    assert 0 < first.pop("duration_ms") < 10_000
    assert first == {
        "level": "info", "logger": "shop.access", "event": "request", "machine": "m1", "request_id": "edge-1",
        "method": "GET", "route": "/products/{id}", "path": "/products/3", "status": 200, "user": hashed("17"),
        "visitor": hashed("v-9"), "synthetic": True,
    }  # fmt: skip
    assert (second["route"], second["status"], second["request_id"]) == ("UNKNOWN", 404, made_up)
    assert (second["user"], second["visitor"], second["synthetic"]) == (None, None, False)


def test_refusals_are_told_at_info_and_failures_at_error(log: Path, client: TestClient, shop: Shop) -> None:
    counting = shop.instrument.count_logs()
    order(client, 1, {1: 51})
    (refused,) = lines(log, "shop.business")
    assert (refused["level"], refused["event"], refused["code"]) == ("info", "refused", "P002")
    assert (refused["route"], refused["user"]) == ("/orders", hashed("1"))

    def fail() -> None:
        raise ZeroDivisionError("by design")

    shop.top_sellers.read = fail  # type: ignore[assignment, method-assign]
    answer = client.get("/products/top")
    counting.stop()
    assert (answer.status_code, answer.json()["code"]) == (500, "S500")
    (failure,) = lines(log, "shop.error")
    assert (failure["level"], failure["error"]) == ("error", "ZeroDivisionError")
    assert failure["request_id"] == answer.json()["detail"]["request_id"] == answer.headers["X-Request-Id"]
    assert "by design" in failure["stack"]
    assert lines(log, "shop.access")[-1]["status"] == 500
    value = shop.instrument.registry.get_sample_value
    assert value("logback_events_total", {"level": "error"}) == 1
    assert value("logback_events_total", {"level": "info"}) == 3, "two requests, one refusal"
    labels = {"method": "GET", "uri": "/products/top", "status": "500", "outcome": "SERVER_ERROR"}
    name = {"exception": "ZeroDivisionError", "error": "ZeroDivisionError"}
    assert value("http_server_requests_seconds_count", {**labels, **name}) == 1


def test_the_filter_logs_at_trace(log: Path, client: TestClient, shop: Shop) -> None:
    counting = shop.instrument.count_logs()
    client.get("/products/1")
    logging.getLogger().setLevel(TRACE)
    client.get("/products/2", headers={"X-Request-Id": "r"})
    counting.stop()
    (entered,) = lines(log, "shop.filter")
    assert (entered["level"], entered["event"], entered["path"]) == ("trace", "enter", "/products/2")
    assert shop.instrument.registry.get_sample_value("logback_events_total", {"level": "trace"}) == 1


def test_a_moved_log_file_is_made_anew(log: Path, client: TestClient) -> None:
    client.get("/healthz/live")
    log.rename(log.with_suffix(".1"))
    client.get("/healthz/live")
    assert len(lines(log, "shop.access")) == 1


def test_an_exhausted_pool_is_a_503_and_counted(log: Path, settings: Settings) -> None:
    shop = Shop(replace(settings, pool_size=2, pool_timeout=0.3), Instrument())

    def value(name: str) -> float:
        return shop.instrument.registry.get_sample_value(f"hikaricp_connections{name}", {"pool": "shop"}) or 0.0

    with TestClient(create_app(shop)) as client, ThreadPoolExecutor(3) as people:
        shop.database.pool.wait(10)
        assert (value(""), value("_idle"), value("_active"), value("_max")) == (2, 2, 0, 2)
        with ExitStack() as hog:
            for _ in range(2):
                hog.enter_context(shop.database.reading())
            running = [people.submit(client.get, "/products/1") for _ in range(3)]
            wait_for("three to wait", lambda: value("_pending") == 3, 10)
            assert (value(""), value("_idle"), value("_active")) == (2, 0, 2)
            answers = [each.result(20) for each in running]
            assert client.get("/healthz/ready").status_code == 200, "busy is not dead"
        assert [(each.status_code, each.json()["code"]) for each in answers] == [(503, "DB001")] * 3
        assert client.get("/products/1").status_code == 200
        # The probe that found the pool exhausted, too.
        assert value("_timeout_total") == 4
        assert value("_acquire_seconds_count") == 2 + 3 + 1 + 1
        assert value("_acquire_seconds_max") >= 0.3
        assert value("_usage_seconds_count") == 3
        assert value("_usage_seconds_max") >= 0.3
        assert value("_creation_seconds_count") == 2
        assert value("_pending") == value("_active") == 0
        labels = {"method": "GET", "uri": "/products/{id}", "status": "503", "outcome": "SERVER_ERROR"}
        name = {"exception": "PoolTimeout", "error": "PoolTimeout"}
        count = shop.instrument.registry.get_sample_value("http_server_requests_seconds_count", {**labels, **name})
        assert count == 3
    failures = lines(log, "shop.business")
    assert [(each["level"], each["code"]) for each in failures] == [("error", "DB001")] * 3


def test_a_statement_that_takes_too_long_is_a_503(client: TestClient, shop: Shop) -> None:
    locked, enough = threading.Event(), threading.Event()

    def lock() -> None:
        with shop.database.pool.connection() as connection, connection.transaction():
            connection.execute("LOCK TABLE products")
            locked.set()
            assert enough.wait(20)

    with ThreadPoolExecutor(1) as other:
        running = other.submit(lock)
        assert locked.wait(20)
        answer = client.get("/products/1")
        enough.set()
        running.result(20)
    assert (answer.status_code, answer.json()["code"]) == (503, "DB003")


def test_all_metrics_are_well_formed(client: TestClient, shop: Shop) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.fail("promtool is missing: apt-get install --no-install-recommends prometheus")
    order(client, 1, {1: 1})
    text = client.get("/actuator/prometheus").content
    checked = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, check=False)
    known = 'system_cpu_count non-histogram and non-summary metrics should not have "_count" suffix'
    assert [each for each in checked.stderr.decode().splitlines() if each != known] == []
    assert b'shop_orders_total{result="created"} 1.0' in text
    assert b'uri="/orders"' in text
