"""Two real servers on one PostgreSQL, their clocks half a minute apart: one mail for each tier, whichever dies."""

from __future__ import annotations

import json
import os
import signal
from collections import Counter
from collections.abc import Iterator
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
  {{ after = "PT3S", notify = ["team:commerce"] }},
  {{ after = "PT6S", notify = ["team:headquarters"] }},
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
    servers: list[Server] = []
    try:
        for number, ahead in enumerate(("PT30S", "PT0S")):
            folder = tmp_path / str(number)
            folder.mkdir()
            servers.append(Server(folder, database_url, STEPS.format(ahead=ahead), smtp=sink[1]))
        yield servers
    finally:
        for server in servers:
            if server.process.poll() is None:
                server.process.terminate()
                server.process.wait(15)


def post(server: Server) -> int:
    body = [{"labels": {"alertname": "Slow", "bongsu_service": "shop"}}]
    return server.ask("POST", "/api/v2/alerts", json.dumps(body).encode())[0]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("victim", [None, 0, 1], ids=["both live", "the first dies", "the second dies"])
def test_each_tier_is_one_mail(pair: list[Server], sink: tuple[Sink, int], victim: int | None) -> None:
    handler, _ = sink

    def tiers() -> list[tuple[str, str, str]]:
        return [each for each in handler.got if each[1].startswith("tier")]

    for server in pair:  # as Prometheus does that knows both
        assert post(server) == 200
    wait_for("the first tier", tiers)
    if victim is not None:
        os.kill(pair[victim].process.pid, signal.SIGKILL)
        pair[victim].process.wait(10)
    wait_for("the third tier", lambda: "tier 3" in {told for _, told, _ in tiers()}, 40)
    found = Counter(tiers())
    expected = {("jimin@example.com", "tier 1"), ("commerce@example.com", "tier 2"), ("hq@example.com", "tier 3")}
    assert {(to, told) for to, told, _ in found} == expected
    assert len(found) == len(expected), f"another Message-ID: {found}"
    repeated = sum(found.values()) - len(found)
    assert repeated <= (0 if victim is None else 1), found
    alive = next(server for number, server in enumerate(pair) if number != victim)
    health = alive.ask("GET", "/healthz")[1]
    assert health["reasons"] == []


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_clock_that_is_wrong_is_corrected_and_said(pair: list[Server]) -> None:
    wrong, right = pair
    wait_for("the first comparison", lambda: wrong.ask("GET", "/healthz")[1]["warnings"])
    ((only,), none) = (server.ask("GET", "/healthz")[1]["warnings"] for server in (wrong, right))
    assert none == []
    assert only["what"] == "clock_skew"
    assert only["why"].startswith("this computer's clock runs 30.0 s ahead of that of the database")
    lines = str(wrong.ask("GET", "/metrics")[1]).splitlines()
    ahead = next(line for line in lines if line.startswith('bongsu_clock_ahead_seconds{of="database"}'))
    assert abs(float(ahead.split()[1]) - 30) < 0.5
