"""False and missed alarms, from what is kept of incidents: who was told, who acted, who was hurt."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from bongsu.core.incident import Incident, Kind

_NEWS = (Kind.RESOLVED, Kind.OVER)
"""What tells of an end warns nobody."""


class Why(StrEnum):
    """What makes an alarm false, or what makes it a missed one."""

    JUDGED = "judged"
    """False: somebody judged it not urgent, and said why."""
    IDLE = "idle"
    """False: it was over before anybody acted, and its report counts nobody hurt."""
    OVER = "over"
    """Missed: the breach was over before anybody was told."""
    EXHAUSTED = "exhausted"
    """Missed: the first that anybody was told is that the credits are gone."""
    BY_HAND = "by_hand"
    """Missed: somebody took it although no mail of it was ever accepted."""
    UNTOLD = "untold"
    """Missed: it is over, and no mail of it was ever accepted."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """An incident that is a false or a missed alarm. ``said``: the reason that somebody gave."""

    incident: Incident
    why: Why
    said: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the kept report of an incident says: whether machines were acted on, the most users that were hurt."""

    acted: bool
    hurt: int | None
    """None where no access log was counted: then it is not known whether anybody was."""


def false_alarms(incidents: Iterable[Incident], outcomes: Mapping[str, Outcome]) -> tuple[Alarm, ...]:
    """Those that were told and need not have been."""
    found = ((each, _false(each, outcomes.get(each.id))) for each in incidents)
    return tuple(Alarm(each, why, _reason(each, why)) for each, why in found if why is not None)


def missed_alarms(incidents: Iterable[Incident], mailed: Collection[str]) -> tuple[Alarm, ...]:
    """Those that nobody was warned of in time. ``mailed``: ids of incidents of which a warning was accepted."""
    found = ((each, _missed(each, each.id in mailed)) for each in incidents)
    return tuple(Alarm(each, why) for each, why in found if why is not None)


def idle(incident: Incident) -> bool:
    """Whether it is over, was told, and nobody took, judged or handed it on."""
    nobody = incident.ack is None and incident.triage is None and incident.handed is None
    return not incident.open and nobody and any(told.kind not in _NEWS for told in incident.told)


def _false(incident: Incident, outcome: Outcome | None) -> Why | None:
    if incident.triage is not None and not incident.triage.urgent:
        return Why.JUDGED
    harmless = outcome is not None and outcome.hurt == 0 and not outcome.acted
    return Why.IDLE if harmless and idle(incident) else None


def _reason(incident: Incident, why: Why) -> str:
    return incident.triage.why if why is Why.JUDGED and incident.triage is not None else ""


def _missed(incident: Incident, mailed: bool) -> Why | None:
    if any(told.kind is Kind.OVER for told in incident.told):
        return Why.OVER
    warnings = [told for told in incident.told if told.kind not in _NEWS]
    if not warnings:
        return None  # a maintenance or a silence: it was to be told to nobody
    first = min(told.at for told in warnings)
    if any(told.kind is Kind.THROTTLED and told.at == first for told in warnings):
        return Why.EXHAUSTED
    if mailed:
        return None
    if incident.ack is not None:
        return Why.BY_HAND
    return None if incident.open else Why.UNTOLD  # its mail may still be on its way
