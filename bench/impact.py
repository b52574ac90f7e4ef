"""``python -m bench.impact``: who was hurt, counted from 10 M lines of Parquet and 1 M lines of JSON.

The logs are made here, the same every time: a day of traffic of 350,000 people, of which a twelve-hour incident and the
calm half hour before it are counted, with everything that a report needs. The server's memory is that of a real
``bongsu serve`` that is asked for the impact of an incident over its API, before and after. The last line is JSON.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bench.machine import Steal
from bongsu.adapters.accesslog import EdgeLog
from bongsu.client import Client
from bongsu.core.impact import Traffic
from bongsu.core.timescale import Timescale
from tests.support import wait_for
from tests.web.serving import Server

DAY = datetime(2026, 1, 5, tzinfo=UTC)
CALM = (DAY + timedelta(hours=9, minutes=30), DAY + timedelta(hours=10))
WINDOW = (DAY + timedelta(hours=10), DAY + timedelta(hours=22))
PARQUET, JSON = int(os.environ.get("BENCH_PARQUET", "10000000")), int(os.environ.get("BENCH_JSON", "1000000"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "2"))
THREADS = 2
PEOPLE, STRANGERS = 200_000, 150_000

_LINES = """
SELECT {ts} AS ts, printf('%08x', i) AS request_id,
  CASE WHEN hash(i, 2) % 100 < 80 THEN 'GET' ELSE 'POST' END AS method,
  CASE hash(i, 3) % 6 WHEN 0 THEN '/products' WHEN 1 THEN '/products/top' WHEN 2 THEN '/orders'
    WHEN 3 THEN '/orders/' || (i // 9) || '/payment' WHEN 4 THEN '/healthz/live'
    ELSE '/products/' || (hash(i, 4) % 5000) END AS path,
  CASE WHEN hash(i, 5) % 1000 < 3 THEN 503 WHEN hash(i, 5) % 1000 < 30 THEN 404 ELSE 200 END AS status,
  CAST(2 + hash(i, 6) % 300 + CASE WHEN hash(i, 7) % 200 = 0 THEN 4000 ELSE 0 END AS DOUBLE) AS duration_ms,
  'm' || (hash(i, 8) % 3) AS server,
  CASE WHEN hash(i, 9) % 10 < 6 THEN sha256((hash(i, 10) % {people})::VARCHAR) ELSE '' END AS "user",
  sha256('v' || CASE WHEN hash(i, 9) % 10 < 6 THEN hash(i, 10) % {people}
    ELSE {people} + hash(i, 10) % {strangers} END) AS visitor,
  CASE WHEN hash(i, 11) % 100 = 0 THEN '1' ELSE '' END AS synthetic,
  CASE WHEN hash(i, 12) % 50 = 0 THEN 'Mozilla/5.0 (compatible; Googlebot/2.1)'
    ELSE 'Mozilla/5.0 v' || (hash(i, 12) % 40) END AS agent
FROM range({count}) t(i)
"""


def make(file: Path, count: int) -> None:
    """A day of traffic, evenly, in a child process: what the bench measures shall not have held it."""
    seconds = f"TIMESTAMP '2026-01-05 00:00:00' + to_microseconds(CAST(i * 86400000000.0 / {count} AS BIGINT))"
    ts = seconds if file.suffix == ".parquet" else f"strftime({seconds}, '%Y-%m-%dT%H:%M:%S.%gZ')"
    lines = _LINES.format(ts=ts, count=count, people=PEOPLE, strangers=STRANGERS)
    form = "parquet, COMPRESSION zstd" if file.suffix == ".parquet" else "json"
    code = (
        "import duckdb; db = duckdb.connect(); "
        "db.execute('''SET enable_progress_bar = false; SET memory_limit = '1GiB'; SET TimeZone = 'UTC'; "
        f"COPY ({lines}) TO '{file}' (FORMAT {form})''')"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def timed(file: Path) -> tuple[float, Traffic]:
    """The median of the rounds, in seconds, and what was found."""
    took, found = [], None
    for _ in range(ROUNDS):
        began = time.perf_counter()
        found = EdgeLog((file,), Timescale(), threads=THREADS, timeout=600).traffic(CALM, WINDOW)
        took.append(time.perf_counter() - began)
    assert found is not None
    return statistics.median(took), found


def resident(process: int) -> float:
    """The memory of a process, in MiB."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 1024


def growth(folder: Path, file: Path) -> tuple[float, float]:
    """A server's memory when idle, and by how much it grew after counting the impact of an incident three times."""
    server = Server(folder)
    toml = folder / "bongsu.toml"
    toml.write_text(toml.read_text().replace('policy = "burst"', f'policy = "burst"\naccess_log = "{file}"', 1))
    server.process.terminate()
    server.process.wait(20)
    server.start()
    try:
        alert: list[dict[str, Any]] = [
            {"labels": {"alertname": "Slow", "bongsu_service": "shop"}, "startsAt": WINDOW[0].isoformat()}
        ]
        server.ask("POST", "/api/v2/alerts", json.dumps(alert).encode())
        wait_for("an incident", lambda: server.ask("GET", "/api/incidents")[1])
        path = f"/api/incidents/{server.ask('GET', '/api/incidents')[1][0]['id']}/impact"
        server.ask("GET", "/api/incidents")
        time.sleep(2)  # what is still starting is not growth
        before = resident(server.process.pid)
        client = Client(f"http://127.0.0.1:{server.port}", timeout=300)
        for _ in range(3):
            assert client.get(path)["traffic"]["impact"]["requests"] > 0
        return before, resident(server.process.pid) - before
    finally:
        server.process.terminate()
        server.process.wait(20)


def main() -> None:
    """Measure and print."""
    Path("var").mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=Path.cwd() / "var"))
    try:
        files = {"parquet": (folder / "edge.parquet", PARQUET), "json": (folder / "edge.jsonl", JSON)}
        for file, count in files.values():
            make(file, count)
        with Steal() as steal:
            took = {}
            for name, (file, count) in files.items():
                took[name], found = timed(file)
                impact = found.impact
                print(
                    f"{name:8}{count:>12,} lines, {file.stat().st_size / 2**20:>5.0f} MiB: {took[name]:6.2f} s; of "
                    f"{found.coverage.lines:,} in the times {impact.failed_requests:,} failed, "
                    f"{impact.affected.identified:,} to {impact.affected.upper:,} of {impact.active.upper:,} hurt"
                )
            idle, grew = growth(folder, files["json"][0])
        print(f"server: {idle:.1f} MiB before, {grew:+.2f} MiB after three counts; stolen {steal.share():.1%}")
        figures = {
            "parquet_10m_s": round(took["parquet"], 2),
            "json_1m_s": round(took["json"], 2),
            "server_growth_mib": round(grew, 2),
        }
        print(json.dumps(figures))
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
