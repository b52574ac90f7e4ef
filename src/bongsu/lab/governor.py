"""The governor: a process outside the machines that integrates their credit buckets, caps them, and exports both.

``python -m bongsu.lab.governor --directory DIR --port PORT --speed 60``. It follows ``machines/roster.json``, which
the supervisor rewrites whenever a machine comes or goes.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from bongsu.catalogue import load_catalogue
from bongsu.lab.bucket import Bucket
from bongsu.lab.directory import LabDirectory, write_whole
from bongsu.lab.loopback import HOST
from bongsu.lab.throttle import Enclosure, Throttle, enclosure_from

TICK = 0.1
"""Real seconds between two looks; also the heartbeat."""
STEAL_WINDOW, STALL_WINDOW = 2.0, 5.0


@dataclass(frozen=True, slots=True)
class Entry:
    """A machine on the roster; ``balance`` (credits) is where its bucket begins."""

    name: str
    type: str
    size: float
    balance: float
    enclosure: Enclosure


def write_roster(path: Path, entries: Sequence[Entry]) -> None:
    """Tell the governor which machines there are."""
    write_whole(path, json.dumps([asdict(entry) for entry in entries]))


def read_roster(path: Path) -> list[Entry]:
    """The roster; empty while there is none."""
    try:
        rows: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return []
    return [Entry(**{**row, "enclosure": enclosure_from(row["enclosure"])}) for row in rows]


class Host:
    """What this computer itself does to the measurements: stolen time and stalls of our own heartbeat."""

    def __init__(self) -> None:
        self._stat: deque[tuple[float, int, int]] = deque()
        self._gaps: deque[tuple[float, float]] = deque()
        self._beat: float | None = None

    def beat(self, at: float) -> None:
        """Take a heartbeat and a reading of /proc/stat at monotonic time ``at``."""
        if self._beat is not None:
            self._gaps.append((at, at - self._beat))
        self._beat = at
        with Path("/proc/stat").open(encoding="ascii") as file:
            fields = [int(each) for each in file.readline().split()[1:9]]
        self._stat.append((at, fields[7], sum(fields)))
        while len(self._stat) > 2 and self._stat[1][0] <= at - STEAL_WINDOW:
            self._stat.popleft()
        while self._gaps and self._gaps[0][0] < at - STALL_WINDOW:
            self._gaps.popleft()

    def steal(self) -> float:
        """The share (0..1) of this computer's CPU time that its own host took."""
        if len(self._stat) < 2:
            return 0.0
        (_, old_steal, old_total), (_, steal, total) = self._stat[0], self._stat[-1]
        return (steal - old_steal) / (total - old_total) if total > old_total else 0.0

    def stall(self, window: float = STALL_WINDOW) -> float:
        """By how many seconds the worst heartbeat of the last ``window`` seconds was late."""
        latest = self._gaps[-1][0] if self._gaps else 0.0
        return max((gap - TICK for at, gap in self._gaps if at >= latest - window), default=0.0)


class Governor:
    """The buckets and caps of all machines of a lab."""

    def __init__(self, directory: LabDirectory, speed: float) -> None:
        """``speed``: lab seconds per real second."""
        self._directory = directory
        self._speed = speed
        self._roster_stamp: tuple[int, int, int] | None = None
        self._entries: dict[str, Entry] = {}
        self._buckets: dict[str, Bucket] = {}
        self._throttles: dict[str, Throttle] = {}
        self._host = Host()
        self.exposition = ""

    def tick(self, at: float) -> None:
        """One look at everything, at monotonic time ``at``."""
        self._host.beat(at)
        self._follow_roster()
        for name, throttle in list(self._throttles.items()):
            try:
                usage = throttle.usage()
            except OSError:  # its process or cgroup is gone; the supervisor will take it off the roster
                continue
            bucket = self._buckets[name]
            if bucket.advance(at, usage):
                throttle.limit(bucket.cores)

    def _follow_roster(self) -> None:
        try:
            seen = self._directory.roster.stat()
        except FileNotFoundError:
            return
        stamp = (seen.st_mtime_ns, seen.st_ino, seen.st_size)
        if stamp == self._roster_stamp:
            return
        self._roster_stamp = stamp
        entries = {entry.name: entry for entry in read_roster(self._directory.roster)}
        for name in [name for name, entry in self._entries.items() if entries.get(name) != entry]:
            self._throttles.pop(name).close()
            del self._buckets[name], self._entries[name]
        for name, entry in entries.items():
            if name not in self._entries:
                self._entries[name] = entry
                kind = load_catalogue()[entry.type]
                bucket = Bucket(kind, entry.size, self._speed, entry.balance, empty=entry.balance <= 0)
                self._buckets[name] = bucket
                self._throttles[name] = entry.enclosure.throttle()
                self._throttles[name].limit(bucket.cores)

    def expose(self) -> None:
        """Render the metrics text for the next scrape."""
        self.exposition = exposition(self._buckets, self._host.steal(), self._host.stall())

    def record(self, wall: float) -> str:
        """One line for ``governor.jsonl``: what every machine did, and what the host did to it."""
        machines = {
            name: {
                "u": _rounded(bucket.utilisation()),
                "balance": round(bucket.balance, 4),
                "cores": bucket.cores,
                "empty": bucket.empty,
                "throttled": round(bucket.throttled_ratio(), 4),
                "cpu_seconds": round(bucket.latest().cpu_seconds, 6),
            }
            for name, bucket in self._buckets.items()
        }
        steal, stall = round(self._host.steal(), 4), round(self._host.stall(1.0), 4)
        return json.dumps({"at": round(wall, 3), "machines": machines, "steal": steal, "stall": stall})

    def close(self) -> None:
        """Lift every cap."""
        for throttle in self._throttles.values():
            throttle.close()


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


_HELP = {
    "system_cpu_usage": ("gauge", "CPU of the machine, 0..1 of its size, mean of the last 2 real seconds"),
    "system_cpu_count": ("gauge", "vCPUs of the machine type"),
    "burst_credit_balance": ("gauge", "Credits left, vCPU-minutes of lab time"),
    "burst_credit_cap": ("gauge", "Most credits the machine can hold, vCPU-minutes"),
    "burst_throttled_seconds_total": ("counter", "Real seconds the machine was held back"),
    "burst_throttled_ratio": ("gauge", "Share of scheduler periods held back in the last 2 real seconds"),
    "machine_cpu_seconds_total": ("counter", "Real CPU seconds used"),
    "lab_host_steal_ratio": (
        "gauge",
        "Share of this computer's CPU taken by its own host, last 2 real seconds",
    ),
    "lab_heartbeat_stall_seconds": ("gauge", "By how much the worst heartbeat of the last 5 s was late"),
}


def exposition(buckets: Mapping[str, Bucket], steal: float, stall: float) -> str:
    """The metrics in Prometheus' text form. They carry the application's job label: to Bongsu they are its machine."""
    rows: dict[str, list[str]] = {name: [] for name in _HELP}

    def add(name: str, machine: str, value: float) -> None:
        rows[name].append(f'{name}{{job="application",instance="{machine}"}} {value!r}')

    for machine, bucket in buckets.items():
        usage, used = bucket.latest(), bucket.utilisation()
        if used is not None:
            add("system_cpu_usage", machine, used)
        add("system_cpu_count", machine, float(bucket.type.vcpus))
        add("burst_credit_balance", machine, bucket.balance)
        add("burst_credit_cap", machine, bucket.type.cap)
        add("burst_throttled_seconds_total", machine, usage.throttled_seconds)
        add("burst_throttled_ratio", machine, bucket.throttled_ratio())
        add("machine_cpu_seconds_total", machine, usage.cpu_seconds)
    rows["lab_host_steal_ratio"].append(f"lab_host_steal_ratio {steal!r}")
    rows["lab_heartbeat_stall_seconds"].append(f"lab_heartbeat_stall_seconds {max(0.0, stall)!r}")
    lines = []
    for name, (kind, words) in _HELP.items():
        if rows[name]:
            lines += [f"# HELP {name} {words}", f"# TYPE {name} {kind}", *rows[name]]
    return "\n".join(lines) + "\n"


def _serve(governor: Governor, port: int) -> ThreadingHTTPServer:
    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = governor.exposition.encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (the parent's name)
            """Say nothing: a line per scrape helps nobody."""

    server = ThreadingHTTPServer((HOST, port), Page)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
    return server


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--directory", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--speed", type=float, required=True)
    options = parser.parse_args(arguments)
    directory = LabDirectory(options.directory)
    governor = Governor(directory, options.speed)
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    governor.tick(time.monotonic())
    governor.expose()
    _serve(governor, options.port)
    told = time.monotonic()
    with directory.records.open("a", encoding="utf-8") as records:
        due = time.monotonic()
        while not ended.wait(max(0.0, due - time.monotonic())):
            now = time.monotonic()
            # After a stall the heartbeat goes on from now: a burst of catching up would measure nothing.
            due = max(due + TICK, now)
            governor.tick(now)
            governor.expose()
            if now - told >= 1.0:
                told += 1.0 if now - told < 2.0 else now - told
                records.write(governor.record(time.time()) + "\n")
                records.flush()
    governor.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
