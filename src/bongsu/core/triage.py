"""Triage: the responder judges whether an incident is urgent, and who must know because of it."""

from __future__ import annotations

from dataclasses import dataclass

from bongsu.core.incident import Facts, Incident, Kind


@dataclass(frozen=True, slots=True)
class Triaged:
    """Somebody judged it. Urgent: the department is told at once; not urgent: it waits for the next review.

    ``owner``: targets of the team that owns the service, for policies that have no further tier.
    """

    by: str
    urgent: bool
    why: str
    owner: tuple[str, ...] = ()


def department(incident: Incident, owner: tuple[str, ...]) -> tuple[int, tuple[str, ...]]:
    """Whom to tell of an urgent incident: the next tier, from the second on, that does not know yet.

    Without one the owner; without an owner nobody (level 0). The tier keeps its own time: it is told then as well.
    """
    for level, tier in enumerate(incident.policy.tiers, start=1):
        if level > 1 and not incident.has_told(Kind.TIER, level):
            return level, tier.notify
    last = len(incident.policy.tiers)
    known = {target for tier in incident.policy.tiers for target in tier.notify}
    return (last, owner) if set(owner) - known else (0, ())


def judgement(incident: Incident) -> Facts:
    """What everybody who is told anything of it should know of its triage."""
    judged = incident.triage
    if judged is None:
        return {}
    return {"triage_urgent": judged.urgent, "triage_by": judged.by, "triage_why": judged.why}
