"""What quiet hours hold back, in words."""

from __future__ import annotations

from collections.abc import Iterable

from bongsu.core.incident import Entry, Facts
from bongsu.core.quiet import UNTIL, Quiet
from bongsu.core.rotation import ALL_WEEK, Hours
from bongsu.core.severity import LABEL, Severity
from bongsu.render.terms import kind_word
from bongsu.render.words import N_, Words, clean, number_of, text_of, time_of

WEEKDAYS = (N_("Mon"), N_("Tue"), N_("Wed"), N_("Thu"), N_("Fri"), N_("Sat"), N_("Sun"))
_SEVERITY = {Severity.INFO: N_("info"), Severity.WARNING: N_("warning"), Severity.CRITICAL: N_("critical")}


def severity_word(severity: str, w: Words) -> str:
    """How grave, in a word."""
    return w.gettext(_SEVERITY[Severity(severity)]) if severity in set(Severity) else clean(severity)


def quiet_words(quiet: Quiet, w: Words) -> str:
    """When somebody sleeps, and what wakes them."""
    hours = "; ".join(_hours(each, w) for each in quiet.hours)
    return w.gettext(
        "quiet hours: %(hours)s, unless %(severity)s", hours=hours, severity=severity_word(quiet.unless, w)
    )


def _hours(hours: Hours, w: Words) -> str:
    days = "" if hours.days == ALL_WEEK else ", ".join(w.gettext(WEEKDAYS[day]) for day in sorted(hours.days))
    span = "" if hours.start == hours.end else f"{hours.start:%H:%M}-{hours.end:%H:%M}"
    return " ".join(part for part in (days, span) if part)


def waited(facts: Facts, w: Words) -> tuple[str, ...]:
    """What a mail says that quiet hours held back; nothing if they did not."""
    if UNTIL not in facts:
        return ()
    said = w.gettext("This waited for your quiet hours to end. The page says how it stands now.")
    return (said,)


def all_waited(those: Iterable[Facts]) -> bool:
    """Whether everything that is told together is so because of quiet hours."""
    return all(UNTIL in each for each in those)


def waits_words(facts: Facts, until: str, w: Words) -> str:
    """Why a message is not sent yet."""
    severity = severity_word(text_of(facts, LABEL), w)
    return w.gettext("quiet hours until %(time)s; severity: %(severity)s", time=until, severity=severity)


def held_words(entry: Entry, w: Words) -> str:
    """That some will read it only after their quiet hours."""
    until = time_of(entry.facts, "until")
    return w.gettext(
        "Quiet hours: %(to)s will be told at %(time)s: %(kind)s (severity: %(severity)s).",
        kind=kind_word(text_of(entry.facts, "kind"), int(number_of(entry.facts, "level") or 0), w),
        to=text_of(entry.facts, "to") or "?",
        time=w.time(until, near=entry.at) if until else "?",
        severity=severity_word(text_of(entry.facts, LABEL), w),
    )
