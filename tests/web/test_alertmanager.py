"""Alertmanager's API: real clients (amtool, Prometheus) cannot tell, and bad input is told with its place."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from bongsu.lab.programs import find_program
from tests.support import free_port, wait_for
from tests.web.serving import Server


def alert(name: str, **more: Any) -> bytes:
    return json.dumps([{"labels": {"alertname": name, "bongsu_service": "shop"}, **more}]).encode()


def names(server: Server, query: str = "") -> set[str]:
    status, found = server.ask("GET", f"/api/v2/alerts{query}")
    assert status == 200, found
    return {each["labels"]["alertname"] for each in found}


@pytest.fixture
def amtool(server: Server, tmp_path: Path) -> Any:
    """Debian's amtool against the server, with the token that silences need."""
    program = find_program("amtool")
    assert program, "amtool is missing: apt-get install --no-install-recommends prometheus-alertmanager"
    http = tmp_path / "http.yml"
    http.write_text(f"authorization:\n  credentials: {server.token}\n")

    def run(*arguments: str, check: bool = True) -> str:
        url = f"http://127.0.0.1:{server.port}"
        command = [program, f"--alertmanager.url={url}", f"--http.config.file={http}", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
        assert not check or done.returncode == 0, done.stderr
        return done.stdout + ("" if check else done.stderr)

    return run


def test_amtool_adds_queries_silences_and_expires(server: Server, amtool: Any) -> None:
    amtool("alert", "add", "alertname=FromAmtool", "instance=m1", "severity=page", "--annotation=summary=hello")
    assert "FromAmtool" in amtool("alert", "query", "alertname=FromAmtool")
    assert "FromAmtool" in amtool("alert", "query", 'severity=~"pa.*"', "instance!=m2")
    assert "FromAmtool" not in amtool("alert", "query", "instance=m2")
    silence = amtool("silence", "add", "--author=jimin", "--comment=moving", "alertname=FromAmtool").strip()
    assert silence in amtool("silence", "query")
    assert silence in amtool("silence", "query", "alertname=FromAmtool")
    assert silence not in amtool("silence", "query", "alertname=Other")
    assert "FromAmtool" not in amtool("alert", "query")  # amtool leaves silenced alerts out unless asked
    assert "FromAmtool" in amtool("alert", "query", "--silenced", "alertname=FromAmtool")
    amtool("silence", "update", "--duration=3h", silence)
    amtool("silence", "expire", silence)
    assert silence not in amtool("silence", "query")
    assert silence in amtool("silence", "query", "--expired")
    assert "FromAmtool" in amtool("alert", "query", "alertname=FromAmtool")
    assert "shop" in amtool("config", "show")


def test_amtool_hears_what_is_wrong(server: Server, amtool: Any) -> None:
    said = amtool("silence", "add", "--author=jimin", "--comment=x", 'alertname=~".*"', check=False)
    assert "would mute everything" in said
    assert "404" in amtool("silence", "expire", "00000000-0000-0000-0000-000000000000", check=False)


RULES = """\
groups:
  - name: shop
    interval: 1s
    rules:
      - alert: TargetDown
        expr: up{job="shop"} == 0
        labels: {bongsu_service: shop, severity: page}
        annotations: {summary: "{{ $labels.instance }} does not answer"}
"""


@pytest.fixture
def prometheus(server: Server, tmp_path: Path) -> Iterator[Path]:
    """A real Prometheus that scrapes a target nobody serves, and alerts to the server."""
    targets = tmp_path / "targets.json"
    targets.write_text(json.dumps([{"targets": [f"127.0.0.1:{free_port()}"], "labels": {"job": "shop"}}]))
    (tmp_path / "rules.yml").write_text(RULES)
    (tmp_path / "prometheus.yml").write_text(
        "global: {scrape_interval: 1s, evaluation_interval: 1s}\nrule_files: [rules.yml]\n"
        f'alerting: {{alertmanagers: [{{static_configs: [{{targets: ["127.0.0.1:{server.port}"]}}]}}]}}\n'
        "scrape_configs: [{job_name: shop, file_sd_configs: [{files: [targets.json], refresh_interval: 1s}]}]\n"
    )
    program = find_program("prometheus")
    assert program, "Prometheus is missing: apt-get install --no-install-recommends prometheus"
    command = [program, f"--config.file={tmp_path}/prometheus.yml", f"--storage.tsdb.path={tmp_path}/data"]
    command += [f"--web.listen-address=127.0.0.1:{free_port()}", "--scrape.discovery-reload-interval=1s"]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    yield targets
    process.terminate()
    process.wait(10)


def test_a_real_prometheus_fires_and_resolves(server: Server, prometheus: Path) -> None:
    wait_for("the alert", lambda: "TargetDown" in names(server))
    query = "?filter=" + quote('alertname="TargetDown"')
    (found,) = server.ask("GET", f"/api/v2/alerts{query}")[1]
    assert "does not answer" in found["annotations"]["summary"]
    assert found["receivers"] == [{"name": "shop/alerts"}]
    prometheus.write_text("[]")  # the target is gone, and so is what was wrong with it
    wait_for("its end", lambda: "TargetDown" not in names(server, query))


def test_alerts_are_grouped_by_where_they_go(server: Server) -> None:
    server.ask("POST", "/api/v2/alerts", alert("Grouped"))
    status, groups = server.ask("GET", "/api/v2/alerts/groups")
    assert status == 200
    (group,) = [each for each in groups if each["receiver"]["name"] == "shop/alerts"]
    assert "Grouped" in {each["labels"]["alertname"] for each in group["alerts"]}
    assert group["labels"] == {"bongsu_service": "shop", "bongsu_policy": "alerts"}
    assert {"name": "shop/burst"} in server.ask("GET", "/api/v2/receivers")[1]


def test_alerts_are_listed_by_state_and_receiver(server: Server) -> None:
    server.ask("POST", "/api/v2/alerts", alert("Listed"))
    assert "Listed" in names(server, "?receiver=shop.*")
    assert "Listed" not in names(server, "?receiver=other")
    assert "Listed" not in names(server, "?active=false")
    status, said = server.ask("GET", "/api/v2/alerts?filter=" + quote("no matcher"))
    assert (status, "is not a matcher" in said) == (400, True)
    status, said = server.ask("GET", "/api/v2/alerts?receiver=(")
    assert (status, "regular expression" in said) == (400, True)


@pytest.mark.parametrize(
    ("body", "where"),
    [
        (b"not json", "malformed"),
        (b'[{"labels": {"a": "\xff"}}]', "not a list of alerts"),
        (b'[{"labels": {"alertname": 7}}]', "$[0].labels"),
        (b'{"labels": {}}', "expected `array`"),
        (b'[{"labels": {}}]', "$[0].labels: empty"),
        (b'[{"labels": {"a": ""}}]', "$[0].labels: empty"),
        (b'[{"labels": {"a-b": "x"}}]', "'a-b' is not a label name"),
        (b'[{"labels": {"a": "x"}, "startsAt": "yesterday"}]', "$[0].startsAt"),
        (b'[{"labels": {"a": "x"}, "endsAt": "' + b"2" * 65 + b'"}]', "length <= 64 - at `$[0].endsAt`"),
        (b'[{"labels": {"a": "x"}, "startsAt": 5}]', "$[0].startsAt"),
        (b'[{"labels": {"a": "x"}, "startsAt": "2026-01-05T20:00:00"}]', "$[0].startsAt: has no time zone"),
        (b'[{"labels": {"a": "x"}, "startsAt": "2026-01-05T20:00:00Z", "endsAt": "2026-01-05T19:00:00Z"}]', "after"),
    ],
)
def test_bad_alerts_are_refused_with_their_place(server: Server, body: bytes, where: str) -> None:
    status, said = server.ask("POST", "/api/v2/alerts", body)
    assert status == 400
    assert where.lower() in said.lower(), said


def test_a_bad_alert_does_not_take_the_good_ones_with_it(server: Server) -> None:
    body = b'[{"labels": {}}, {"labels": {"alertname": "Good", "service": "shop"}}, {"labels": {"a b": "c"}},'
    body += b' {"labels": {"alertname": "Late"}, "endsAt": "tomorrow"}]'
    status, said = server.ask("POST", "/api/v2/alerts", body)
    assert status == 400
    assert [f"$[{n}]" in said for n in range(4)] == [True, False, True, True]
    assert "Good" in names(server)


def test_silences_need_the_token(server: Server) -> None:
    assert server.ask("POST", "/api/v2/silences", b"{}")[0] == 401
    assert server.ask("DELETE", "/api/v2/silence/x")[0] == 401
