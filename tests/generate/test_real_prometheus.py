"""The generated files in a real Prometheus that scrapes a Spring payload: loaded, healthy, and with figures."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from urllib.parse import quote
from urllib.request import urlopen

import pytest

from bongsu.generate.promql import EVALUATED, OVER, SIGNAL
from bongsu.lab.programs import find_program
from tests.generate.conftest import SHOP, generated
from tests.monitoring.payloads import serve
from tests.support import free_port, wait_for


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Its address; it runs with nothing but the generated files."""
    folder, port = tmp_path_factory.mktemp("prometheus"), free_port()
    program = find_program("prometheus")
    assert program, "apt-get install --no-install-recommends prometheus"
    with serve("3.5-histogram") as target:
        text = SHOP.replace('["shop-1:8080", "shop-2:8080"]', f'["{target}"]')
        generated(folder, text.replace("[prometheus]", '[prometheus]\nscrape = "PT1S"', 1))
        command = [
            program,
            f"--config.file={folder / 'out/prometheus/prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--log.level=error",
        ]
        with (folder / "log").open("wb") as log:
            running = subprocess.Popen(command, stdout=log, stderr=log)
        url = f"http://127.0.0.1:{port}"
        try:
            wait_for("a sample of the CPU", lambda: _value(url, f'{SIGNAL}{{bongsu_signal="cpu"}}'))
            yield url
        finally:
            running.terminate()
            running.wait(20)


def _ask(url: str, path: str) -> dict[str, list[dict[str, object]]]:
    try:
        with urlopen(f"{url}/api/v1/{path}", timeout=5) as answer:
            found: dict[str, list[dict[str, object]]] = json.load(answer)["data"]
    except OSError:
        return {}
    return found


def _value(url: str, query: str) -> list[dict[str, object]]:
    return _ask(url, f"query?query={quote(query)}").get("result", [])


def test_every_rule_is_evaluated_without_an_error(prometheus: str) -> None:
    def unhealthy() -> dict[str, object]:
        groups = _ask(prometheus, "rules").get("groups", [])
        rules = [rule for group in groups for rule in group["rules"]]  # type: ignore[attr-defined]
        assert len(rules) > 25
        return {rule["name"]: rule.get("lastError") for rule in rules if rule["health"] != "ok"}

    wait_for("every rule's first evaluation", lambda: not unhealthy() or "unknown" not in str(unhealthy()))
    assert not unhealthy()


@pytest.mark.parametrize("signal", ["cpu", "pool_timeouts", "pool_pending", "log_events"])
def test_every_signal_is_recorded_by_machine(prometheus: str, signal: str) -> None:
    query = f'{SIGNAL}{{bongsu_service="shop",job="application",instance!="",bongsu_signal="{signal}"}}'
    wait_for(f"bongsu:signal of {signal}", lambda: _value(prometheus, query))


@pytest.mark.parametrize("series", [EVALUATED, OVER, "bongsu:credits_estimate", "bongsu:runway_seconds"])
def test_what_the_alerts_read_is_recorded(prometheus: str, series: str) -> None:
    wait_for(series, lambda: _value(prometheus, series))


def test_a_bongsu_that_is_not_there_is_missing(prometheus: str) -> None:
    query = 'ALERTS{alertname="BongsuHeartbeatMissing"}'
    wait_for("the heartbeat's alert", lambda: _value(prometheus, query))
