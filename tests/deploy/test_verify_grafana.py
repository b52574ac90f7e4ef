"""The parts of tools/verify_grafana.py that say what was seen; the whole of it needs Docker and Grafana."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bongsu.generate.files import document
from tools.verify_grafana import expected_rules, firing, rules_of, unhealthy

PROJECT = Path(__file__).resolve().parents[2]


def container(name: str, status: str, health: str | None = None, code: int = 0) -> dict[str, object]:
    """As ``docker inspect`` shows one."""
    state: dict[str, object] = {"Status": status, "ExitCode": code}
    if health is not None:
        state["Health"] = {"Status": health}
    return {"Config": {"Labels": {"com.docker.compose.service": name}}, "State": state}


def test_everything_is_well_when_what_stays_is_healthy_and_what_ends_has_ended_well() -> None:
    assert unhealthy([container("bongsu", "running", "healthy"), container("secrets", "exited")]) == []


@pytest.mark.parametrize(
    ("seen", "says"),
    [
        (container("bongsu", "running", "starting"), "bongsu: running, starting"),
        (container("bongsu", "running"), "bongsu: running, no health check"),
        (container("secrets", "exited", code=1), "secrets: exited (1)"),
        (container("shop-setup", "running"), "shop-setup: running (0)"),
    ],
)
def test_what_is_not_well_is_named(seen: dict[str, object], says: str) -> None:
    assert unhealthy([seen]) == [says]


def test_the_rules_that_must_be_loaded_are_read_out_of_a_generated_file() -> None:
    groups = [
        {"orgId": 1, "name": "a", "rules": [{"uid": "bongsu-down", "title": "x"}, {"uid": "bongsu-5xx"}]},
        {"orgId": 1, "name": "b", "rules": [{"uid": "bongsu-pool", "annotations": {"summary": "two\nlines\n"}}]},
    ]
    contacts = [{"name": "c", "receivers": [{"uid": "mail-jimin"}]}]
    text = document(
        "alerting/bongsu.yaml", ["About."], {"apiVersion": 1, "groups": groups, "contactPoints": contacts}
    ).text
    assert expected_rules(text) == {"bongsu-down", "bongsu-5xx", "bongsu-pool"}


def test_a_rule_fires_for_a_machine_when_its_alert_does() -> None:
    def rule(name: str, state: str, instance: str) -> dict[str, object]:
        return {"name": name, "alerts": [{"state": state, "labels": {"instance": instance}}]}

    rules = [rule("down", "Alerting", "shop-2"), rule("slow", "Normal", "shop-2"), rule("cpu", "Alerting", "shop-1")]
    answer = {"status": "success", "data": {"groups": [{"rules": rules}, {"rules": [{"name": "idle"}]}]}}
    assert firing(rules_of(answer), "shop-2") == ["down"]


def test_without_docker_it_says_that_nothing_was_verified(tmp_path: Path) -> None:
    told = subprocess.run(
        [sys.executable, "-m", "tools.verify_grafana"],
        cwd=PROJECT, env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert told.returncode == 2
    assert "nothing was verified" in told.stderr
