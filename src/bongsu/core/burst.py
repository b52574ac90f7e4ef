"""The credit bucket of a burstable machine: one clipped leaky bucket fits every credit cloud.

Units: a credit is one vCPU at 100 % for one minute. ``utilisation`` is the mean over the machine's vCPUs, 0..1.
Earned per minute: ``vcpus * baseline``; spent per minute: ``vcpus * utilisation``; cap: what 24 hours earn
(Amazon EC2 User Guide, "Key concepts for burstable performance instances").
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from datetime import timedelta

from bongsu.core.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class MachineType:
    """A row of the machine catalogue; ``key`` is ``provider:type``, credits are vCPU-minutes."""

    key: str
    vcpus: int
    baseline: float
    cap: float
    launch_credits: float = 0.0

    @property
    def earn_per_minute(self) -> float:
        """Credits earned in a minute."""
        return self.vcpus * self.baseline

    @property
    def empty_below(self) -> float:
        """The balance that counts as empty: balances hover a little above 0, so a threshold of 0 never fires."""
        return max(1.0, 0.01 * self.cap)


def drain(balance: float, machine: MachineType, utilisation: float, minutes: float) -> float:
    """The balance after ``minutes`` at a mean ``utilisation`` (0..1), clipped to 0..cap (credits)."""
    return min(machine.cap, max(0.0, balance + machine.vcpus * (machine.baseline - utilisation) * minutes))


def runway(balance: float, machine: MachineType, utilisation: float) -> timedelta | None:
    """How long ``balance`` lasts at a constant ``utilisation``; None when it never empties."""
    burn = machine.vcpus * (utilisation - machine.baseline)
    if burn <= 0:
        return None
    return timedelta(minutes=balance / burn)


def full_burn_runway(balance: float, machine: MachineType) -> timedelta:
    """How long ``balance`` lasts at 100 % of every vCPU."""
    return timedelta(minutes=balance / (machine.vcpus * (1.0 - machine.baseline)))


def parse_catalogue(text: str) -> dict[str, MachineType]:
    """The machine catalogue by key, from CSV with a header line.

    Raises InvalidInput with every bad row: earn must be 60 * vcpus * baseline and cap 24 * earn, within 2 %.
    """
    machines: dict[str, MachineType] = {}
    problems: list[str] = []
    for number, row in enumerate(csv.DictReader(io.StringIO(text)), start=2):
        key = f"{row['provider']}:{row['type']}"
        try:
            vcpus, baseline = int(row["vcpus"]), float(row["baseline_per_vcpu"])
            earn, cap = float(row["earn_per_hour"] or 0), float(row["cap"] or 0)
            launch = float(row["launch_credits"] or 0)
        except ValueError as error:
            problems.append(f"catalogue line {number} ({key}): {error}; write plain numbers")
            continue
        if earn and abs(earn - 60 * vcpus * baseline) > 0.02 * earn:
            problems.append(f"catalogue line {number} ({key}): earn_per_hour {earn} is not 60 * vcpus * baseline")
        if cap and abs(cap - 24 * earn) > 0.02 * cap:
            problems.append(f"catalogue line {number} ({key}): cap {cap} is not 24 * earn_per_hour")
        machines[key] = MachineType(key, vcpus, baseline, cap, launch)
    if problems:
        raise InvalidInput(problems)
    return machines
