"""An incident as something that can happen again: what its arrivals demanded, and whether its alarms still come."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

FULL = 0.9
"""CPU (0..1) from which a machine no longer shows what is asked of it."""
HIGHEST = 2.0
"""What a replay asks of a machine at the most: beyond it only the queue grows."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something that was told. ``after``: seconds since the breach began; ``level``: the tier, 0 for other kinds."""

    kind: str
    after: float
    notify: tuple[str, ...]
    level: int = 0

    @property
    def name(self) -> str:
        """``tier 2``, or the kind."""
        return f"{self.kind} {self.level}" if self.level else self.kind


@dataclass(frozen=True, slots=True)
class Minute:
    """From ``at`` on (seconds since the breach began): arrivals per second, and the CPU (0..1) they demand of each
    machine."""

    at: float
    per_s: float
    cpu: float


@dataclass(frozen=True, slots=True)
class Used:
    """What was measured in a minute: mean CPU of ``machines`` machines; ``capped``: one was full or throttled."""

    at: float
    per_s: float
    cpu: float
    machines: int
    capped: bool


def demanded(minutes: Sequence[Used]) -> tuple[Minute, ...]:
    """What the arrivals asked of each machine: what was used while nothing capped it; else by what an arrival cost.

    The cost is that of the busiest free half of the minutes, for a calm minute's CPU is hardly the visitors' own.
    """
    free = sorted((m for m in minutes if not m.capped and m.per_s > 0), key=lambda m: m.per_s)
    busy = free[len(free) // 2 :]
    arrivals = sum(m.per_s for m in busy)
    cost = sum(m.cpu * m.machines for m in busy) / arrivals if arrivals else 0.0
    found = []
    for each in minutes:
        asked = max(each.cpu, cost * each.per_s / max(1, each.machines)) if each.capped else each.cpu
        found.append(Minute(each.at, round(each.per_s, 3), round(min(HIGHEST, asked), 4)))
    return tuple(found)


def broken(recorded: Sequence[Alarm], told: Sequence[Alarm], reached: Mapping[str, int], slack: float) -> list[str]:
    """What of a recorded chain of alarms no longer comes, comes late, or reaches nobody; empty when all of it does.

    ``reached``: how many addresses took each alarm, by its name. Whatever is told more or earlier breaks nothing.
    """
    problems = []
    for each in recorded:
        now = next((alarm for alarm in told if (alarm.kind, alarm.level) == (each.kind, each.level)), None)
        if now is None:
            problems.append(f"{each.name}: told {_minutes(each.after)} after the start then, never now")
            continue
        if now.after > each.after + slack:
            problems.append(f"{each.name}: told {_minutes(each.after)} after the start then, {_minutes(now.after)} now")
        if gone := [target for target in each.notify if target not in now.notify]:
            problems.append(f"{each.name}: told {', '.join(gone)} then, {', '.join(now.notify) or 'nobody'} now")
        if not reached.get(each.name):
            problems.append(f"{each.name}: no address takes it")
    return problems


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.1f} min"
