"""Webhooks: Alertmanager's and Grafana's own forms and a plain one, each with a token of its own."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bongsu.lab.programs import find_program
from tests.support import free_port, wait_for
from tests.web.serving import Server

MORE = """
[integration.cron]
service = "shop"
[integration.am]
form = "alertmanager"
[integration.grafana]
form = "grafana"
service = "shop"
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server(tmp_path_factory.mktemp("hooks"), more=MORE)
    yield running
    running.process.terminate()
    assert running.process.wait(10) == 0


def bearer(server: Server, name: str) -> dict[str, str]:
    token = (server.folder / "secrets" / f"integration-{name}").read_text().strip()
    return {"Authorization": f"Bearer {token}"}


def send(server: Server, name: str, body: object) -> tuple[int, Any]:
    return server.ask("POST", f"/api/hooks/{name}", json.dumps(body).encode(), **bearer(server, name))


def alerts(server: Server, name: str) -> list[dict[str, Any]]:
    found = server.ask("GET", "/api/v2/alerts")[1]
    return [each for each in found if each["labels"]["alertname"] == name]


def test_a_line_of_a_cron_job_is_an_alert_until_it_says_that_it_is_over(server: Server) -> None:
    assert send(server, "cron", {"title": "BackupFailed", "summary": "no space left"}) == (202, {"alerts": 1})
    (found,) = alerts(server, "BackupFailed")
    assert found["labels"]["bongsu_service"] == "shop"
    assert found["annotations"] == {"summary": "no space left"}
    send(server, "cron", {"title": "BackupFailed", "status": "resolved"})
    assert alerts(server, "BackupFailed") == []


def test_grafanas_webhook_is_understood(server: Server) -> None:
    alert = {
        "status": "firing", "labels": {"alertname": "FromGrafana", "grafana_folder": "Shop"}, "annotations": {},
        "startsAt": "2026-01-05T20:00:00+09:00", "endsAt": "0001-01-01T00:00:00Z", "values": {"B": 22.5},
        "generatorURL": "http://grafana:3000/alerting/x/edit", "fingerprint": "aa", "silenceURL": "http://grafana:3000/s",
        "dashboardURL": "", "panelURL": "", "valueString": "[ var='B' value=22.5 ]",
    }  # fmt: skip
    envelope = {
        "receiver": "bongsu", "status": "firing", "alerts": [alert], "groupLabels": {}, "version": "1",
        "groupKey": "{}", "orgId": 1, "title": "[FIRING:1]", "state": "alerting", "message": "x",
    }  # fmt: skip
    assert send(server, "grafana", envelope)[0] == 202
    (found,) = alerts(server, "FromGrafana")
    assert found["startsAt"] == "2026-01-05T11:00:00.000Z"


def test_a_real_alertmanager_hands_its_alerts_on(server: Server, tmp_path: Path) -> None:
    program, amtool = find_program("prometheus-alertmanager"), find_program("amtool")
    assert program, "apt-get install --no-install-recommends prometheus-alertmanager"
    assert amtool
    (tmp_path / "alertmanager.yml").write_text(
        f"""
route: {{receiver: bongsu, group_wait: 0s, group_interval: 1s}}
receivers:
  - name: bongsu
    webhook_configs:
      - url: http://127.0.0.1:{server.port}/api/hooks/am
        http_config: {{authorization: {{credentials: {bearer(server, "am")["Authorization"].split()[1]}}}}}
"""
    )
    port = free_port()
    command = [program, f"--config.file={tmp_path}/alertmanager.yml", f"--storage.path={tmp_path}/data"]
    command += [f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address="]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    add = [amtool, f"--alertmanager.url=http://127.0.0.1:{port}", "alert", "add", "HandedOn", "service=shop"]
    wait_for("Alertmanager", lambda: subprocess.run(add, capture_output=True, check=False).returncode == 0)
    wait_for("its alert", lambda: alerts(server, "HandedOn"))
    process.terminate()
    process.wait(10)
    assert alerts(server, "HandedOn")[0]["receivers"] == [{"name": "shop/alerts"}]


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Bearer "}])
@pytest.mark.parametrize("name", ["cron", "nobody"])
def test_a_stranger_learns_nothing(server: Server, name: str, headers: dict[str, str]) -> None:
    status, said = server.ask("POST", f"/api/hooks/{name}", b"{}", **headers)
    assert (status, "integration-NAME" in said["message"]) == (401, True)


@pytest.mark.parametrize(
    ("name", "body", "where"),
    [
        ("cron", b"[]", "not a webhook of the form 'plain'"),
        ("cron", b"{}", "title"),
        ("cron", b'{"title": "x", "status": "maybe"}', "neither firing nor resolved"),
        ("cron", b'{"title": "x", "labels": {"a-b": "c"}}', "'a-b' is not a label name"),
        ("cron", b'{"title": ""}', "$.labels: empty"),
        ("am", b'{"alerts": [{"labels": {}}]}', "$.alerts[0].labels: empty"),
        ("am", b'{"alerts": 7}', "$.alerts"),
        ("grafana", b"\xff", "not a webhook"),
    ],
)
def test_a_faulty_webhook_says_where(server: Server, name: str, body: bytes, where: str) -> None:
    status, said = server.ask("POST", f"/api/hooks/{name}", body, **bearer(server, name))
    assert status == 400
    assert where in said["message"], said
