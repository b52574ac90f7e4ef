"""``bongsu incidents replay`` against a real server, which has watched a real breach in a real Prometheus."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from typer.testing import CliRunner

from bongsu.adapters.clock import SystemClock
from bongsu.cli.main import app
from bongsu.client import Refused
from bongsu.core.errors import InvalidInput
from bongsu.lab.programs import find_program
from tests.support import free_port, wait_for
from tests.web.serving import Server

CONFIG = """
[service.shop]
machine = "lightsail:small-2GB"
policy = "burst"
[policy.burst]
tier = [
  { after = "PT5M", notify = ["on-call:shop"] },
  { after = "PT10M", notify = ["person:sora"] },
]
[person.jimin]
name = "Kim Jimin"
contact = [{ email = "jimin@example.com" }]
[person.sora]
name = "Lee Sora"
contact = [{ email = "sora@example.com" }]
[schedule.shop]
rotation = { people = ["jimin"], every = "P7D", from = "2026-01-05T09:00:00+09:00" }
"""
PLACES = """
[prometheus]
url = "{prometheus}"
scrape = "PT1M"
[timescale]
origin = "{origin}"
speed = 60
[smtp]
port = 9
[web]
port = {port}
secrets = "{folder}/secrets"
[store]
url = "sqlite:///{folder}/bongsu.db"
"""


class Machine(BaseHTTPRequestHandler):
    """What Prometheus scrapes."""

    cpu = 0.05

    def do_GET(self) -> None:
        body = f"# TYPE system_cpu_usage gauge\nsystem_cpu_usage {type(self).cpu}\n".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder, address = tmp_path_factory.mktemp("prometheus"), f"127.0.0.1:{free_port()}"
    program = find_program("prometheus")
    assert program, "Prometheus is missing: apt-get install --no-install-recommends prometheus"
    with ThreadingHTTPServer(("127.0.0.1", 0), Machine) as machine, ExitStack() as stack:
        Thread(target=machine.serve_forever, daemon=True).start()
        stack.callback(machine.shutdown)
        (folder / "prometheus.yml").write_text(
            "global: {scrape_interval: 1s, scrape_timeout: 1s}\nscrape_configs:\n"
            f"- {{job_name: application, static_configs: [{{targets: ['127.0.0.1:{machine.server_port}']}}]}}\n"
        )
        options = ["--config.file=prometheus.yml", "--storage.tsdb.path=data", f"--web.listen-address={address}"]
        with (folder / "log").open("wb") as log:
            server = subprocess.Popen([program, *options], cwd=folder, stdout=log, stderr=log)
        try:
            yield f"http://{address}"
        finally:
            server.terminate()
            server.wait(20)


class Watching(Server):
    """A server for which a second is a minute."""

    def __init__(self, folder: Path, prometheus: str) -> None:
        self.folder, self.port = folder, free_port()
        origin = SystemClock().now().isoformat()
        places = PLACES.format(prometheus=prometheus, port=self.port, folder=folder, origin=origin)
        (folder / "bongsu.toml").write_text(CONFIG + places)
        self.start()

    def incident(self, *, state: str, told: int) -> str | None:
        code, found = self.ask("GET", f"/api/incidents?status={state}", Authorization=f"Bearer {self.token}")
        assert code == 200, found
        burst = (each for each in found if each["policy"]["name"] == "burst" and len(each["told"]) >= told)
        return next((each["id"] for each in burst), None)


@dataclass(frozen=True)
class Ended:
    """A server, its folder, and an incident of the past."""

    url: str
    folder: Path
    incident: str


@pytest.fixture(scope="module")
def ended(prometheus: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ended]:
    """Both tiers were told, and the breach is over."""
    folder = tmp_path_factory.mktemp("serve")
    server = Watching(folder, prometheus)
    try:
        Machine.cpu = 0.8
        wait_for("both tiers", lambda: server.incident(state="triggered", told=2), 60)
        Machine.cpu = 0.05
        incident = wait_for("the end", lambda: server.incident(state="resolved", told=2), 60)
        yield Ended(f"http://127.0.0.1:{server.port}", folder, incident or "")
    finally:
        server.process.terminate()
        server.process.wait(20)


def replay(ended: Ended, *more: str, incident: str = "") -> str:
    asked = ["incidents", "replay", incident or ended.incident, "--server", ended.url]
    asked += ["--token-file", str(ended.folder / "secrets" / "api_token"), *more]
    return CliRunner().invoke(app, asked, catch_exceptions=False).output


def chain(test: Path) -> subprocess.CompletedProcess[str]:
    """The written test, run as its owner would."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(test.parent), str(test)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_an_incident_becomes_a_scenario_and_a_test_that_notices_a_broken_chain(ended: Ended, tmp_path: Path) -> None:
    config = tmp_path / "bongsu.toml"
    config.write_text((ended.folder / "bongsu.toml").read_text())
    said = json.loads(replay(ended, "--dir", str(tmp_path / "replays"), "-c", str(config), "--json"))
    test = Path(said["test"])
    assert Path(said["scenario"]).is_file()
    assert any("no access log" in note for note in said["notes"])
    holds = chain(test)
    assert holds.returncode == 0, holds.stdout
    config.write_text(config.read_text().replace('"PT10M"', '"PT25M"'))
    broken = chain(test)
    assert broken.returncode == 1
    assert "tier 2: told" in broken.stdout


def test_people_are_told_what_was_recorded_and_what_to_do_with_it(ended: Ended, tmp_path: Path) -> None:
    said = replay(ended, "--dir", str(tmp_path), "-c", str(ended.folder / "bongsu.toml"))
    assert re.search(r"alarms: tier 1 after \d+ min, tier 2 after 1\d min", said)
    assert f"sh bin/drill --scenario {tmp_path}" in said
    assert f"pytest {tmp_path}" in said


def test_what_somebody_has_changed_is_not_written_over(ended: Ended, tmp_path: Path) -> None:
    asked = ("--dir", str(tmp_path), "-c", str(ended.folder / "bongsu.toml"))
    replay(ended, *asked)
    (scenario,) = tmp_path.glob("*.toml")
    scenario.write_text(scenario.read_text() + "# with more visitors\n")
    with pytest.raises(InvalidInput, match=rf"{scenario.name}: is there and says something else"):
        replay(ended, *asked)
    assert scenario.read_text().endswith("# with more visitors\n")


def test_an_incident_that_is_not_there_and_a_missing_configuration_are_told(ended: Ended, tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"404 .*20200101-0000-none"):
        replay(ended, "-c", str(ended.folder / "bongsu.toml"), "--dir", str(tmp_path), incident="20200101-0000-none")
    with pytest.raises(InvalidInput, match="name it with --config"):
        replay(ended, "-c", str(tmp_path / "nothing.toml"), "--dir", str(tmp_path))
    assert list(tmp_path.iterdir()) == []
