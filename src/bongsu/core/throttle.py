"""Why a machine is slow: its credits are gone, a neighbour takes its CPU, it is simply busy, or it is well.

A low CPU says nothing by itself: a machine held to its baseline shows a flat, healthy line there. The thresholds
are those of the breach clock (``core/breach.py``) and of common practice for steal: more than 10 % counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from bongsu.core.burst import MachineType

HELD_BACK = 0.10
"""Share of time stolen or throttled beyond which a machine is held back."""
AT_BASELINE, NEAR_BASELINE = 0.85, 0.10
"""With a known empty balance CPU from 0.85 x baseline on is the flat line; without a balance, within 10 % of it."""
BUSY = 0.95
SLOW = 3.0
"""A p95 this many times the usual one is a witness, never a proof."""


class Cause(StrEnum):
    """What it is."""

    CREDITS_GONE = "credits_gone"
    NEIGHBOUR = "neighbour"
    BUSY = "busy"
    WELL = "well"
    UNKNOWN = "unknown"


class Witness(StrEnum):
    """What speaks for it."""

    BALANCE_EMPTY = "balance_empty"
    CREDITS_LEFT = "credits_left"
    NO_BALANCE = "no_balance"
    CPU_AT_BASELINE = "cpu_at_baseline"
    CPU_BELOW_BASELINE = "cpu_below_baseline"
    CPU_ABOVE_BASELINE = "cpu_above_baseline"
    CPU_FULL = "cpu_full"
    STEAL = "steal"
    THROTTLED = "throttled"
    LATENCY = "latency"
    WANTS = "wants"


@dataclass(frozen=True, slots=True)
class Seen:
    """Means over a few minutes; shares 0..1, credits, seconds; None where there is no reading.

    ``cpu`` is what the machine really got: without idle, iowait and steal.
    """

    cpu: float | None
    balance: float | None = None
    steal: float | None = None
    throttled: float | None = None
    p95: float | None = None
    usual_p95: float | None = None
    wants: float | None = None
    """CPU that its requests would use if nothing held it down."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The cause, and each witness with its figure."""

    cause: Cause
    witnesses: tuple[tuple[Witness, float | None], ...]


def diagnose(machine: MachineType, seen: Seen) -> Diagnosis:
    """Say which it is, and why. A reading that is missing is not zero: it neither accuses nor clears."""
    if seen.cpu is None:
        return Diagnosis(Cause.UNKNOWN, ())
    baseline = machine.earn_per_minute / machine.vcpus
    held = [
        (witness, value)
        for witness, value in ((Witness.STEAL, seen.steal), (Witness.THROTTLED, seen.throttled))
        if value is not None and value > HELD_BACK
    ]
    slow = _latency(seen)
    if seen.balance is not None:
        empty = seen.balance <= machine.empty_below
        balance: tuple[Witness, float | None] = (Witness.BALANCE_EMPTY if empty else Witness.CREDITS_LEFT, seen.balance)
        at_baseline = AT_BASELINE * baseline <= seen.cpu
    else:
        empty = bool(held) and abs(seen.cpu - baseline) <= NEAR_BASELINE * baseline
        balance = (Witness.NO_BALANCE, None)
        at_baseline = empty
    if empty and at_baseline:
        where = Witness.CPU_AT_BASELINE if seen.cpu <= baseline * (1 + NEAR_BASELINE) else Witness.CPU_ABOVE_BASELINE
        wants = [(Witness.WANTS, seen.wants)] if seen.wants is not None else []
        return Diagnosis(Cause.CREDITS_GONE, (balance, (where, seen.cpu), *held, *slow, *wants))
    if held and seen.balance is not None and not empty:
        return Diagnosis(Cause.NEIGHBOUR, (balance, *held, (_where(seen.cpu, baseline), seen.cpu), *slow))
    if held:
        # Held back, and neither the balance nor the CPU says by whom.
        return Diagnosis(Cause.UNKNOWN, (balance, *held, (_where(seen.cpu, baseline), seen.cpu), *slow))
    if seen.cpu >= BUSY:
        return Diagnosis(Cause.BUSY, ((Witness.CPU_FULL, seen.cpu), balance, *slow))
    return Diagnosis(Cause.WELL, ((_where(seen.cpu, baseline), seen.cpu), balance, *slow))


def _where(cpu: float, baseline: float) -> Witness:
    if cpu >= BUSY:
        return Witness.CPU_FULL
    if abs(cpu - baseline) <= NEAR_BASELINE * baseline:
        return Witness.CPU_AT_BASELINE
    return Witness.CPU_ABOVE_BASELINE if cpu > baseline else Witness.CPU_BELOW_BASELINE


def _latency(seen: Seen) -> list[tuple[Witness, float | None]]:
    if seen.p95 is None or not seen.usual_p95 or seen.p95 < SLOW * seen.usual_p95:
        return []
    return [(Witness.LATENCY, seen.p95)]
