"""A whole drill: measure what a visit costs here, play the runs, judge them."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bongsu.core.drill import STEAL_AT_MOST, Expectation, Scenario, Verdict, physics_problems, verdict
from bongsu.core.errors import InvalidInput
from bongsu.lab.calibration import Calibration, calibrate
from bongsu.lab.drill.evening import Evening, Run, Watcher
from bongsu.lab.drill.judge import judge
from bongsu.lab.drill.result import expectation_of, result_of
from bongsu.lab.drill.scenarios import SABOTAGES, SHORT, Sabotage
from bongsu.lab.plan import LabPlan
from bongsu.lab.running import start_lab

USUAL_COST = 0.0022
"""CPU seconds of a visit, roughly: enough to choose the rate to begin to measure at."""
MEASUREMENTS, PATIENCE = 5, 12
"""How often the cost of a visit is measured at the most: on a quiet host, and while the host takes CPU away."""


def measure(scenario: Scenario, folder: Path, watcher: Watcher, mix: str = "sale") -> Calibration:
    """What a visit costs on this computer, measured on one lab machine with plenty of credits."""
    watcher.say("measuring what a visit costs here")
    plan = LabPlan(
        machines=1,
        size=scenario.size,
        speed=scenario.speed,
        machine_type=scenario.machine_type,
        opening_balance=500.0,
        bongsu=False,
    )
    with start_lab(plan, folder / "lab") as lab:
        rate = scenario.plateau * scenario.size / USUAL_COST
        # the cost of a visit depends on the rate, so look for the rate whose own cost brings the plateau; stolen time
        # disturbs a measurement, which is then not the last
        for number in range(1, PATIENCE + 1):
            found = calibrate(lab, folder / f"load-{number}", mix=mix, rate=rate, seconds=5.0)
            wanted = found.rate(scenario.plateau, 1, scenario.size)
            settled = abs(wanted - rate) <= 0.04 * rate or number >= MEASUREMENTS
            if found.steal <= STEAL_AT_MOST and settled:
                break
            rate = min(max(wanted, rate / 2), rate * 2)
    watcher.say(f"a visit costs {found.per_arrival * 1000:.1f} ms of CPU, an idle machine {found.idle:.3f} cores")
    return found


def rehearse(scenario: Scenario, runs: Sequence[str], folder: Path, watcher: Watcher) -> dict[str, Any]:
    """Play the runs and judge them. Raises InvalidInput when the scenario's physics do not close."""
    machine = LabPlan(machine_type=scenario.machine_type).type
    problems = physics_problems(scenario, machine)
    if problems:
        raise InvalidInput([f"scenario {scenario.name}: {problem}" for problem in problems])
    folder.mkdir(parents=True, exist_ok=True)
    calibration = measure(scenario, folder / "measured", watcher)
    evenings = [play(Run(run, scenario, calibration, folder / run, watcher), folder / run) for run in runs]
    # rates that were measured while the host took CPU away prove nothing afterwards, however quiet it is by then
    judged = [replace(each, steal=max(each.steal, calibration.steal)) for each in judge(evenings)]
    return result_of(scenario, evenings, judged)


def sabotage(folder: Path, watcher: Watcher) -> dict[str, Any]:
    """Play short evenings with something broken; each must fail, and name the expectation that is meant to notice."""
    folder.mkdir(parents=True, exist_ok=True)
    calibration = measure(SHORT, folder / "measured", watcher)
    found: list[Expectation] = []
    told = []
    for number, broken in enumerate(SABOTAGES, start=1):
        watcher.say(f"sabotage {number} of {len(SABOTAGES)}: {broken.name}")
        where = folder / f"{number}-{broken.name.replace(' ', '-')}"
        evening = play(Run(broken.run, SHORT, calibration, where, watcher, broken), where)
        judged = judge([evening])
        found.append(_noticed(broken, judged))
        watcher.say(
            f"{broken.name}: verdict: {verdict(judged).value} ({', '.join(_failed(judged)) or 'nothing failed'})"
        )
        told.append({"sabotage": broken.name, "verdict": verdict(judged).value, "failed": _failed(judged)})
    return {
        "scenario": "sabotage",
        "speed": SHORT.speed,
        "verdict": verdict(found).value,
        "sabotages": told,
        "expectations": [expectation_of(each) for each in found],
    }


def _noticed(broken: Sabotage, judged: Sequence[Expectation]) -> Expectation:
    failed = _failed(judged)
    noticed = verdict(judged) is Verdict.FAIL and broken.noticed_by in failed
    seen = f"verdict {verdict(judged).value}: {', '.join(failed) or 'nothing failed'}"
    steal = max((each.steal for each in judged), default=0.0)
    return Expectation(broken.run, broken.name, f"verdict fail: {broken.noticed_by}", seen, noticed, steal)


def _failed(judged: Sequence[Expectation]) -> list[str]:
    return [each.name for each in judged if not each.passed and not each.disturbed]


def play(run: Run, folder: Path) -> Evening:
    folder.mkdir(parents=True, exist_ok=True)
    evening = run.play()
    shutil.rmtree(folder / "lab" / "postgres", ignore_errors=True)  # large, and nothing in it is looked at again
    shutil.rmtree(folder / "lab" / "prometheus", ignore_errors=True)
    return evening
