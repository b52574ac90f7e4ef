"""``bongsu impact`` on files, and judging over the API of a real server."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.support import wait_for
from tests.web.serving import Server

T0 = datetime(2026, 1, 5, 20, 0, tzinfo=UTC)
TIMES = ("--from", "2026-01-05T20:30:00Z", "--to", "2026-01-06T05:50:00+09:00")


def lines() -> Iterator[dict[str, Any]]:
    for second in range(0, 3000, 2):
        failed = second >= 1800 and second % 20 == 0
        yield {
            "ts": (T0 + timedelta(seconds=second)).isoformat(), "method": "GET", "path": f"/products/{second}",
            "status": 503 if failed else 200, "duration_ms": 12.5, "user": f"u{second % 100}", "visitor": "",
            "server": "m1",
        }  # fmt: skip


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("impact")
    (folder / "edge.jsonl").write_text("".join(json.dumps(each) + "\n" for each in lines()))
    running = Server(folder)
    text = (folder / "bongsu.toml").read_text()
    log = f'policy = "burst"\naccess_log = ["{folder}/edge.jsonl*"]\nimpact = {{ slow_over = "PT0.01S" }}\n'
    (folder / "bongsu.toml").write_text(text.replace('policy = "burst"\n', log, 1))
    yield running
    running.process.terminate()
    assert running.process.wait(10) == 0


def bongsu(server: Server, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bongsu", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=server.folder, check=False, timeout=60)


def test_a_time_is_counted_from_the_files(server: Server) -> None:
    done = bongsu(server, "impact", "--service", "shop", *TIMES, "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    impact = found["traffic"]["impact"]
    assert (impact["requests"], impact["failed_requests"], impact["slow_requests"]) == (600, 60, 540)
    assert (impact["failed"], impact["active"]) == (
        {"identified": 5, "upper": 5},
        {"identified": 50, "upper": 50},
    )
    shown = bongsu(server, "impact", "--service", "shop", *TIMES)
    assert "At least 50 users (identified) and at most 50" in shown.stdout
    assert "/products/{id}" in shown.stdout
    assert "Requests that never reached us: none by this estimate" in shown.stdout
    assert "CREATE TEMP VIEW edge" in bongsu(server, "impact", "--service", "shop", *TIMES, "--query").stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), ["name an incident, or a --service"]),
        (("x1", "--service", "shop"), ["not both", "--from is missing", "--to is missing"]),
        (("--service", "shop", "--from", "today", "--to", "2026-01-05"), ["'today' is not a time", "no time zone"]),
        (("--service", "shpo", *TIMES), ["there is no service 'shpo'; known: shop"]),
        (("--service", "shop", TIMES[0], TIMES[3], TIMES[2], TIMES[1]), ["ends before it begins"]),
        (("--service", "shop", *TIMES, "--config", "none.toml"), ["none.toml: cannot be read"]),
    ],
)
def test_what_is_asked_wrongly_is_told_all_at_once(server: Server, arguments: tuple[str, ...], said: list[str]) -> None:
    done = bongsu(server, "impact", *arguments)
    assert done.returncode == 2
    assert [each for each in said if each not in done.stderr] == []


def test_a_log_that_is_gone_is_an_error_in_a_sentence(server: Server, tmp_path: Path) -> None:
    text = (server.folder / "bongsu.toml").read_text().replace("edge.jsonl*", "gone.jsonl")
    (tmp_path / "other.toml").write_text(text)
    done = bongsu(server, "impact", "--service", "shop", *TIMES, "--config", str(tmp_path / "other.toml"))
    assert done.returncode == 1
    assert done.stderr.startswith("error: there is no access log at")
    assert "Traceback" not in done.stderr


def test_judging_from_the_terminal(server: Server) -> None:
    body = json.dumps([{"labels": {"alertname": "PoolTimeouts", "bongsu_service": "shop"}}]).encode()
    assert server.ask("POST", "/api/v2/alerts", body)[0] == 200
    wait_for("an incident", lambda: server.ask("GET", "/api/incidents")[1])
    incident = server.ask("GET", "/api/incidents")[1][0]["id"]
    address = ("--server", f"http://127.0.0.1:{server.port}")
    signed = (*address, "--token-file", str(server.folder / "secrets" / "api_token"))
    judged = ("incidents", "triage", incident, "--not-urgent", "--why", "a [test]", "--by", "Kim Jimin")
    assert bongsu(server, *judged, *address, "--token-file", "none").returncode == 2
    done = bongsu(server, *judged, *signed)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["triage"]["urgent"] is False
    agenda = bongsu(server, "incidents", "agenda", *address)
    assert "a [test]" in agenda.stdout
    assert json.loads(bongsu(server, "incidents", "agenda", "--json", *address).stdout)[0]["id"] == incident
    refused = bongsu(server, "incidents", "triage", incident, "--urgent", "--why", " ", *signed)
    assert refused.returncode == 1
    assert "say why in 1 to 500 characters" in refused.stderr
    for headers in ({}, {"Authorization": "Bearer wrong"}):
        answer = server.ask("POST", f"/api/incidents/{incident}/triage", b'{"urgent": true, "why": "x"}', **headers)
        assert answer[0] == 401
    asked = bongsu(server, "impact", incident, *address)
    assert asked.returncode == 1
    assert "has no access_log" in asked.stderr
