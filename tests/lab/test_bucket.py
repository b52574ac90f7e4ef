"""The credit bucket on a virtual clock, and what the governor says of it."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bongsu.catalogue import load_catalogue
from bongsu.lab.bucket import Bucket
from bongsu.lab.cgroup import Usage
from bongsu.lab.directory import LabDirectory
from bongsu.lab.governor import Entry, exposition, read_roster, write_roster
from bongsu.lab.loopback import fetch, free_ports
from bongsu.lab.processes import launch
from bongsu.lab.throttle import Enclosures
from tests.support import wait_for

SMALL = load_catalogue()["lightsail:small-2GB"]


def bucket(balance: float) -> Bucket:
    return Bucket(SMALL, size=0.4, speed=60.0, balance=balance)


def play(
    each: Bucket, utilisation: float, seconds: float, start: float = 0.0, used: float = 0.0
) -> tuple[float, float]:
    """Run at a constant demand (0..1) for real seconds, capped as the bucket says; returns clock and CPU seconds."""
    at = start
    each.advance(at, Usage(used))
    while at < start + seconds:
        at += 0.1
        used += min(utilisation * 0.4, each.cores) * 0.1
        each.advance(at, Usage(used, periods=round(at * 10)))
    return at, used


def test_it_empties_when_the_formula_says() -> None:
    """10 credits at 70 %: 2 x (0.7 - 0.2) = 1 credit per lab minute, a lab minute per real second."""
    each = bucket(10.0)
    at, used = play(each, 0.7, 9.8)
    assert not each.empty
    play(each, 0.7, 0.4, at, used)
    assert each.empty
    assert each.cores == pytest.approx(0.08)


def test_it_stays_capped_while_the_demand_stays_above_the_baseline() -> None:
    each = bucket(1.0)
    play(each, 0.9, 30)
    assert each.empty
    assert each.utilisation() == pytest.approx(0.2, abs=0.001)


def test_it_may_burst_again_after_earning_a_lab_minute() -> None:
    each = bucket(0.5)
    at, used = play(each, 0.9, 5)
    assert each.empty
    at, used = play(each, 0.0, 0.8, at, used)
    assert each.empty
    play(each, 0.0, 0.5, at, used)
    assert not each.empty


def test_the_mean_is_told_only_when_it_was_seen_long_enough() -> None:
    each = bucket(10.0)
    play(each, 0.5, 0.3)
    assert each.utilisation() is None
    play(each, 0.5, 1.0, 0.4, 0.06)
    assert each.utilisation() == pytest.approx(0.5, abs=0.05)


def test_throttled_ratio_is_of_periods() -> None:
    each = bucket(10.0)
    each.advance(0.0, Usage(0.0, 0, 0))
    each.advance(1.0, Usage(0.1, 10, 4))
    assert each.throttled_ratio() == pytest.approx(0.4)


def test_the_metrics_are_those_that_bongsu_reads() -> None:
    each = bucket(10.0)
    play(each, 0.5, 3.0)
    text = exposition({"m1": each}, steal=0.01, stall=0.002)
    label = '{job="application",instance="m1"}'
    for name in (
        "system_cpu_usage", "system_cpu_count", "burst_credit_balance", "burst_credit_cap",
        "burst_throttled_seconds_total", "burst_throttled_ratio", "machine_cpu_seconds_total",
    ):  # fmt: skip
        assert f"\n{name}{label} " in text
    assert f"system_cpu_count{label} 2.0\n" in text
    assert "\nlab_host_steal_ratio 0.01\n" in text
    assert text.endswith("\nlab_heartbeat_stall_seconds 0.002\n")


@pytest.mark.parametrize("way", ["cgroup", "duty"])
def test_a_real_bucket_runs_out_and_the_quota_holds(root: Path, way: str) -> None:
    """A busy process empties 3 credits (1.9 s at 100 %), then gets its baseline and no more."""
    directory = LabDirectory(root)
    directory.prepare()
    enclosures = Enclosures(directory.mark, "duty" if way == "duty" else "auto")
    if way == "cgroup" and "duty" in enclosures.description:
        pytest.skip("no right to make CPU cgroups here")
    enclosure = enclosures.make("m1")
    with directory.log("test").open("wb") as log:
        port = next(free_ports(directory.mark))
        command = [sys.executable, "-m", "bongsu.lab.governor", "--directory", str(root), "--port", str(port)]
        governor = launch([*command, "--speed", "60"], lab=root, stdout=log)
        spin = [sys.executable, "-c", "while True: pass"]
        machine = launch(spin, lab=root, stdout=log, groups=enclosure.entrances())
    try:
        entry = Entry("m1", SMALL.key, 0.4, 3.0, enclosures.begun(enclosure, machine.pid))
        write_roster(directory.roster, [entry])
        assert read_roster(directory.roster) == [entry]
        wait_for("the bucket to empty", lambda: any(row["machines"]["m1"]["empty"] for row in records(directory)))
        # The mean of the last two seconds comes down to the baseline and no further.
        wait_for("the quota to hold", lambda: any(abs(row["u"] - 0.2) < 0.03 for row in held(directory)))
        assert min(row["u"] for row in held(directory)) > 0.1
        assert 'burst_throttled_ratio{job="application",instance="m1"}' in fetch(f"http://127.0.0.1:{port}/metrics")
        write_roster(directory.roster, [replace(entry, name="m2")])
        wait_for("the other machine", lambda: "m2" in fetch(f"http://127.0.0.1:{port}/metrics"))
    finally:
        for process in (governor, machine):
            process.kill()
            process.wait()
        enclosures.remove(enclosure)


def records(directory: LabDirectory) -> list[dict[str, Any]]:
    if not directory.records.exists():
        return []
    rows = [json.loads(line) for line in directory.records.read_text().splitlines()]
    return [row for row in rows if "m1" in row["machines"]]


def held(directory: LabDirectory) -> list[dict[str, Any]]:
    rows = [row["machines"]["m1"] for row in records(directory)]
    return [row for row in rows if row["empty"]]
