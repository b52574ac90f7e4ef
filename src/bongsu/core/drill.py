"""A drill: its scenario, whether its physics close, and what its verdict is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from bongsu.core.burst import MachineType, drain
from bongsu.core.scaling import HEADROOM

STEAL_AT_MOST = 0.05
"""Share of CPU stolen by the host above which a figure proves nothing."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """An evening that can be rehearsed.

    Levels are CPU (0..1) that the demand puts on each of ``machines``; a level above 1 saturates them. Times are lab
    minutes; ``opening_balance`` and ``newcomer_balance`` are credits; ``own_cost`` is the CPU that the monitoring takes
    on each machine, which is all it does for ``lead_minutes`` until its first visitors come. ``tiers`` say after how
    long who is told.
    """

    name: str
    machine_type: str = "lightsail:small-2GB"
    speed: float = 60.0
    size: float = 0.3
    machines: int = 1
    scale_to: int = 6
    opening_balance: float = 32.5
    newcomer_balance: float = 24.0
    calm: float = 0.08
    peak: float = 1.08
    plateau: float = 0.42
    lead_minutes: float = 7.0
    calm_minutes: float = 5.0
    peak_minutes: float = 7.0
    after_exhaustion: float = 14.0
    own_cost: float = 0.03
    tiers: tuple[float, ...] = (5.0, 20.0, 40.0)
    ack_holds: float = 15.0
    settle: float = 2.0
    runway_under: float = 5.0
    resolve_full_burn: float = 8.0
    rises_for: float = 10.0


def balance_at_sale(scenario: Scenario, machine: MachineType) -> float:
    """Credits of each machine when the sale begins."""
    idle = drain(scenario.opening_balance, machine, scenario.own_cost, scenario.lead_minutes)
    return drain(idle, machine, scenario.calm, scenario.calm_minutes)


def predicted_exhaustion(scenario: Scenario, machine: MachineType) -> float | None:
    """Lab minutes from the sale's beginning until the credits are gone if nobody acts; None if they last."""
    balance = balance_at_sale(scenario, machine)
    at_peak = drain(balance, machine, min(1.0, scenario.peak), scenario.peak_minutes)
    burn = machine.vcpus * (scenario.plateau - machine.baseline)
    if at_peak <= 0 or burn <= 0:
        return None
    return scenario.peak_minutes + at_peak / burn


def physics_problems(scenario: Scenario, machine: MachineType) -> list[str]:
    """Why the scenario could not show what it is meant to show; empty when its physics close."""
    found: list[str] = []
    limit = HEADROOM * machine.baseline
    if scenario.calm + scenario.own_cost > limit:
        found.append(f"calm: {scenario.calm:.0%} and the monitoring's {scenario.own_cost:.0%} exceed {limit:.0%}")
    if scenario.plateau < 2 * machine.baseline:
        found.append(f"plateau: {scenario.plateau:.0%} is too near the baseline of {machine.baseline:.0%}")
    if scenario.peak < 1.0:
        found.append(f"peak: {scenario.peak:.0%} does not reach the ceiling")
    demand = (scenario.plateau - scenario.own_cost) * scenario.machines
    spread = demand / scenario.scale_to + scenario.own_cost
    if spread > limit:
        found.append(f"scale_to: {scenario.scale_to} machines would run at {spread:.1%}, more than {limit:.1%}")
    gone = predicted_exhaustion(scenario, machine)
    if gone is None:
        found.append("opening_balance: the credits do not run out in the plateau")
    elif gone < scenario.tiers[2]:
        found.append(f"opening_balance: gone after {gone:.0f} min, before the last tier at {scenario.tiers[2]:.0f} min")
    return found


class Verdict(StrEnum):
    """How a drill ended."""

    PASS = "pass"  # noqa: S105 - a word, not a password
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"
    """The host took CPU away meanwhile: neither passed nor failed."""


@dataclass(frozen=True, slots=True)
class Drilled:
    """What a drill left behind. ``at``: when it ended; ``verdict`` is None when ``problem`` says what is wrong.

    ``failed``: the expectations that were not met, with what was seen instead.
    """

    name: str
    at: datetime | None
    scenario: str = ""
    verdict: Verdict | None = None
    failed: tuple[str, ...] = ()
    problem: str = ""

    @property
    def passed(self) -> bool:
        """Whether nothing about it needs anybody."""
        return self.verdict is Verdict.PASS


@dataclass(frozen=True, slots=True)
class Expectation:
    """Something that a run must show, and what was seen. ``steal``: the host's worst share in its window (0..1)."""

    run: str
    name: str
    expected: str
    seen: str
    passed: bool
    steal: float = 0.0

    @property
    def disturbed(self) -> bool:
        """Whether the host took so much CPU away that it proves nothing."""
        return self.steal > STEAL_AT_MOST


def verdict(expectations: Sequence[Expectation]) -> Verdict:
    """Fail if an undisturbed expectation failed, else inconclusive if any was disturbed, else pass.

    No expectation at all is a failure: a drill that looked at nothing has shown nothing.
    """
    if not expectations or any(not each.passed and not each.disturbed for each in expectations):
        return Verdict.FAIL
    if any(each.disturbed for each in expectations):
        return Verdict.INCONCLUSIVE
    return Verdict.PASS
