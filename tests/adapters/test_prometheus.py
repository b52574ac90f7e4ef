"""The metrics adapter against a real Prometheus."""

from __future__ import annotations

import itertools
import json
import subprocess
import threading
import urllib.request
from collections.abc import Iterator
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlencode

import pytest

from bongsu.adapters.clock import SystemClock
from bongsu.adapters.prometheus import Prometheus
from bongsu.core.timescale import Timescale
from bongsu.lab.programs import find_program
from bongsu.ports import Unavailable
from tests.support import free_port, wait_for

SCRAPE = timedelta(seconds=1)
SPEED = 60.0


class Page(BaseHTTPRequestHandler):
    """A gauge that goes up by one at every scrape."""

    scrapes = 0

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", "0")))
        self.do_GET()

    def do_GET(self) -> None:
        Page.scrapes += 1
        body = f'level{{machine="a"}} {Page.scrapes}\nempty NaN\n'.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    target = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=target.serve_forever, daemon=True).start()
    folder: Path = tmp_path_factory.mktemp("prometheus")
    (folder / "prometheus.yml").write_text(
        "global: {scrape_interval: 1s}\nscrape_configs:\n"
        f"- {{job_name: application, static_configs: [{{targets: ['127.0.0.1:{target.server_port}'], "
        "labels: {instance: machine-1}}]}\n"
    )
    port = free_port()
    program = find_program("prometheus")
    assert program, "Prometheus is missing: apt-get install --no-install-recommends prometheus"
    address = f"127.0.0.1:{port}"
    command = [program, f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data"]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen([*command, f"--web.listen-address={address}"], stdout=log, stderr=log)
    client = Prometheus(f"http://{address}", 5, Timescale(), SystemClock(), SCRAPE)

    def scraped() -> bool:
        try:
            return len(client.targets_up("application").get("machine-1", ())) >= 3
        except Unavailable:
            return False

    wait_for("three scrapes", scraped)
    yield f"http://{address}"
    server.terminate()
    server.wait(10)
    target.shutdown()
    target.server_close()


def stored(url: str, now: datetime, seconds: int) -> list[float]:
    """When the store has samples of ``level``, by its own word (wall seconds)."""
    asked = urlencode({"query": f'level{{job="application"}}[{seconds}s]', "time": f"{now.timestamp():.3f}"})
    with urllib.request.urlopen(f"{url}/api/v1/query?{asked}") as answer:
        (series,) = json.load(answer)["data"]["result"]
    return [at for at, _ in series["values"]]


def test_raw_samples_have_the_stores_own_timestamps(url: str) -> None:
    clock = SystemClock()
    client = Prometheus(url, 5, Timescale(), clock, SCRAPE)
    now = clock.now()
    (samples,) = client.samples('level{job="application"}', now - timedelta(seconds=60), now).values()
    values = [value for _, value in samples]
    assert values == sorted(values)
    assert [at.timestamp() for at, _ in samples] == pytest.approx(stored(url, now, 60), abs=1e-3)


def test_an_expression_is_evaluated_once_for_each_scrape(url: str) -> None:
    clock = SystemClock()
    now = clock.now()
    client = Prometheus(url, 5, Timescale(), clock, SCRAPE)
    (samples,) = client.samples('level{job="application"} * 2', now - timedelta(seconds=3), now).values()
    gaps = [later - earlier for (earlier, _), (later, _) in itertools.pairwise(samples)]
    assert gaps
    assert all(gap == SCRAPE for gap in gaps), gaps


def test_in_a_fast_lab_the_same_samples_are_sixty_times_as_far_apart(url: str) -> None:
    wall = SystemClock()
    scale = Timescale(wall.now() - timedelta(seconds=60), SPEED)
    now = wall.now()
    client = Prometheus(url, 5, scale, wall, SCRAPE)
    begin, end = scale.to_service(now) - timedelta(minutes=60), scale.to_service(now)
    (samples,) = client.samples('level{job="application"}', begin, end).values()
    gaps = [(later - earlier).total_seconds() for (earlier, _), (later, _) in itertools.pairwise(samples)]
    walls = [later - earlier for earlier, later in itertools.pairwise(stored(url, now, 60))]
    assert gaps
    assert gaps == pytest.approx([SPEED * gap for gap in walls], abs=0.1)


def test_a_range_has_its_steps_and_leaves_out_what_is_no_number(url: str) -> None:
    clock = SystemClock()
    client = Prometheus(url, 5, Timescale(), clock, SCRAPE)
    now = clock.now()
    (samples,) = client.values("level * 2", now - timedelta(seconds=2), now, timedelta(seconds=1)).values()
    assert len(samples) >= 2
    assert list(client.samples("empty", now - timedelta(seconds=30), now).values()) == [()]


def test_an_expression_that_is_refused_says_why(url: str) -> None:
    client = Prometheus(url, 5, Timescale(), SystemClock(), SCRAPE)
    now = SystemClock().now()
    with pytest.raises(Unavailable, match="parse error"):
        client.samples("level{", now - timedelta(seconds=5), now)


def test_no_prometheus_and_a_foreign_server_are_unavailable() -> None:
    clock = SystemClock()
    now = clock.now()
    with pytest.raises(Unavailable, match="does not answer"):
        Prometheus("http://127.0.0.1:9", 1, Timescale(), clock, SCRAPE).samples("up", now, now)
    foreign = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=foreign.serve_forever, daemon=True).start()
    with pytest.raises(Unavailable, match="not Prometheus"):
        Prometheus(f"http://127.0.0.1:{foreign.server_port}", 1, Timescale(), clock, SCRAPE).samples("up", now, now)
    foreign.shutdown()
    foreign.server_close()
