"""Burst credits as people meet them: the API, the board in both languages, the commands and the metrics."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from bongsu.adapters.clock import SystemClock
from bongsu.catalogue import load_catalogue
from bongsu.core.breach import Point
from bongsu.lab.programs import find_program
from bongsu.store import balances
from bongsu.store.database import Database, Transaction
from bongsu.store.migrate import migrate
from tests.support import wait_for
from tests.web.serving import Server

SMALL = load_catalogue()["lightsail:small-2GB"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that finds two machines in its database: one measured a moment ago, one never."""
    folder = tmp_path_factory.mktemp("burst")
    db, now = Database(f"sqlite:///{folder}/bongsu.db"), SystemClock().now()
    migrate(db)
    points = [Point(now, "shop-1", 0.9, balance=60.0), Point(now, "shop-2", 0.1)]

    def keep(tx: Transaction) -> None:
        ledger = balances.to_change(tx, "shop")
        ledger.take(points, SMALL, now)
        balances.keep(tx, "shop", ledger)

    db.write(keep)
    db.close()
    running = Server(folder)
    try:
        wait_for("the forecast", lambda: len(running.ask("GET", "/api/burst")[1][0]["forecast"]["within_min"]) > 0)
        yield running
    finally:
        running.process.terminate()
        assert running.process.wait(10) == 0


def bongsu(server: Server, *arguments: str) -> subprocess.CompletedProcess[str]:
    where = ["--server", f"http://127.0.0.1:{server.port}", "--token-file", f"{server.folder}/secrets/api_token"]
    return subprocess.run(
        [sys.executable, "-m", "bongsu", "burst", *arguments, *where],
        check=False, capture_output=True, text=True, timeout=60, env={**os.environ, "COLUMNS": "200"},
    )  # fmt: skip


def test_the_api_tells_what_is_known_and_what_is_not(server: Server) -> None:
    known, unknown = server.ask("GET", "/api/burst")[1]
    assert known["balance"] == pytest.approx(60.0)
    assert known["forecast"]["full_burn_min"] == pytest.approx(60 / (2 - SMALL.earn_per_minute))
    assert known["said"]["en"].endswith("at full burn 37 min")
    assert unknown["balance"] is None
    assert unknown["at_most"] == SMALL.cap
    assert unknown["forecast"]["method"] == "blind"


@pytest.mark.parametrize(("locale", "title"), [("en", "Burst credits"), ("ko", "버스트 크레딧")])
def test_the_board_speaks_both_languages(server: Server, locale: str, title: str) -> None:
    status, html = server.ask("GET", f"/burst?lang={locale}")
    assert status == 200
    assert f"<h1>{title}</h1>" in html
    assert '<a href="#m2">shop · shop-2</a>' in html
    assert 'id="m2"' in html


def test_the_commands(server: Server) -> None:
    assert "60.0" in bongsu(server, "status", "--machine", "shop-1").stdout
    said = bongsu(server, "forecast").stdout
    assert "shop-1: " in said
    assert "between 0 and 576 credits" in said
    explained = bongsu(server, "explain", "--machine", "shop-1", "--lang", "ko").stdout
    assert "지난 한 시간" in explained
    found: list[dict[str, Any]] = json.loads(bongsu(server, "status", "--json").stdout)
    assert [each["machine"] for each in found] == ["shop-1", "shop-2"]


def test_bad_words_are_told_all_at_once(server: Server) -> None:
    refused = bongsu(server, "explain", "--machine", "shop-9")
    assert refused.returncode == 2
    assert "known: shop-1, shop-2" in refused.stderr
    assert "en or ko" in bongsu(server, "explain", "--lang", "fr").stderr


def test_the_metrics_are_there_and_clean(server: Server) -> None:
    text = server.ask("GET", "/metrics")[1]
    assert 'bongsu_burst_balance_credits{machine="shop-1",service="shop"} 60.0' in text
    assert 'bongsu_burst_exhaustion_probability{machine="shop-1",service="shop",within="30m"}' in text
    assert 'bongsu_burst_balance_credits{machine="shop-2"' not in text
    promtool = find_program("promtool")
    assert promtool, "promtool is missing"
    ours = "".join(line for line in text.splitlines(keepends=True) if "bongsu_burst" in line)
    checked = subprocess.run([promtool, "check", "metrics"], input=ours, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr + checked.stdout
