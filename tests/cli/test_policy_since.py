"""``bongsu policy backtest --since``: a real Prometheus that remembers nine days."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bongsu.adapters.clock import SystemClock
from bongsu.adapters.fetch import get
from bongsu.cli.main import app
from bongsu.core.errors import InvalidInput
from bongsu.lab.programs import find_program
from bongsu.ports import Unavailable
from tests.support import free_port, wait_for

DAYS = 9


def remembered(folder: Path, until: datetime) -> None:
    """Blocks of two machines with a sale every evening; the second was added three days ago."""
    lines = ["# TYPE system_cpu_usage gauge"]
    for name, days in (("old", DAYS), ("new", 3.5)):
        begin = until - timedelta(days=days)
        for minute in range(0, int(days * 1440), 2):
            at = begin + minute * timedelta(minutes=1)
            cpu = 0.8 if 16 <= at.hour < 23 else 0.05
            lines.append(f'system_cpu_usage{{job="application",instance="{name}"}} {cpu} {at.timestamp():.0f}')
    text = folder / "past.txt"
    text.write_text("\n".join([*lines, "# EOF"]) + "\n")
    promtool = find_program("promtool")
    assert promtool, "promtool is missing: apt-get install --no-install-recommends prometheus"
    command = [promtool, "tsdb", "create-blocks-from", "openmetrics", str(text), str(folder / "data")]
    subprocess.run(command, check=True, capture_output=True)


@pytest.fixture(scope="module")
def configuration(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("past")
    remembered(folder, SystemClock().now().replace(microsecond=0))
    (folder / "prometheus.yml").write_text("global: {}\n")
    program, port = find_program("prometheus"), free_port()
    assert program
    command = [program, f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data"]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen([*command, f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log)

    def ready() -> bool:
        try:
            return get(f"http://127.0.0.1:{port}/-/ready").status == 200
        except Unavailable:
            return False

    wait_for("Prometheus", ready)
    path = folder / "bongsu.toml"
    path.write_text(
        f"""
[prometheus]
url = "http://127.0.0.1:{port}"

[service.shop]
machine = "lightsail:small-2GB"
policy = "burst"

[service.quiet]
job = "quiet"
machine = "lightsail:small-2GB"
policy = "burst"

[policy.burst]
tier = [{{ after = "PT5M", notify = ["person:jimin"] }}]

[person.jimin]
name = "Kim Jimin"
contact = [{{ email = "jimin@example.com" }}]
"""
    )
    yield path
    server.terminate()
    server.wait(10)


def test_the_past_of_a_service_is_judged(configuration: Path) -> None:
    asked = ["policy", "backtest", "-c", str(configuration), "--service", "shop", "--since", "9d", "--json"]
    found = CliRunner().invoke(app, asked, catch_exceptions=False)
    told = json.loads(found.output)
    assert told["machines"] == 2
    of_old = [each for each in told["exhaustions"] if each["machine"] == "old"]
    assert 5 <= len(of_old) <= 7, "one an evening, after two that teach"
    for each in of_old:
        at = datetime.fromisoformat(each["at"]).astimezone(UTC)
        assert 16 <= at.hour < 23
        assert each["minutes_before"]["tier 1"] == pytest.approx((at.hour - 16) * 60 + at.minute, abs=10)


def test_capacity_is_planned_on_the_past_of_a_service(configuration: Path) -> None:
    asked = ["burst", "plan", "-c", str(configuration), "--service", "shop", "--since", "9d", "--json"]
    told = json.loads(CliRunner().invoke(app, asked, catch_exceptions=False).output)
    assert told["today"] | {"fault": ""} == {
        "machine": "lightsail:small-2GB", "machines": 2, "carries": False, "fault": ""
    }  # fmt: skip
    assert told["demand"]["vcpus_peak"] == pytest.approx(3.2, abs=0.01)
    assert told["best"]["count"] >= 2


def test_a_service_without_a_past_says_so(configuration: Path) -> None:
    asked = ["policy", "backtest", "-c", str(configuration), "--service", "quiet", "--since", "2d"]
    with pytest.raises(InvalidInput, match="has no CPU of service 'quiet'"):
        CliRunner().invoke(app, asked, catch_exceptions=False)


def test_of_several_services_one_must_be_named(configuration: Path) -> None:
    with pytest.raises(InvalidInput, match="--service: name one of shop, quiet"):
        CliRunner().invoke(
            app, ["policy", "backtest", "-c", str(configuration), "--since", "2d"], catch_exceptions=False
        )
