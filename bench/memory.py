"""``python -m bench.memory``: what a real ``bongsu serve`` holds in memory, and what it takes of a CPU while idle.

*Idle*: two calm machines, looked at every five seconds as always; mail works. *10,000 alerts*: that many active ones,
each sent again every few seconds. *Soak*: the mail server is down, new alerts keep coming, each of them an incident
with a mail; growth is a straight line through the second half of the soak, extended over all of it, so that what is
loaded once does not count. ``BENCH_SOAK`` (seconds), ``BENCH_IDLE`` and ``BENCH_ALERTS`` change the sizes. The last
line is JSON.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs

from bench.machine import Steal
from bench.sink import Sink
from tests.support import free_port
from tests.web.serving import Server

SOAK_S = float(os.environ.get("BENCH_SOAK", "150"))
IDLE_S = float(os.environ.get("BENCH_IDLE", "30"))
ALERTS = int(os.environ.get("BENCH_ALERTS", "10000"))
BATCH, A_SECOND, STORM = 64, 2, 200
"""Alerts in a request; new incidents a second in the soak; how many different ones there are."""
SETTLE_S = 8.0
POLICY = """
[policy.many]
tier = [{ after = "PT0S", notify = ["on-call:shop"] }]
[policy.storm]
tier = [{ after = "PT0S", notify = ["on-call:shop"] }]
[[route]]
match = ["kind=storm"]
service = "shop"
policy = "storm"
group_by = ["alertname"]
[[route]]
match = ["kind=many"]
service = "shop"
policy = "many"
"""


class _Calm(BaseHTTPRequestHandler):
    """A Prometheus that knows two calm machines: the server looks and waits like any other."""

    def do_POST(self) -> None:
        asked = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        first, last, step = (float(asked.get(name, ["0"])[0]) for name in ("start", "end", "step"))
        if "time" in asked:
            last = float(asked["time"][0]) // 5 * 5
            first, step = last - 20, 5
        values = [[first + n * step, "0.05"] for n in range(int((last - first) / step) + 1)]
        result = [{"metric": {"instance": f"10.0.0.{n}:8080"}, "values": values} for n in (1, 2)]
        body = json.dumps({"status": "success", "data": {"resultType": "matrix", "result": result}}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        return None


def keep_bytecode(folder: Path) -> None:
    """As on every computer but some where software is built; the first start writes it, and is not measured."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["PYTHONPYCACHEPREFIX"] = str(folder / "bytecode")


def stop(server: Server) -> None:
    """End it in good order."""
    server.process.terminate()
    server.process.wait(20)


def resident(pid: int) -> float:
    """Resident memory in MiB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def cpu_seconds(pid: int) -> float:
    """CPU time used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def post(server: Server, names: list[str], kind: str, ends: str | None = None) -> None:
    """Send alerts that fire."""
    for start in range(0, len(names), BATCH):
        said = [
            {
                "labels": {
                    "alertname": name,
                    "kind": kind,
                    "instance": f"10.0.0.{n % 250}:8080",
                },
                "annotations": {"summary": f"{name} is over its limit on this machine for a while"},
                **({"endsAt": ends} if ends else {}),
            }
            for n, name in enumerate(names[start : start + BATCH])
        ]
        status, answer = server.ask("POST", "/api/v2/alerts", json.dumps(said).encode())
        assert status == 200, answer


def every(seconds: float, until: float, job: Callable[[], object]) -> None:
    """Do it again and again, keeping the beat."""
    following = time.monotonic()
    while following < until:
        job()
        following += seconds
        time.sleep(max(0.0, following - time.monotonic()))


def soak(server: Server, seconds: float) -> tuple[list[float], list[float]]:
    """Mail is down and incidents come; when and how much memory was seen."""
    times, seen, number = list[float](), list[float](), 0
    began = time.monotonic()

    def tick() -> None:
        nonlocal number
        post(server, [f"Storm{(number + n) % STORM}" for n in range(A_SECOND)], "storm")
        number += A_SECOND
        times.append(time.monotonic() - began)
        seen.append(resident(server.process.pid))

    every(1.0, began + seconds, tick)
    return times, seen


def growth(times: list[float], seen: list[float]) -> float:
    """MiB over the whole soak, by the slope of its second half."""
    half = len(times) // 2
    slope, _ = statistics.linear_regression(times[half:], seen[half:])
    return slope * times[-1]


def main() -> None:
    """Measure and print."""
    with ExitStack() as stack:
        prometheus = ThreadingHTTPServer(("127.0.0.1", 0), _Calm)
        threading.Thread(target=prometheus.serve_forever, daemon=True).start()
        stack.callback(prometheus.shutdown)
        folder = Path(tempfile.mkdtemp(dir=_var()))
        stack.callback(shutil.rmtree, folder)
        steal = stack.enter_context(Steal())
        sink = Sink(free_port())
        stack.callback(sink.stop)
        keep_bytecode(folder)
        server = Server(folder, more=POLICY, smtp=sink.port, prometheus=f"http://127.0.0.1:{prometheus.server_port}")
        stop(server)
        server.start()
        stack.callback(stop, server)
        pid = server.process.pid
        time.sleep(SETTLE_S)
        before, began = cpu_seconds(pid), time.monotonic()
        time.sleep(IDLE_S)
        cpu = (cpu_seconds(pid) - before) / (time.monotonic() - began) * 100
        idle = resident(pid)
        names = [f"Alert{n}" for n in range(ALERTS)]
        for _ in range(3):
            post(server, names, "many")
            time.sleep(SETTLE_S)
        full = resident(pid)
        sink.say("close")
        times, seen = soak(server, SOAK_S)
        grown = growth(times, seen)
        print(f"{'idle':28} {idle:7.1f} MiB")
        print(f"{'CPU while idle':28} {cpu:7.2f} % of a core")
        print(f"{f'{ALERTS:,} active alerts':28} {full:7.1f} MiB")
        print(f"{'soak, mail server down':28} {seen[0]:7.1f} MiB at first, {seen[-1]:.1f} after {times[-1]:.0f} s")
        print(f"{'growth by its second half':28} {grown:7.1f} MiB")
        print(f"{'steal':28} {steal.share() * 100:7.1f} %")
    figures = {"idle_mib": idle, "alerts_10k_mib": full, "soak_growth_mib": grown, "idle_cpu_percent": cpu}
    print(json.dumps({key: round(value, 2) for key, value in figures.items()}))


def _var() -> Path:
    folder = Path.cwd() / "var"
    folder.mkdir(exist_ok=True)
    return folder


if __name__ == "__main__":
    main()
