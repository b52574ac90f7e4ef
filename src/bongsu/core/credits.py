"""What a machine's account of credits holds, and how a stretch of CPU changes it.

Within a stretch of constant demand everything is linear (or, on the throttle's ramp, a parabola), so the answer is
exact and does not depend on how the time is cut into steps. Sources of the rules: Amazon EC2 User Guide, "Standard
mode" and "Unlimited mode" with their examples; Azure "B-series burstable sizes", workload example; Alibaba Cloud "CPU
credit change examples". ``tests/core/test_credits.py`` replays all five examples.
"""

from __future__ import annotations

import math
from datetime import timedelta
from typing import NamedTuple

from bongsu.core.burst import LIFETIME, MachineType, Mode, OnStop

KEPT_FOR = timedelta(days=7)


class Credits(NamedTuple):
    """An account, in credits. ``launch`` is spent first and lies outside the cap; ``surplus`` is owed, not billed."""

    earned: float = 0.0
    launch: float = 0.0
    surplus: float = 0.0
    charged: float = 0.0

    @property
    def balance(self) -> float:
        """What the vendor shows as the balance."""
        return self.earned + self.launch


def launched(machine: MachineType, mode: Mode | None = None) -> Credits:
    """The account of a machine that has just begun; launch credits are given in standard mode alone."""
    return Credits(launch=machine.launch_credits if (mode or machine.mode) is Mode.STANDARD else 0.0)


def spend(
    account: Credits, machine: MachineType, demand: float, minutes: float, mode: Mode | None = None, ramp: float = 0.0
) -> Credits:
    """The account after ``minutes`` of a constant ``demand`` (0..1, mean over the vCPUs).

    In standard mode a machine without credits is held to its baseline, so demand beyond it costs nothing. ``ramp``:
    minutes over which the speed declines from 100 % to the baseline before that; 0 is the vendors' own arithmetic.
    """
    if account.launch > 0:
        account, minutes = _spend_launch(account, machine, demand, minutes)
    if minutes <= 0:
        return account
    earned, launch, surplus, charged = account
    flow = machine.earn_per_minute - machine.vcpus * demand
    if (mode or machine.mode) is Mode.UNLIMITED:
        held = earned - surplus + flow * minutes
        billed = max(0.0, -held - machine.cap)
        owed = min(machine.cap, max(0.0, -held))
        return Credits(min(machine.cap, max(0.0, held)), launch, owed, charged + billed)
    if flow < 0 and ramp > 0:
        return Credits(_ramped(earned, machine, -flow, minutes, ramp), launch, surplus, charged)
    return Credits(min(machine.cap, max(0.0, earned + flow * minutes)), launch, surplus, charged)


def _spend_launch(account: Credits, machine: MachineType, demand: float, minutes: float) -> tuple[Credits, float]:
    """Spend launch credits first; the time that is left after they are gone. What is earned meanwhile is banked."""
    spent_per_minute = machine.vcpus * demand
    lasts = account.launch / spent_per_minute if spent_per_minute > 0 else math.inf
    stretch = min(minutes, lasts)
    return (
        account._replace(
            launch=0.0 if lasts <= minutes else account.launch - spent_per_minute * stretch,
            earned=min(machine.cap, account.earned + machine.earn_per_minute * stretch),
        ),
        minutes - stretch,
    )


def _ramp_credits(machine: MachineType, ramp: float) -> float:
    """The balance at which a machine at 100 % begins to be slowed: a linear decline over ``ramp`` spends this much."""
    return (machine.vcpus - machine.earn_per_minute) * ramp / 2.0


def allowed(balance: float, machine: MachineType, ramp: float) -> float:
    """The utilisation (0..1) that a standard machine may reach with ``balance`` credits left."""
    baseline = machine.earn_per_minute / machine.vcpus
    whole = _ramp_credits(machine, ramp)
    if whole <= 0:
        return 1.0 if balance > 0 else baseline
    return baseline + (1.0 - baseline) * math.sqrt(min(1.0, max(0.0, balance) / whole))


def _ramped(balance: float, machine: MachineType, burn: float, minutes: float, ramp: float) -> float:
    """The balance after ``minutes`` of a demand that burns ``burn`` credits a minute as long as it may.

    On the ramp the burn is proportional to the root of the balance, so the root falls in a straight line.
    """
    whole = _ramp_credits(machine, ramp)
    slows_at = whole * (burn / (machine.vcpus - machine.earn_per_minute)) ** 2
    freely = min(minutes, max(0.0, balance - slows_at) / burn)
    left = balance - burn * freely
    root = math.sqrt(max(0.0, left)) - math.sqrt(whole) / ramp * (minutes - freely)
    return root * root if root > 0 and minutes > freely else max(0.0, left) if minutes <= freely else 0.0


def stopped(account: Credits, machine: MachineType, lasted: timedelta, same_node: bool = True) -> Credits:
    """The account when a machine starts again ``lasted`` after it was stopped; what was owed is billed at the stop.

    Where the vendor's policy is unknown nothing is counted on: an alarm too early beats one too late.
    """
    billed = account.charged + account.surplus
    kept = (machine.on_stop is OnStop.KEPT_7_DAYS and lasted <= KEPT_FOR) or (
        machine.on_stop is OnStop.KEPT_ON_SAME_NODE and same_node
    )
    if kept:
        return account._replace(surplus=0.0, charged=billed)
    fresh = machine.on_stop in (OnStop.LOST, OnStop.KEPT_ON_SAME_NODE)
    return (launched(machine) if fresh else Credits())._replace(charged=billed)


def cost(account: Credits, machine: MachineType) -> float | None:
    """What the charged credits cost, in ``machine.currency``; None when no price is known."""
    return None if machine.surplus_price is None else account.charged / 60.0 * machine.surplus_price


def cost_per_hour(account: Credits, machine: MachineType, utilisation: float) -> float | None:
    """What an hour at ``utilisation`` adds to the bill once the surplus has reached the cap; 0 before that."""
    if machine.surplus_price is None:
        return None
    if account.surplus < machine.cap:
        return 0.0
    return max(0.0, machine.vcpus * utilisation - machine.earn_per_minute) * machine.surplus_price


def starts_costing(account: Credits, machine: MachineType, utilisation: float) -> timedelta | None:
    """Unlimited mode: how long until credits are billed at a constant ``utilisation``; None when never."""
    burn = machine.vcpus * utilisation - machine.earn_per_minute
    left = account.balance - account.surplus + machine.cap
    return None if burn * LIFETIME <= left else timedelta(minutes=left / burn)
