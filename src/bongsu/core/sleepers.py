"""Whom a policy may leave asleep, known before an alarm."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from bongsu.core.incident import Kind
from bongsu.core.policy import Policy
from bongsu.core.schedule import Directory
from bongsu.core.severity import Severity


@dataclass(frozen=True, slots=True)
class Sleeper:
    """Somebody of a tier who has quiet hours. ``waits``: they hold back what is as grave as the policy says."""

    level: int
    name: str
    unless: Severity
    waits: bool


def sleepers(policy: Policy, directory: Directory, now: datetime) -> Iterator[Sleeper]:
    """From the second tier on, everybody whose quiet hours may hold its mails back."""
    for level, tier in enumerate(policy.tiers, start=1):
        told = {each.id: each.name for target in tier.notify for each in directory.resolve(target, now)}
        for reader, name in told.items():
            quiet = directory.quiet_of(reader)
            if quiet is not None and quiet.waits(Severity.INFO, Kind.TIER, level, {}):
                yield Sleeper(level, name, quiet.unless, quiet.waits(policy.severity, Kind.TIER, level, {}))
