"""A recorded incident as an evening in the lab: its arrivals and routes, its policy, its responder.

What the arrivals asked of the machines then is asked of the lab's machines now: a minute's demand becomes the rate that
costs as much here, in the mix of routes that was recorded.
"""

from __future__ import annotations

import json
import re
import statistics
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from bongsu.config.replays import Replay
from bongsu.core.drill import Expectation, Scenario
from bongsu.core.incident import Kind
from bongsu.core.replay import FULL, Alarm, Minute
from bongsu.lab.calibration import Calibration
from bongsu.lab.drill.evening import DEPARTMENT, ON_CALL, UPPER, Evening, Run, Watcher, plan_of
from bongsu.lab.drill.judge import Judge, tier
from bongsu.lab.drill.responder import Responder
from bongsu.lab.drill.result import result_of
from bongsu.lab.drill.session import measure, play
from bongsu.lab.plan import LabPlan
from bongsu.lab.running import RunningLab, RunningLoad
from bongsu.lab.traffic import HIGHEST_RATE, Segment

REPLAYED = "replayed"
CORES = 1.8
"""What the machines may take of this computer together; none is larger than ``Scenario.size``."""
AFTER = 3.0
"""Lab minutes that are looked on after the record's end, for what was decided in its last."""
WITHIN = 0.1
"""How far the arrivals may be off; they come by chance, as people do."""
FULL_MINUTES = 3
"""Minutes in a row at the ceiling that the lab surely sees: it has a sample a minute, and the ceiling wants two."""
VISITS = {
    "GET /products": "list",
    "GET /products/{}": "detail",
    "GET /products/top": "top",
    "POST /orders": "order",
    "POST /orders/{}/payment": "",  # comes with its order
    "POST /users/{}/points/charge": "charge",
}
"""What the lab's visitors do for a recorded route. Of routes that the lab's shop does not have, GETs look at a product
and the others order one."""


def mix_of(routes: Mapping[str, int]) -> str:
    """The recorded routes as a mix of the lab's visits; the calm one when none was recorded."""
    found: Counter[str] = Counter()
    for route, count in routes.items():
        plain = re.sub(r"\{[^}]*\}", "{}", route)
        found[VISITS.get(plain, "detail" if plain.startswith(("GET ", "HEAD ", "/")) else "order")] += count
    del found[""]
    return "+".join(f"{visit}={count}" for visit, count in sorted(found.items())) or "calm"


def scenario_of(recorded: Replay) -> Scenario:
    """The record as a scenario: the machines and times of then, the lab's size and speed."""
    usual = Scenario(recorded.incident)
    machines = recorded.machines + recorded.added
    during = [each.cpu for each in recorded.minutes if each.at >= 0] or [usual.plateau]
    times = recorded.times
    opening = recorded.opening_balance
    if opening is None:
        opening = 0.1 * LabPlan(machine_type=recorded.machine_type).type.cap
    return replace(
        usual,
        machine_type=recorded.machine_type,
        size=round(min(usual.size, CORES / machines), 3),
        machines=recorded.machines,
        scale_to=machines,
        opening_balance=opening,
        plateau=min(0.8, max(0.2, statistics.fmean(during))),
        calm_minutes=recorded.lead / 60,
        tiers=tuple(seconds / 60 for seconds in times.tiers),
        ack_holds=times.ack_holds / 60,
        settle=times.settle / 60,
        runway_under=times.runway_under / 60,
        resolve_full_burn=times.resolve_full_burn / 60,
    )


def segments_of(recorded: Replay, scenario: Scenario, calibration: Calibration) -> tuple[Segment, ...]:
    """The load driver's plan, a segment for each recorded minute."""
    mix, minutes = mix_of(recorded.routes), recorded.minutes
    ends = [each.at for each in minutes[1:]] + [recorded.ends]
    return tuple(
        Segment(
            max(0.1, round((end - each.at) / scenario.speed, 3)),
            round(min(HIGHEST_RATE, calibration.rate(_asked(each, scenario), scenario.machines, scenario.size)), 2),
            mix,
        )
        for each, end in zip(minutes, ends, strict=True)
    )


def _asked(minute: Minute, scenario: Scenario) -> float:
    """A full machine was asked for more than it has; how much more, its CPU does not tell."""
    return max(minute.cpu, scenario.peak) if minute.cpu >= FULL else minute.cpu


def seen_full(recorded: Replay) -> bool:
    """Whether the record was at the ceiling for long enough to be seen in the lab."""
    longest = run = 0
    for each in recorded.minutes:
        run = run + 1 if each.cpu >= FULL else 0
        longest = max(longest, run)
    return longest >= FULL_MINUTES


class ReplayedRun(Run):
    """Plays a record; the responder takes it when somebody took it then, and adds machines if machines were added."""

    def __init__(
        self, recorded: Replay, scenario: Scenario, calibration: Calibration, folder: Path, watcher: Watcher
    ) -> None:
        super().__init__(REPLAYED, scenario, calibration, folder, watcher)
        self._recorded = recorded
        self.planned = segments_of(recorded, scenario, calibration)

    def _segments(self) -> tuple[Segment, ...]:
        return self.planned

    def _responder(self, lab: RunningLab) -> Responder | None:
        taken = self._recorded.acknowledged
        if taken is None:
            return None
        first = next((each.after for each in self._recorded.alarms if each.level == 1), 0.0)
        return Responder(
            lab.directory.inbox,
            ON_CALL,
            scales_out=self._recorded.added > 0,
            reaction=max(0.0, taken - first) / self._scenario.speed,
            say=self._watcher.say,
        )

    def _live(self, lab: RunningLab, load: RunningLoad, began: float, sale: float) -> None:
        """Look on until the record is over."""
        after = AFTER * 60 / self._scenario.speed
        ends = began + sum(each.seconds for each in self.planned) + after
        while (tick := time.time()) < ends:
            self._watcher.look(self._glance(lab, load, tick, sale))
            time.sleep(max(0.0, tick + 0.5 - time.time()))

    @property
    def sent(self) -> int:
        """Arrivals that the driver was to send, those among them that it dropped as well."""
        rows = (self._folder / "load" / "seconds.jsonl").read_text(encoding="utf-8").splitlines()
        return sum(row["sent"] + row["dropped"] for row in map(json.loads, rows))


def judge(recorded: Replay, evening: Evening, sent: int, planned: float) -> list[Expectation]:
    """Whether the lab saw the arrivals, and told whom was told then."""
    judging = Judge(evening)
    judging.expect(
        "arrivals as recorded",
        f"{planned:.0f} within {WITHIN:.0%}",
        f"{sent}",
        abs(sent - planned) <= WITHIN * planned + 3 * planned**0.5,
    )
    for each in recorded.alarms:
        if each.kind != Kind.CEILING or seen_full(recorded):
            _told(judging, evening, each, recorded.acknowledged)
    known = {each.level for each in recorded.alarms if each.kind == "tier"}
    more = sorted({each["level"] for each in evening.deliveries("tier")} - known)
    judging.expect("no tier that was quiet then", "none", ", ".join(f"tier {n}" for n in more) or "none", not more)
    ids = [line["message_id"] for line in evening.inbox]
    judging.expect("no mail twice", "every Message-ID once", f"{len(ids)} mails", len(ids) == len(set(ids)))
    return judging.found


def _told(judging: Judge, evening: Evening, alarm: Alarm, taken: float | None) -> None:
    """A tier in its time, unless it was held back then; the others whenever their moment comes on these machines."""
    scenario = evening.scenario
    if alarm.level:
        due = scenario.tiers[alarm.level - 1]
        held = taken is not None and taken < alarm.after and alarm.after / 60 > due + 1
        address = (ON_CALL, DEPARTMENT, UPPER)[min(alarm.level, 3) - 1]
        tier(judging, evening, alarm.level, address, 0.0 if held else None)
        return
    told = [each["recipient"]["address"] for each in evening.deliveries(alarm.kind) if each["state"] == "accepted"]
    then = f"told ({alarm.after / 60:.0f} min after the start then)"
    judging.expect(f"{alarm.kind} told", then, ", ".join(told) or "never", bool(told))


def rehearse(recorded: Replay, folder: Path, watcher: Watcher) -> dict[str, Any]:
    """Play the record once and judge it. Raises InvalidInput when no lab can be made of it."""
    scenario = scenario_of(recorded)
    plan_of(scenario, None)  # says what is wrong with it before anything starts
    folder.mkdir(parents=True, exist_ok=True)
    mix = mix_of(recorded.routes)
    watcher.say(f"{recorded.incident}: {len(recorded.minutes)} minutes of {recorded.service}, {mix}")
    calibration = measure(scenario, folder / "measured", watcher, mix)
    run = ReplayedRun(recorded, scenario, calibration, folder / REPLAYED, watcher)
    evening = play(run, folder / REPLAYED)
    planned = sum(each.seconds * each.rate for each in run.planned)
    judged = judge(recorded, evening, run.sent, planned)
    judged = [replace(each, steal=max(each.steal, calibration.steal)) for each in judged]
    return result_of(scenario, [evening], judged)
