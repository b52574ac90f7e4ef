"""The API over a real server process: alerts in, incidents out, commands with a token, errors that say where."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support import wait_for
from tests.web.serving import Server, write_config


def alert(name: str, **more: Any) -> bytes:
    return json.dumps([{"labels": {"alertname": name, "bongsu_service": "shop"}, **more}]).encode()


def incidents_of(server: Server) -> list[Any]:
    """The incidents, once there is one."""
    wait_for("an incident", lambda: server.ask("GET", "/api/incidents?service=shop")[1])
    found: list[Any] = server.ask("GET", "/api/incidents?service=shop")[1]
    return found


def test_an_alert_becomes_an_incident(server: Server) -> None:
    assert server.ask("POST", "/api/v2/alerts", alert("PoolTimeouts"))[0] == 200
    found = incidents_of(server)
    assert [each["policy"]["name"] for each in found] == ["alerts"]
    _, shown = server.ask("GET", f"/api/incidents/{found[0]['id']}")
    assert [line["what"] for line in shown["timeline"]][:1] == ["opened"]


def test_what_was_answered_survives_kill_9(server: Server) -> None:
    assert server.ask("POST", "/api/v2/alerts", alert("BeforeTheKill"))[0] == 200
    os.kill(server.process.pid, signal.SIGKILL)
    server.process.wait(10)
    server.start()
    kept = server.ask("GET", "/api/v2/alerts?filter=alertname%3D%22BeforeTheKill%22")[1]
    assert [each["labels"]["alertname"] for each in kept] == ["BeforeTheKill"]
    wait_for("its incident", lambda: "BeforeTheKill" in incidents_of(server)[0]["seen"]["facts"]["alertname"])


@pytest.mark.parametrize("verb", ["acknowledge", "resolve", "scale-out"])
def test_nothing_is_changed_without_the_token(server: Server, verb: str) -> None:
    server.ask("POST", "/api/v2/alerts", alert("Guarded"))
    incident = incidents_of(server)[0]["id"]
    for headers in ({}, {"Authorization": "Bearer wrong"}):
        assert server.ask("POST", f"/api/incidents/{incident}/{verb}", b"{}", **headers)[0] == 401


def test_commands_work_with_the_token_and_say_what_cannot_be(server: Server) -> None:
    server.ask("POST", "/api/v2/alerts", alert("Commands"))
    incident = incidents_of(server)[0]["id"]
    bearer = {"Authorization": f"Bearer {server.token}"}
    status, answer = server.ask("POST", f"/api/incidents/{incident}/acknowledge", b'{"by": "Kim Jimin"}', **bearer)
    assert (status, answer["ack"]["by"]) == (200, "Kim Jimin")
    assert server.ask("POST", f"/api/incidents/{incident}/resolve", b"{}", **bearer)[0] == 409
    assert server.ask("POST", f"/api/incidents/{incident}/scale-out", b"{}", **bearer)[0] == 400
    assert server.ask("POST", "/api/incidents/nobody/acknowledge", b"{}", **bearer)[0] == 404


def test_a_second_server_on_the_same_database_says_who_holds_it(server: Server) -> None:
    command = [sys.executable, "-m", "bongsu", "serve", "--config", str(server.folder / "bongsu.toml")]
    second = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert second.returncode == 1
    assert f"process {server.process.pid}" in second.stderr


def test_our_own_metrics_pass_promtool(server: Server) -> None:
    _, text = server.ask("GET", "/metrics")
    promtool = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False)
    assert promtool.returncode == 0, promtool.stdout + promtool.stderr


HEAVY = (
    "pydantic", "apprise", "duckdb", "boto3", "numpy", "icalendar", "weasyprint", "aiosmtpd", "aiohttp",
    "typer", "rich", "markdown_it",
)  # fmt: skip
IDLE = """
import os, signal, sys, threading, time
from pathlib import Path

def look():
    while "bongsu.engine.worker" not in sys.modules:
        time.sleep(0.05)
    time.sleep(4)  # it idles for a while, so that what it does now and then is done
    print([name for name in sys.argv[2:] if name in sys.modules], "bongsu.engine.watch" in sys.modules, flush=True)
    os.kill(os.getpid(), signal.SIGTERM)

threading.Thread(target=look).start()
from bongsu.cli.serving import run
run(Path(sys.argv[1]), "error")
"""


def test_rare_and_heavy_libraries_are_not_loaded_by_an_idle_server(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    command = [sys.executable, "-c", IDLE, str(config), *HEAVY]
    found = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert found.stdout.splitlines()[-1] == "[] True", found.stderr


def test_nothing_of_the_command_line_stays_in_a_real_server(server: Server) -> None:
    held = Path(f"/proc/{server.process.pid}/maps").read_text()
    assert "msgspec/_core" in held, "libraries are seen there"
    assert "pydantic_core" not in held
    command = Path(f"/proc/{server.process.pid}/cmdline").read_bytes()
    assert b"bongsu.cli.serving" in command
