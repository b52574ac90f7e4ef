"""Whom a policy may leave asleep, known before an alarm."""

from __future__ import annotations

from datetime import datetime

from bongsu.core.incident import Kind
from bongsu.core.policy import Policy
from bongsu.core.schedule import Directory


def sleepers(policy: Policy, directory: Directory, now: datetime) -> dict[int, tuple[str, ...]]:
    """By tier, from the second on, the people whose quiet hours may hold its mails back."""
    found: dict[int, tuple[str, ...]] = {}
    for level, tier in enumerate(policy.tiers, start=1):
        told = {each.id: each.name for target in tier.notify for each in directory.resolve(target, now)}
        quiet = {name: directory.quiet_of(reader) for reader, name in told.items()}
        names = tuple(n for n, each in quiet.items() if each and each.waits(policy.severity, Kind.TIER, level, {}))
        if names:
            found[level] = names
    return found
