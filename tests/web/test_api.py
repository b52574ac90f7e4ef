"""The API over a real server process: alerts in, incidents out, commands with a token, errors that say where."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import free_port, wait_for

CONFIG = """
[service.shop]
machine = "lightsail:small-2GB"
policy = "burst"
[policy.burst]
tier = [{{ after = "PT5M", notify = ["on-call:shop"] }}]
[person.jimin]
name = "Kim Jimin"
contact = [{{ email = "jimin@example.com" }}]
[schedule.shop]
rotation = {{ people = ["jimin"], every = "P7D", from = "2026-01-05T09:00:00+09:00" }}
[prometheus]
url = "http://127.0.0.1:9"
[smtp]
port = 9
[web]
port = {port}
secrets = "{folder}/secrets"
[store]
url = "sqlite:///{folder}/bongsu.db"
"""


class Server:
    """``bongsu serve`` in a process of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        (folder / "bongsu.toml").write_text(CONFIG.format(port=self.port, folder=folder))
        self.start()

    def start(self) -> None:
        with (self.folder / "log").open("ab") as log:
            command = [sys.executable, "-m", "bongsu", "serve", "--config", str(self.folder / "bongsu.toml")]
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        wait_for("bongsu serve", lambda: self.ask("GET", "/healthz")[0] == 200)

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, Any]:
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", body, headers, method=method)
        if body is not None:
            request.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, _decode(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return error.code, _decode(error.read())
        except OSError:
            return 0, None

    @property
    def token(self) -> str:
        return (self.folder / "secrets" / "api_token").read_text().strip()


def _decode(data: bytes) -> Any:
    try:
        return json.loads(data) if data else None
    except ValueError:
        return data.decode()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server(tmp_path_factory.mktemp("serve"))
    yield running
    running.process.terminate()
    assert running.process.wait(10) == 0, "it ends in good order"


def alert(name: str, **more: Any) -> bytes:
    return json.dumps([{"labels": {"alertname": name, "bongsu_service": "shop"}, **more}]).encode()


def test_an_alert_is_an_incident_when_the_post_is_answered(server: Server) -> None:
    assert server.ask("POST", "/api/v2/alerts", alert("PoolTimeouts"))[0] == 200
    _, found = server.ask("GET", "/api/incidents?service=shop")
    assert [each["policy"]["name"] for each in found] == ["alerts"]
    _, shown = server.ask("GET", f"/api/incidents/{found[0]['id']}")
    assert [line["what"] for line in shown["timeline"]][:1] == ["opened"]


def test_what_was_answered_survives_kill_9(server: Server) -> None:
    server.ask("POST", "/api/v2/alerts", alert("BeforeTheKill"))
    before = server.ask("GET", "/api/incidents")[1]
    os.kill(server.process.pid, signal.SIGKILL)
    server.process.wait(10)
    server.start()
    assert [each["id"] for each in server.ask("GET", "/api/incidents")[1]] == [each["id"] for each in before]


@pytest.mark.parametrize(
    ("body", "where"),
    [
        (b"not json", "malformed"),
        (b'[{"labels": {"alertname": 7}}]', "$[0].labels"),
        (b'{"labels": {}}', "expected `array`"),
        (b'[{"labels": {}}]', "$[0].labels: empty"),
        (b'[{"labels": {"a-b": "x"}}]', "'a-b' is not a label name"),
        (b'[{"labels": {"a": "x"}, "startsAt": "yesterday"}]', "$[0].startsAt"),
        (b'[{"labels": {"a": "x"}, "startsAt": "2026-01-05T20:00:00"}]', "$[0].startsAt: has no time zone"),
        (b'[{"labels": {"a": "x"}, "startsAt": "2026-01-05T20:00:00Z", "endsAt": "2026-01-05T19:00:00Z"}]', "after"),
    ],
)
def test_bad_alerts_are_refused_with_their_place(server: Server, body: bytes, where: str) -> None:
    status, answer = server.ask("POST", "/api/v2/alerts", body)
    assert status == 400
    assert where.lower() in answer["message"].lower(), answer


def test_all_bad_alerts_of_a_post_are_named_and_none_is_kept(server: Server) -> None:
    body = b'[{"labels": {}}, {"labels": {"alertname": "Kept?", "service": "shop"}}, {"labels": {"a b": "c"}}]'
    status, answer = server.ask("POST", "/api/v2/alerts", body)
    assert status == 400
    assert len(answer["problems"]) == 2


@pytest.mark.parametrize("verb", ["acknowledge", "resolve", "scale-out"])
def test_nothing_is_changed_without_the_token(server: Server, verb: str) -> None:
    server.ask("POST", "/api/v2/alerts", alert("Guarded"))
    incident = server.ask("GET", "/api/incidents")[1][0]["id"]
    for headers in ({}, {"Authorization": "Bearer wrong"}):
        assert server.ask("POST", f"/api/incidents/{incident}/{verb}", b"{}", **headers)[0] == 401


def test_commands_work_with_the_token_and_say_what_cannot_be(server: Server) -> None:
    server.ask("POST", "/api/v2/alerts", alert("Commands"))
    incident = server.ask("GET", "/api/incidents")[1][0]["id"]
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


def test_rare_and_heavy_libraries_are_not_loaded_by_the_server() -> None:
    program = (
        "import sys; import bongsu.cli.main, bongsu.bootstrap, bongsu.web.app, bongsu.engine.worker;"
        "print([m for m in ('duckdb', 'aiohttp', 'numpy', 'aiosmtpd') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
