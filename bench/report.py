"""``python -m bench.report``: how long the report of a resolved incident with 24 hours of data takes.

A real Prometheus holds a day of samples of three machines (CPU, credits, p95 latency, every 15 s), the access log a
day of traffic in JSON lines; the incident lasted 23 hours of it. Measured is what a reader waits for: the draft with
the impact counted, then the page in both languages and Markdown. The last line is JSON.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from urllib.request import urlopen

from bench.impact import DAY, make
from bench.machine import Steal
from bongsu.adapters.accesslog import EdgeLog
from bongsu.adapters.clock import SystemClock
from bongsu.adapters.prometheus import Prometheus
from bongsu.core.incident import Status
from bongsu.core.timescale import Timescale
from bongsu.engine.report import draft
from bongsu.lab.programs import find_program
from bongsu.render.reports import report_html, report_md
from bongsu.store import incidents
from bongsu.testing import SCRAPE, World
from tests.support import free_port, wait_for

LINES, ROUNDS = int(os.environ.get("BENCH_JSON", "1000000")), int(os.environ.get("BENCH_ROUNDS", "3"))
BEGAN, ENDED = DAY + timedelta(minutes=45), DAY + timedelta(hours=23, minutes=45)
SIGNALS = {"cpu": "system_cpu_usage", "balance": "burst_credit_balance", "latency": "p95_seconds"}


def backfill(folder: Path) -> None:
    """A day of samples."""
    promtool = find_program("promtool")
    assert promtool, "promtool is missing: apt-get install --no-install-recommends prometheus"
    steps = int(timedelta(days=1) / SCRAPE)
    text = []
    for name, series in SIGNALS.items():
        text.append(f"# TYPE {series} gauge")
        for machine in ("a", "b", "c"):
            for step in range(steps):
                wave = 0.5 + 0.4 * math.sin(step / 300 + ord(machine))
                value = {"cpu": wave, "balance": 576 * (1 - step / steps), "latency": 0.2 + wave}[name]
                at = (DAY + step * SCRAPE).timestamp()
                text.append(f'{series}{{instance="{machine}"}} {value:.4f} {at:.0f}')
    (folder / "day.om").write_text("\n".join([*text, "# EOF", ""]))
    command = [promtool, "tsdb", "create-blocks-from", "openmetrics", "day.om", "data"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)


@contextmanager
def prometheus(folder: Path) -> Iterator[str]:
    """A server over that day."""
    program = find_program("prometheus")
    assert program
    (folder / "prometheus.yml").write_text("global: {scrape_interval: 15s}\n")
    address = f"127.0.0.1:{free_port()}"
    options = ["--config.file=prometheus.yml", "--storage.tsdb.path=data", "--storage.tsdb.retention.time=100y"]
    with (folder / "log").open("wb") as log:
        command = [program, *options, f"--web.listen-address={address}"]
        server = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
    try:
        wait_for("Prometheus", lambda: _answers(f"http://{address}"), 60)
        yield f"http://{address}"
    finally:
        server.terminate()
        server.wait(20)


def _answers(url: str) -> bool:
    try:
        with urlopen(f"{url}/-/ready", timeout=2):
            return True
    except OSError:
        return False


def incident_in(world: World) -> str:
    """A resolved incident of 23 hours."""
    world.cpu(0.6)
    world.advance(minutes=25)
    lasted = replace(
        world.incident(), began_at=BEGAN, opened_at=BEGAN + timedelta(minutes=5), mitigated_at=ENDED,
        resolved_at=ENDED, status=Status.RESOLVED,
        seen=replace(world.incident().seen, holding=False, elapsed=ENDED - BEGAN),
    )  # fmt: skip
    world.context.db.write(lambda tx: incidents.save(tx, replace(lasted, version=lasted.version + 1), lasted.version))
    return lasted.id


def main() -> None:
    """Measure and print."""
    Path("var").mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=Path.cwd() / "var"))
    try:
        make(folder / "edge.jsonl", LINES)
        backfill(folder)
        with prometheus(folder) as url, Steal() as steal:
            world = World(f"sqlite:///{folder}/world.db", folder)
            incident = incident_in(world)
            service = replace(world.service, signals=SIGNALS)
            metrics = Prometheus(url, 30.0, Timescale(), SystemClock(), SCRAPE)
            logs = {"shop": EdgeLog((folder / "edge.jsonl",), Timescale())}
            context = replace(world.context, services={"shop": service}, metrics=metrics, logs=logs)
            drafts, pages = [], []
            for _ in range(ROUNDS):
                began = time.perf_counter()
                made = draft(context, incident)
                drafts.append(time.perf_counter() - began)
                began = time.perf_counter()
                html = report_html(made, "ko"), report_html(made, "en"), report_md(made, "en")
                pages.append(time.perf_counter() - began)
            world.close()
        assert made.measured is not None
        assert not made.blind
        samples = sum(len(each) for each in made.cpu.values())
        print(
            f"a breach of 23 h: {LINES:,} lines, {made.measured.traffic.impact.requests:,} requests in it, {samples} "
            f"CPU points drawn, page {len(html[0]) // 1024} KiB; stolen {steal.share():.1%}"
        )
        print(
            json.dumps({"draft_s": round(statistics.median(drafts), 2), "pages_s": round(statistics.median(pages), 3)})
        )
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
