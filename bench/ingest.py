"""``python -m bench.ingest``: taking alerts in, beside Debian's Alertmanager in the same run.

wrk posts batches over 16 connections. *New*: every alert is new to the server; *re-sent*: the same ones again;
*single*: new ones in batches of one. Ours are on disk when it answers; Alertmanager keeps alerts in memory alone.
The ratios are medians over the rounds, each against the Alertmanager run of the same round. The last line is JSON.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.machine import Steal, postgres
from bongsu.lab.programs import find_program
from tests.support import free_port, wait_for
from tests.web.serving import Server

SECONDS = int(os.environ.get("BENCH_SECONDS", "4"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
KINDS = {"new": ("new", 64), "resent": ("resent", 64), "single": ("new", 1)}
LUA = Path(__file__).with_name("ingest.lua")


@contextmanager
def alertmanager() -> Iterator[int]:
    """Debian's Alertmanager with a receiver that does nothing; its port."""
    program = find_program("prometheus-alertmanager")
    assert program, "apt-get install --no-install-recommends prometheus-alertmanager"
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "alertmanager.yml")
        config.write_text("route: {receiver: nobody, group_by: [alertname]}\nreceivers: [{name: nobody}]\n")
        port = free_port()
        command = [program, f"--config.file={config}", f"--storage.path={folder}/data", "--log.level=warn"]
        command += [f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address="]
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        wait_for("Alertmanager", lambda: answers(f"http://127.0.0.1:{port}/-/ready"))
        try:
            yield port
        finally:
            process.terminate()
            process.wait(20)


@contextmanager
def bongsu(store: str) -> Iterator[int]:
    """``bongsu serve``; its port."""
    folder = Path(tempfile.mkdtemp(dir=Path.cwd() / "var"))
    server = Server(folder, store)
    try:
        yield server.port
    finally:
        server.process.terminate()
        server.process.wait(20)
        shutil.rmtree(folder)


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1):
            return True
    except OSError:
        return False


def post(port: int, kind: str) -> float:
    """Alerts a second."""
    mode, batch = KINDS[kind]
    wrk = find_program("wrk")
    assert wrk, "apt-get install --no-install-recommends wrk"
    command = [wrk, "-t1", "-c16", f"-d{SECONDS}s", "--latency", "-s", str(LUA), f"http://127.0.0.1:{port}"]
    environment = {**os.environ, "MODE": mode, "BATCH": str(batch)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    line = next(line for line in done.stdout.splitlines() if line.startswith("RESULT"))
    requests, micros, failed, _ = (int(part) for part in line.split()[1:])
    assert failed == 0, f"{failed} of {requests} requests failed"
    return requests * batch / (micros / 1e6)


def main() -> None:
    """Measure and print."""
    Path("var").mkdir(exist_ok=True)
    rates: dict[str, dict[str, list[float]]] = {}
    with postgres() as database, Steal() as steal:
        peers: dict[str, Callable[[], object]] = {
            "alertmanager": alertmanager,
            "sqlite": lambda: bongsu(""),
            "postgresql": lambda: bongsu(database()),
        }
        for number in range(1, ROUNDS + 1):
            for name, start in peers.items():
                for kind in KINDS:
                    with start() as port:  # type: ignore[attr-defined] # a context manager each
                        if kind == "resent":
                            post(port, kind)  # the first time they are new
                        rates.setdefault(name, {}).setdefault(kind, []).append(post(port, kind))
            print(f"round {number} of {ROUNDS}, stolen {steal.share():.1%}", file=sys.stderr)
    print(f"{'alerts/s':14}{'new':>10}{'re-sent':>10}{'single':>10}")
    for name, found in rates.items():
        print(f"{name:14}" + "".join(f"{statistics.median(found[kind]):>10,.0f}" for kind in KINDS))
    peer = rates.pop("alertmanager")
    ratios = {
        name: {k: round(statistics.median(a / b for a, b in zip(found[k], peer[k], strict=True)), 2) for k in KINDS}
        for name, found in rates.items()
    }
    print(json.dumps(ratios))


if __name__ == "__main__":
    main()
