"""Capacity advice: the measured demand, what carries it, and what today's fleet is worth."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from bongsu.core.burst import MachineType, Mode
from bongsu.core.capacity import Course, Load, Option, carries, load_of, option, ranked, used
from bongsu.core.lateness import Habit, Late, scaled_late


class Fault(StrEnum):
    """Why a fleet does not carry the demand."""

    PROCESSORS = "processors"
    """More is wanted than its CPUs can do."""
    MEAN = "mean"
    """It uses more than its baseline on average: the credits end, however many there are."""
    BURST = "burst"
    """Its longest burst spends more than the cap holds."""


@dataclass(frozen=True, slots=True)
class Advice:
    """The answer. ``fault``: why today's ``machines`` of ``machine`` do not do, None when they do."""

    machine: MachineType
    machines: int
    load: Load
    growth: float
    fault: Fault | None
    options: tuple[Option, ...]
    late: Late | None
    habit: Habit

    @property
    def best(self) -> Option | None:
        """What is proposed: the cheapest that carries, or, where no price is known, the fewest processors."""
        return next((each for each in self.options if each.count is not None), None)

    @property
    def own(self) -> Option | None:
        """The type of today."""
        return next((each for each in self.options if each.machine.key == self.machine.key), None)


def family(machine: MachineType, known: Iterable[MachineType]) -> list[MachineType]:
    """The types that a machine is easily exchanged for: the provider's; of EC2 those of one generation (t3, t4g)."""
    provider, _, kind = machine.key.partition(":")
    alike = f"{provider}:{kind.partition('.')[0]}." if provider == "ec2" else f"{provider}:"
    found = [each for each in known if each.key.startswith(alike) and each.cap > 0]
    return found if machine in found else [machine, *found]


def advise(
    courses: Sequence[tuple[datetime, Course]],
    machine: MachineType,
    types: Sequence[MachineType],
    growth: float = 0.0,
    least: int = 1,
    habit: Habit | None = None,
) -> Advice:
    """Advice on the measured (begin, CPU 0..1) of each machine of one type."""
    load, habit = load_of(courses, machine.vcpus, growth), habit or Habit()
    fault = why_not(load, machine, load.machines)
    late = None
    if fault is not None and machine.mode is Mode.STANDARD:
        late = scaled_late(load, machine, load.machines, habit)
    options = ranked([option(load, each, least) for each in types])
    return Advice(machine, load.machines, load, growth, fault, tuple(options), late, habit)


def why_not(load: Load, machine: MachineType, count: int) -> Fault | None:
    """Why ``count`` machines do not carry the load; None when they do."""
    if carries(load, machine, count):
        return None
    share = used(load, machine, count)
    if float(share.max()) > 1.0:
        return Fault.PROCESSORS
    spends = float(share.mean()) * machine.vcpus
    above = spends > machine.earn_per_minute and not math.isclose(spends, machine.earn_per_minute)
    return Fault.MEAN if above else Fault.BURST
