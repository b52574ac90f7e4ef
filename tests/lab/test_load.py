"""The load driver: loopback only, open arrivals, changed while it runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bongsu.lab.latency import read_samples, window
from bongsu.lab.loopback import answers
from tests.lab.labtools import STANDIN
from tests.support import free_port, wait_for

LOAD = [sys.executable, "-m", "bongsu.lab.load"]


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[str]:
    key = tmp_path / "key"
    key.touch()
    port, metrics = free_port(), free_port()
    command = [*STANDIN, "serve", "--host", "127.0.0.1", "--port", str(port), "--metrics-port", str(metrics)]
    environment = {"SHOP_DATABASE_URL": "postgresql://", "SHOP_USER_HASH_KEY_FILE": str(key)}
    environment |= {"SHOP_LOG_FILE": str(tmp_path / "access.jsonl")}
    with subprocess.Popen(command, env={**os.environ, **environment}) as process:
        wait_for("the shop", lambda: answers(f"http://127.0.0.1:{port}/healthz/live"))
        yield f"http://127.0.0.1:{port}"
        process.kill()


def rows(directory: Path) -> list[dict[str, float]]:
    file = directory / "seconds.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


@pytest.mark.parametrize("target", ["http://example.com", "https://127.0.0.1", "http://192.168.1.1:80"])
def test_it_drives_nothing_but_loopback(target: str, tmp_path: Path) -> None:
    command = [*LOAD, "--target", target, "--plan", "1x1", "--directory", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "only drives http://127.0.0.1" in done.stderr


def test_a_plan_is_carried_out_and_changed_on_the_way(shop: str, tmp_path: Path) -> None:
    out = tmp_path / "load"
    command = [*LOAD, "--target", shop, "--plan", "60x40", "--directory", str(out)]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        assert process.stdin
        wait_for("two seconds of load", lambda: len(rows(out)) >= 2)
        process.stdin.write(b"rate 120\nnonsense\nmix sale\n")
        process.stdin.flush()
        wait_for("more load", lambda: len(rows(out)) >= 5)
        process.stdin.close()  # whoever started us is gone: so are we
        assert process.wait(10) == 0
    seconds = rows(out)
    assert seconds[1]["sent"] == pytest.approx(40, abs=25)
    assert seconds[4]["sent"] == pytest.approx(120, abs=45)
    assert seconds[4]["rate"] == 120
    assert str(seconds[4]["mix"]) == "sale"
    samples = read_samples(out / "samples.bin")
    assert sum(row["ok"] + row["failed"] + row["refused"] for row in seconds) == len(samples)
    found = window(samples, 0, 1e12)
    assert found.failed == 0
    assert found.p50 is not None
    assert found.p50 < 1.0
    assert {sample.route for sample in samples} >= {"list", "detail", "order", "pay"}


def test_visits_are_held_until_another_rate_is_given(shop: str, tmp_path: Path) -> None:
    out = tmp_path / "load"
    command = [*LOAD, "--target", shop, "--plan", "60x3", "--directory", str(out)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin
        assert process.stderr
        wait_for("load", lambda: len(rows(out)) >= 1)
        process.stdin.write(b"hold 0\nhold 4\n")
        process.stdin.flush()
        wait_for("visits that are held", lambda: len(rows(out)) >= 4)
        held = rows(out)[-1]
        process.stdin.write(b"rate 3\n")
        process.stdin.flush()
        wait_for("few visits", lambda: len(rows(out)) >= 7)
        process.stdin.close()
        assert process.wait(10) == 0
        assert b"hold 0: from 1 to" in process.stderr.read()
    assert held["rate"] == 0
    assert held["sent"] > 20, "one follows another at once"
    assert held["outstanding"] <= 4
    assert rows(out)[6]["rate"] == 3
    assert rows(out)[6]["sent"] < 15


def test_what_cannot_be_sent_is_dropped_and_counted_and_waiting_counts_as_latency(shop: str, tmp_path: Path) -> None:
    """A stopped shop answers nobody: ten wait, the others are dropped, and the ten time out as failures."""
    out = tmp_path / "load"
    port = shop.rpartition(":")[2]
    pid = next(
        int(entry.name)
        for entry in Path("/proc").iterdir()
        if entry.name.isdigit() and port.encode() in command_line(entry).split(b"\0")
    )
    os.kill(pid, 19)
    try:
        plan = ["--plan", "1x60", "--most-open", "10", "--directory", str(out)]
        assert subprocess.run([*LOAD, "--target", shop, *plan], check=False).returncode == 0
    finally:
        os.kill(pid, 18)
    found = window(read_samples(out / "samples.bin"), 0, 1e12)
    assert (found.requests, found.failed) == (10, 10)
    assert found.p50 is not None
    assert found.p50 >= 4.9
    assert sum(row["dropped"] for row in rows(out)) > 20


def command_line(entry: Path) -> bytes:
    try:
        return (entry / "cmdline").read_bytes()
    except OSError:
        return b""
