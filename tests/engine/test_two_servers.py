"""Two real servers on one PostgreSQL, their clocks half a minute apart: one mail for each tier, whichever dies."""

from __future__ import annotations

import json
import os
import signal
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from email import message_from_bytes
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller

from tests.support import free_port, wait_for
from tests.web.serving import Server

STEPS = """
[watch]
every = "PT1S"
[team.commerce]
name = "Commerce department"
contact = [{{ email = "commerce@example.com" }}]
[team.headquarters]
name = "Headquarters"
contact = [{{ email = "hq@example.com" }}]
[policy.steps]
tier = [
  {{ after = "PT0S", notify = ["on-call:shop"] }},
  {{ after = "PT2S", notify = ["team:commerce"] }},
  {{ after = "PT4S", notify = ["team:headquarters"] }},
]
[[route]]
match = ["alertname=Slow"]
service = "shop"
policy = "steps"
[timescale]
ahead = "{ahead}"
"""


class Sink:
    """Keeps who was told what, by which Message-ID."""

    def __init__(self) -> None:
        self.got: list[tuple[str, str, str]] = []

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        letter = message_from_bytes(envelope.content)
        told = f"{letter['X-Bongsu-Kind']} {letter['X-Bongsu-Tier'] or ''}".strip()
        self.got += [(to, told, str(letter["Message-ID"])) for to in envelope.rcpt_tos]
        return "250 kept"


@pytest.fixture
def sink() -> Iterator[tuple[Sink, int]]:
    handler, port = Sink(), free_port()
    controller = Controller(handler, hostname="127.0.0.1", port=port)
    controller.start()
    yield handler, port
    controller.stop()


@pytest.fixture
def pair(database_url: str, tmp_path: Path, sink: tuple[Sink, int]) -> Iterator[list[Server]]:
    """The first one's clock is wrong. Both start at once, on an empty database."""
    servers: list[Server] = []

    def start(number: int, ahead: str) -> Server:
        folder = tmp_path / str(number)
        folder.mkdir()
        return Server(folder, database_url, STEPS.format(ahead=ahead), smtp=sink[1])

    with ThreadPoolExecutor(2) as pool:
        servers += pool.map(start, (0, 1), ("PT30S", "PT0S"))
    yield servers
    for server in servers:
        if server.process.poll() is None:
            server.process.terminate()
            server.process.wait(15)


def post(server: Server) -> int:
    body = [{"labels": {"alertname": "Slow"}}]
    return server.ask("POST", "/api/v2/alerts", json.dumps(body).encode())[0]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("victim", [0, 1], ids=["the first dies", "the second dies"])
def test_each_tier_is_one_mail(pair: list[Server], sink: tuple[Sink, int], victim: int) -> None:
    handler, _ = sink
    check_clocks(*pair)

    def tiers() -> list[tuple[str, str, str]]:
        return [each for each in handler.got if each[1].startswith("tier")]

    for server in pair:  # as Prometheus does that knows both
        assert post(server) == 200
    wait_for("the second tier, while both live", lambda: "tier 2" in {told for _, told, _ in tiers()})
    assert Counter(tiers()).most_common(1)[0][1] == 1, "one mail each while nobody dies"
    os.kill(pair[victim].process.pid, signal.SIGKILL)
    pair[victim].process.wait(10)
    wait_for("the third tier", lambda: "tier 3" in {told for _, told, _ in tiers()}, 40)
    found = Counter(tiers())
    expected = {("jimin@example.com", "tier 1"), ("commerce@example.com", "tier 2"), ("hq@example.com", "tier 3")}
    assert {(to, told) for to, told, _ in found} == expected
    assert len(found) == len(expected), f"another Message-ID: {found}"
    assert sum(found.values()) - len(found) <= 1, found
    assert pair[1 - victim].ask("GET", "/healthz")[1]["reasons"] == []


def check_clocks(wrong: Server, right: Server) -> None:
    """The one that is half a minute ahead says so, and goes by the database's."""
    wait_for("the first comparison", lambda: wrong.ask("GET", "/healthz")[1]["warnings"])
    ((only,), none) = (server.ask("GET", "/healthz")[1]["warnings"] for server in (wrong, right))
    assert none == []
    assert only["what"] == "clock_skew"
    assert only["why"].startswith("this computer's clock runs 30.0 s ahead of that of the database")
    lines = str(wrong.ask("GET", "/metrics")[1]).splitlines()
    ahead = next(line for line in lines if line.startswith('bongsu_clock_ahead_seconds{of="database"}'))
    assert abs(float(ahead.split()[1]) - 30) < 0.5
    first, second = (datetime.fromisoformat(each.ask("GET", "/healthz")[1]["time"]) for each in (wrong, right))
    assert abs(second - first) < timedelta(seconds=5)
