"""A burstable machine and its baseline: one clipped leaky bucket fits every credit cloud.

Units: a credit is one vCPU at 100 % for one minute. ``utilisation`` is the mean over the machine's vCPUs, 0..1.
Earned per minute: ``vcpus * baseline``; spent per minute: ``vcpus * utilisation``; cap: what 24 hours earn
(Amazon EC2 User Guide, "Key concepts for burstable performance instances"). Here are the figures that need nothing but
a balance; ``core/credits.py`` keeps launch credits, surplus and its cost.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from functools import cached_property

LIFETIME = 100 * 365 * 1440.0
"""Minutes: what takes longer does not happen, and no timedelta holds what a burn of 1e-15 takes."""


class Mode(StrEnum):
    """What happens when the credits are gone."""

    STANDARD = "standard"
    """Held down to the baseline."""
    UNLIMITED = "unlimited"
    """Runs on credits of the next 24 hours, then on the bill."""


class OnStop(StrEnum):
    """What becomes of the credits when the machine is stopped."""

    LOST = "lost"
    KEPT_7_DAYS = "kept_7_days"
    KEPT_ON_SAME_NODE = "kept_on_same_node"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class MachineType:
    """A row of the machine catalogue; ``key`` is ``provider:type``, credits are vCPU-minutes.

    ``earn_per_hour`` is told where the vendor's table rounds it (Azure B16ms: 162, not 163.2); otherwise it follows
    from vCPUs and baseline. ``surplus_price`` is per vCPU-hour; None: there is no unlimited mode, or no known price.
    ``ramp_minutes``: how gradually the vendor says to throttle. ``price_date`` and ``price_region`` say which list
    ``month_price`` is from.
    """

    key: str
    vcpus: int
    baseline: float
    cap: float
    launch_credits: float = 0.0
    earn_per_hour: float | None = None
    mode: Mode = Mode.STANDARD
    on_stop: OnStop = OnStop.UNKNOWN
    surplus_price: float | None = None
    currency: str = "USD"
    ramp_minutes: float = 0.0
    month_price: float | None = None
    price_date: str = ""
    price_region: str = ""
    valid_from: str = ""
    source: str = ""

    @cached_property
    def earn_per_minute(self) -> float:
        """Credits earned in a minute."""
        return self.vcpus * self.baseline if self.earn_per_hour is None else self.earn_per_hour / 60.0

    @cached_property
    def empty_below(self) -> float:
        """The balance that counts as empty: balances hover a little above 0, so a threshold of 0 never fires."""
        return max(1.0, 0.01 * self.cap)


def drain(balance: float, machine: MachineType, utilisation: float, minutes: float) -> float:
    """The balance after ``minutes`` at a mean ``utilisation`` (0..1), clipped to 0..cap (credits)."""
    flow = machine.earn_per_minute - machine.vcpus * utilisation
    return min(machine.cap, max(0.0, balance + flow * minutes))


def runway(balance: float, machine: MachineType, utilisation: float) -> timedelta | None:
    """How long ``balance`` lasts at a constant ``utilisation``; None when it never empties, or not in a lifetime."""
    burn = machine.vcpus * utilisation - machine.earn_per_minute
    if burn * LIFETIME <= balance:
        return None
    return timedelta(minutes=balance / burn)


def full_burn_runway(balance: float, machine: MachineType) -> timedelta:
    """How long ``balance`` lasts at 100 % of every vCPU."""
    return timedelta(minutes=balance / (machine.vcpus - machine.earn_per_minute))
