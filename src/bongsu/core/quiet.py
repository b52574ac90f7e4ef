"""Quiet hours: who may be woken by what (rule 15).

They hold back a mail, never the escalation: the next tier is told at its time, whoever sleeps. And never the first
tier, the ceiling, low or empty credits, blindness, or what somebody asked for by hand.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

from bongsu.core.delivery import may_wait
from bongsu.core.incident import Facts, Incident
from bongsu.core.rotation import Hours
from bongsu.core.severity import LABEL, Severity

UNTIL = "quiet_until"
"""The fact of a message that waits: until when. Beside it stands the severity that was not enough."""
_AROUND = timedelta(days=8)
"""Within so long before and after a moment every quiet stretch that leaves an hour of the week free begins and ends."""


@dataclass(frozen=True, slots=True)
class Quiet:
    """Hours of the week in which somebody is told only of what is as grave as ``unless``."""

    hours: tuple[Hours, ...]
    zone: tzinfo = UTC
    unless: Severity = Severity.CRITICAL

    def stretch(self, now: datetime) -> tuple[datetime, datetime] | None:
        """The quiet stretch around a moment, with what adjoins it; None when it is not quiet then."""
        spans = {span for each in self.hours for span in each.spans(now - _AROUND, now + _AROUND, self.zone)}
        found: tuple[datetime, datetime] | None = None
        for start, end in sorted(spans):
            if found is not None and start <= found[1]:
                found = (found[0], max(found[1], end))
            elif found is None or found[1] <= now:
                found = (start, end)
        return found if found is not None and found[0] <= now < found[1] else None

    @property
    def endless(self) -> bool:
        """Whether they leave no hour of the week free."""
        found = self.stretch(datetime(2026, 1, 5, tzinfo=UTC))
        return found is not None and found[1] - found[0] > timedelta(days=7)

    def waits_with_news(self) -> bool:
        """Whether what is no alarm at all waits, such as that a planned maintenance begins."""
        return not Severity.INFO.reaches(self.unless)

    def waits(self, severity: Severity, kind: str, level: int, facts: Facts) -> bool:
        """Whether such a message waits for their end."""
        wanted = facts.get("escalated_by") or facts.get("unreachable")  # by hand, or in place of the tier before
        return may_wait(kind, level) and not wanted and not severity.reaches(self.unless)


def severity_of(incident: Incident) -> Severity:
    """How grave an incident is: what its alerts say, its policy otherwise. Judged urgent, it is critical."""
    if incident.triage is not None and incident.triage.urgent:
        return Severity.CRITICAL
    said = incident.seen.facts.get(LABEL)
    return Severity(said) if isinstance(said, str) else incident.policy.severity


def graver(incident: Incident, before: Incident) -> bool:
    """Whether it has become graver than it was."""
    return not severity_of(before).reaches(severity_of(incident))
