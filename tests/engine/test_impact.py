"""Orders and money missed, from a real Prometheus that holds a week of them."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from bongsu.adapters.accesslog import EdgeLog
from bongsu.adapters.clock import SystemClock
from bongsu.adapters.prometheus import Prometheus
from bongsu.core.errors import InvalidInput
from bongsu.core.impact import Business, Sales
from bongsu.core.missed import Method
from bongsu.core.timescale import Timescale
from bongsu.engine.impact import measure
from bongsu.lab.programs import find_program
from tests.support import free_port, wait_for

NOON = datetime(2026, 1, 8, 12, 0, tzinfo=UTC)
WINDOW = (NOON, NOON + timedelta(minutes=40))
WON = 15000.0
SALES = Sales('shop_orders_total{result="paid"}', "shop_order_value_won_total", "KRW")


def per_minute(at: datetime) -> int:
    """Orders: 10 a minute, at noon 30; in the window of the eighth 4."""
    if WINDOW[0] < at <= WINDOW[1]:
        return 4
    return 30 if at.hour == 12 and at.minute else 10


def backfill(folder: Path, since: datetime) -> None:
    """Samples each minute, of two machines, up to an hour after the window."""
    promtool = find_program("promtool")
    assert promtool, "promtool is missing: apt-get install --no-install-recommends prometheus"
    orders, won = [], []
    total, at = 0, since
    while at <= WINDOW[1] + timedelta(hours=1):
        total += per_minute(at)
        for machine in ("a", "b"):
            orders.append(f'shop_orders_total{{result="paid",instance="{machine}"}} {total / 2} {at.timestamp():.0f}')
            won.append(f'shop_order_value_won_total{{instance="{machine}"}} {total / 2 * WON} {at.timestamp():.0f}')
        at += timedelta(minutes=1)
    lines = ["# TYPE shop_orders counter", *orders, "# TYPE shop_order_value_won counter", *won, "# EOF", ""]
    (folder / "sales.om").write_text("\n".join(lines))
    subprocess.run(
        [promtool, "tsdb", "create-blocks-from", "openmetrics", "sales.om", "data"],
        cwd=folder, check=True, capture_output=True,
    )  # fmt: skip


@pytest.fixture(scope="module", params=[timedelta(days=5, minutes=-20), timedelta(hours=1)], ids=["days", "calm"])
def prometheus(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Prometheus with so much history before the window; of the fifth day it has half."""
    folder = tmp_path_factory.mktemp("prometheus")
    backfill(folder, WINDOW[0] - request.param)
    program = find_program("prometheus")
    assert program, "Prometheus is missing: apt-get install --no-install-recommends prometheus"
    (folder / "prometheus.yml").write_text("global: {scrape_interval: 1m}\n")
    address = f"127.0.0.1:{free_port()}"
    options = ["--config.file=prometheus.yml", "--storage.tsdb.path=data", "--storage.tsdb.retention.time=100y"]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [program, *options, f"--web.listen-address={address}"], cwd=folder, stdout=log, stderr=log
        )
    try:
        wait_for("Prometheus", lambda: _ready(address), 60)
        yield (
            Prometheus(f"http://{address}", 10, Timescale(), SystemClock(), timedelta(minutes=1)),
            "days" if request.param > timedelta(days=1) else "calm",
        )
    finally:
        server.terminate()
        server.wait(20)


def _ready(address: str) -> bool:
    try:
        with urlopen(f"http://{address}/-/ready", timeout=1):
            return True
    except OSError:
        return False


@pytest.fixture
def log(tmp_path: Path) -> EdgeLog:
    (tmp_path / "edge.jsonl").write_text("")
    return EdgeLog((tmp_path / "edge.jsonl",), Timescale())


def missed(log: EdgeLog, metrics: Prometheus, sales: Sales) -> Business:
    found = measure("shop", log, WINDOW, sales=sales, metrics=metrics, timescale=Timescale())
    assert found.business is not None
    return found.business


def test_orders_and_revenue_are_missed_against_what_was_to_be_expected(log: EdgeLog, prometheus: Any) -> None:
    metrics, history = prometheus
    found = missed(log, metrics, SALES)
    assert found.orders is not None
    assert found.revenue is not None
    assert found.orders.seen == pytest.approx(160, rel=0.05)
    if history == "days":
        expected, method, compared = 1200, Method.SAME_HOURS, 4
    else:
        expected, method, compared = 400, Method.CALM_RATE, 6
    assert (found.orders.method, found.orders.compared) == (method, compared)
    assert found.orders.expected == pytest.approx(expected, rel=0.05)
    assert found.orders.missing_low <= expected - 160 <= found.orders.missing_high
    assert found.revenue.missing == pytest.approx(found.orders.missing * WON, rel=0.01)
    assert found.queries[0] == 'sum(increase(shop_orders_total{result="paid"}[2400000ms]))'


def test_counters_that_are_not_there_give_no_estimate(log: EdgeLog, prometheus: Any) -> None:
    found = missed(log, prometheus[0], Sales("orders_of_nobody"))
    assert (found.orders, found.revenue) == (None, None)
    assert "no orders to compare with" in found.unknown
    found = missed(log, prometheus[0], Sales("orders{"))
    assert "refuses" in found.unknown


def test_a_time_that_ends_before_it_begins_is_refused(log: EdgeLog, prometheus: Any) -> None:
    with pytest.raises(InvalidInput, match="ends before it begins"):
        measure("shop", log, (NOON, NOON), sales=None, metrics=prometheus[0], timescale=Timescale())
