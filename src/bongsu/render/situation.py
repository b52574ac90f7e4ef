"""What is wrong, since when, and what to do first: alike in mails, on the pages behind their links and the console.

A situation is the facts of one moment. The choice of sentence is by its form: over the baseline, held down on the
flat line, blind, the metrics store itself, or an alert from outside.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from bongsu.core.breach import Cause
from bongsu.core.incident import Facts, Incident, Kind
from bongsu.core.service import BLIND, SOURCE
from bongsu.core.triage import judgement
from bongsu.render.terms import judged_words, void_words, why_words
from bongsu.render.words import Words, number_of, text_of, time_of

_LONGEST_NAME = 60
_FEW = 3


class Form(StrEnum):
    """What kind of trouble it is."""

    OVER = "over"
    FLAT = "flat"
    BLIND = "blind"
    SOURCE = "source"
    ALERT = "alert"


@dataclass(frozen=True, slots=True)
class Situation:
    """What somebody is told. ``level``: the tier, 0 for what calls at once; ``at``: when it was so (service time)."""

    kind: Kind
    level: int
    service: str
    policy: str
    facts: Facts
    at: datetime

    @property
    def form(self) -> Form:
        """Which sentences fit."""
        if self.service == SOURCE and self.policy == BLIND:
            return Form.SOURCE
        if "alertname" in self.facts:
            return Form.ALERT
        if self.kind is Kind.BLIND or self.policy == BLIND:
            return Form.BLIND
        flat = self.facts.get("throttled") is True or self.facts.get("cause") == Cause.FLAT
        return Form.FLAT if flat or self.kind is Kind.THROTTLED else Form.OVER

    @property
    def elapsed_s(self) -> float:
        """How long the breach has lasted, in seconds."""
        return number_of(self.facts, "elapsed_s") or 0.0


def situation_of(incident: Incident) -> Situation:
    """How an incident stands now, as what would be told of it."""
    seen = incident.seen
    if not incident.open:
        kind = Kind.OVER if any(told.kind is Kind.OVER for told in incident.told) else Kind.RESOLVED
    elif seen.blind_since is not None:
        kind = Kind.BLIND
    elif seen.throttled:
        kind = Kind.THROTTLED
    else:
        kind = Kind.CEILING if seen.high else Kind.TIER
    facts: dict[str, str | float | int | bool | None] = {
        **seen.facts,
        "elapsed_s": seen.elapsed.total_seconds(),
        "since": seen.since.isoformat() if seen.since else None,
        "blind_since": seen.blind_since.isoformat() if seen.blind_since else None,
        "ack_by": incident.ack.by if incident.ack else None,
        "ack_at": incident.ack.at.isoformat() if incident.ack else None,
        "ack_void": incident.void,
        "muted_until": seen.muted.until.isoformat() if seen.muted and incident.open else None,
        "ack_until": incident.hold_until.isoformat() if incident.hold_until else None,
        **judgement(incident),
    }
    level = max((told.level for told in incident.told if told.kind is Kind.TIER), default=1)
    return Situation(kind, level, incident.service, incident.policy.name, facts, seen.at)


def subject(s: Situation, w: Words) -> str:
    """A mail's subject, without the service: short enough for a lock screen."""
    said = summary(s, w)
    if s.kind is Kind.URGENT:
        return w.gettext("Urgent: %(what)s", what=said)
    if s.kind is Kind.REASSIGNED:
        return w.gettext("Handed to you: %(what)s", what=said)
    tier = w.gettext("%(what)s (tier %(tier)s)", what=said, tier=s.level)
    return tier if s.kind is Kind.TIER else said


def summary(s: Situation, w: Words) -> str:
    """What is wrong, in a few words."""
    time = w.duration(s.elapsed_s)
    if s.kind is Kind.RESOLVED:
        return w.gettext("Resolved after %(time)s", time=time) if s.elapsed_s else w.gettext("Resolved")
    if s.kind is Kind.OVER:
        return w.gettext("Was over baseline for %(time)s, and is over", time=time)
    match s.form:
        case Form.SOURCE:
            return w.gettext("Prometheus does not answer: nothing is watched")
        case Form.BLIND:
            return w.gettext("No data from %(machines)s for %(time)s", machines=_machines(s, w), time=_blind_for(s, w))
        case Form.ALERT:
            return w.gettext("%(alert)s for %(time)s", alert=_alert(s, w), time=time)
    if s.kind is Kind.CEILING:
        return w.gettext("CPU at 100 %%")
    if s.kind is Kind.RUNWAY:
        return w.gettext("Credits for %(time)s at full CPU", time=_runway(s, w))
    if s.kind is Kind.THROTTLED:
        return w.gettext("Throttled: credits are gone, the graph only looks healthy")
    if s.form is Form.FLAT:
        return w.gettext("Throttled, over baseline for %(time)s", time=time)
    return w.gettext("CPU over baseline for %(time)s", time=time)


def past(s: Situation, w: Words) -> str:
    """What it was, of an incident that is over."""
    match s.form:
        case Form.SOURCE:
            return w.gettext("Prometheus did not answer")
        case Form.BLIND:
            return w.gettext("No data came")
        case Form.ALERT:
            return w.gettext("Alert from outside")
        case _:
            return w.gettext("CPU over baseline")


def what(s: Situation, w: Words) -> str:
    """What is wrong, in a sentence or two."""
    named = {"service": s.service, "machine": machine_named(s, w), "time": w.duration(s.elapsed_s)}
    if s.kind is Kind.RESOLVED:
        return _resolved(s, w)
    if s.kind is Kind.OVER:
        return w.gettext(
            "%(service)s was over its CPU baseline for %(time)s while Bongsu was not watching. It is over.", **named
        )
    match s.form:
        case Form.SOURCE:
            return w.gettext("Prometheus does not answer. Until it does, no service is watched and nobody is warned.")
        case Form.BLIND:
            return w.gettext(
                "There is no data from %(machines)s of %(service)s. How it is doing now is unknown.",
                service=s.service,
                machines=_machines(s, w),
            )
        case Form.ALERT:
            told = w.gettext(
                "The alert %(alert)s of %(service)s has been firing for %(time)s.", alert=_alert(s, w), **named
            )
            return " ".join(part for part in (told, text_of(s.facts, "summary")) if part)
    if s.kind is Kind.CEILING:
        return w.gettext("%(machine)s of %(service)s is at 100 %% CPU. Its credits drain at the fastest rate.", **named)
    if s.kind is Kind.RUNWAY:
        return w.gettext(
            "%(machine)s of %(service)s has credits for %(runway)s more at full CPU. After that it is throttled to its "
            "baseline.",
            runway=_runway(s, w),
            **named,
        )
    if s.form is Form.FLAT:
        return w.gettext(
            "%(machine)s of %(service)s has no credits left and is throttled to its baseline of %(limit)s CPU.",
            limit=_limit(s, w),
            **named,
        )
    return w.gettext(
        "%(machine)s of %(service)s has been over its CPU baseline of %(limit)s for %(time)s.",
        limit=_limit(s, w),
        **named,
    )


def _resolved(s: Situation, w: Words) -> str:
    match s.form:
        case Form.SOURCE:
            return w.gettext("Prometheus answers again. Every service is watched.")
        case Form.BLIND:
            return w.gettext("%(service)s sends data again.", service=s.service)
        case Form.ALERT:
            return w.gettext("%(alert)s of %(service)s is over.", alert=_alert(s, w), service=s.service)
        case _:
            return w.gettext(
                "Every machine of %(service)s is under its baseline again. It was over it for %(time)s.",
                service=s.service,
                time=w.duration(s.elapsed_s),
            )


def since(s: Situation, w: Words) -> str:
    """Since when, or from when to when; empty when that is not known."""
    began, until = time_of(s.facts, "since"), time_of(s.facts, "until")
    if s.form in (Form.BLIND, Form.SOURCE):
        began = time_of(s.facts, "blind_since") or began
    if began is None:
        return ""
    if s.kind is Kind.OVER and until is not None:
        return w.gettext("From %(since)s to %(until)s.", since=w.time(began, near=s.at), until=w.time(until, near=s.at))
    return w.gettext("Since %(since)s.", since=w.time(began, near=s.at))


def first(s: Situation, w: Words) -> str:
    """The one thing to do first."""
    if s.kind is Kind.RESOLVED:
        return w.gettext("Nothing is urgent. Read the report and fill in what was learned.")
    if s.kind is Kind.OVER:
        return w.gettext("Read the report: were users hurt, and why did nobody hear of it?")
    who, at = text_of(s.facts, "ack_by"), time_of(s.facts, "ack_at")
    if s.level >= 2 and s.kind in (Kind.TIER, Kind.URGENT):
        if who and at:
            return w.gettext(
                "Call %(who)s, who acknowledged at %(time)s. It is not over; ask what they need.",
                who=who,
                time=w.time(at, near=s.at),
            )
        return w.gettext("Nobody has acknowledged. Call the on-call developer, or acknowledge and take it yourself.")
    todo = _todo(s, w)
    if who and not text_of(s.facts, "ack_void") and s.kind is not Kind.REASSIGNED:
        return w.gettext("%(who)s has it. To do: %(todo)s", who=who, todo=todo)
    return w.gettext("Acknowledge, then %(todo)s", todo=todo)


def _todo(s: Situation, w: Words) -> str:
    match s.form:
        case Form.SOURCE:
            return w.gettext("look whether Prometheus is running, and start it.")
        case Form.BLIND:
            return w.gettext("look whether the machine runs and its exporter answers. The alarm goes on until it does.")
        case Form.ALERT:
            return w.gettext("look at what the alert names.")
        case Form.FLAT:
            return w.gettext("add machines now. It does not recover by itself while the traffic stays.")
    if s.kind is Kind.RUNWAY:
        return w.gettext("add machines within %(time)s, before the credits are gone.", time=_runway(s, w))
    return w.gettext("add machines before the credits are gone.")


def notes(s: Situation, w: Words) -> tuple[str, ...]:
    """What else to know before acting: the flat line's trap, blindness, why you and not somebody else."""
    said: list[str] = []
    alarm = s.kind not in (Kind.RESOLVED, Kind.OVER)
    if alarm and s.form is Form.FLAT:
        said.append(
            w.gettext(
                "Do not trust the CPU graph: it is flat at %(limit)s and looks healthy because the machine may not use "
                "more. Requests queue up meanwhile.",
                limit=_limit(s, w),
            )
        )
    blind = time_of(s.facts, "blind_since")
    if alarm and blind and s.form in (Form.OVER, Form.FLAT):
        said.append(
            w.gettext(
                "Blind since %(time)s: no data has come from the machine. Its time over the baseline goes on counting.",
                time=w.time(blind, near=s.at),
            )
        )
    if alarm and s.facts.get("stolen") is True:
        said.append(
            w.gettext(
                "CPU time is being stolen although credits are left: a noisy neighbour on the host, not your traffic."
            )
        )
    unreachable = text_of(s.facts, "unreachable")
    if unreachable:
        said.append(
            w.gettext("You are told now because those before you could not be: %(why)s.", why=why_words(unreachable, w))
        )
    judged = judged_words(s.facts, w)
    if judged:
        said.append(judged)
    by = text_of(s.facts, "escalated_by")
    if by:
        said.append(w.gettext("%(by)s wants you to know now.", by=by))
    handed, muted = text_of(s.facts, "handed_by"), time_of(s.facts, "muted_until")
    if handed:
        said.append(w.gettext("%(by)s handed this to you. Acknowledge, or the next tiers go on soon.", by=handed))
    if muted:
        said.append(w.gettext("The tiers are muted until %(time)s.", time=w.time(muted, near=s.at)))
    maintained = time_of(s.facts, "maintained_until")
    if alarm and maintained:
        said.append(
            w.gettext(
                "A maintenance muted this until %(time)s; the tiers count from there.",
                time=w.time(maintained, near=s.at),
            )
        )
    return tuple(said)


def acknowledged(s: Situation, w: Words) -> str:
    """Who acknowledged, when, and whether that still holds; empty when nobody did."""
    who, at = text_of(s.facts, "ack_by"), time_of(s.facts, "ack_at")
    if not who or at is None:
        return ""
    said = w.gettext("%(who)s at %(time)s", who=who, time=w.time(at, near=s.at))
    if s.kind in (Kind.RESOLVED, Kind.OVER):
        return said
    void = text_of(s.facts, "ack_void")
    if void:
        return w.gettext("%(ack)s; no longer holds: %(why)s", ack=said, why=void_words(void, w))
    until = time_of(s.facts, "ack_until")
    if until is not None and s.at < until:
        return w.gettext("%(ack)s; the next tiers wait until %(until)s", ack=said, until=w.time(until, near=s.at))
    if until is not None or s.kind is Kind.TIER:  # a tier is told only once nothing holds it back
        return w.gettext("%(ack)s; it holds the next tiers back no longer", ack=said)
    return said


def machine_named(s: Situation, w: Words) -> str:
    """The machine that it is about."""
    return text_of(s.facts, "machine") or w.gettext("A machine")


def _machines(s: Situation, w: Words) -> str:
    """The machines concerned, a few of them by name."""
    names = text_of(s.facts, "machines").split(", ")
    if len(names) > _FEW:
        return f"{', '.join(names[:_FEW])} +{len(names) - _FEW}"
    return ", ".join(names) or text_of(s.facts, "machine") or w.gettext("any machine")


def _limit(s: Situation, w: Words) -> str:
    limit = number_of(s.facts, "limit")
    return w.percent(limit) if limit is not None else "?"


def _runway(s: Situation, w: Words) -> str:
    runway = number_of(s.facts, "runway_s")
    return w.duration(runway) if runway is not None else "?"


def _blind_for(s: Situation, w: Words) -> str:
    blind = time_of(s.facts, "blind_since")
    return w.duration(s.at - blind) if blind else w.duration(s.elapsed_s)


def _alert(s: Situation, w: Words) -> str:
    name = text_of(s.facts, "alertname") or w.gettext("An alert")
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"
