"""What schedules and weekly mails are written in: lengths of turns, hours of the week, days and times."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, datetime, time, timedelta, tzinfo

import msgspec

from bongsu.config.checks import zone, zone_fault
from bongsu.config.quiet import QuietSection
from bongsu.config.sections import Config, RotationSection, ScheduleSection
from bongsu.core.quiet import Quiet
from bongsu.core.rotation import ALL_WEEK, Beat, Hours

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_CALENDAR = re.compile(r"P(?:(\d{1,3})W)?(?:(\d{1,4})D)?")
_HOURS = re.compile(r"((?:[01]\d|2[0-3]):[0-5]\d)-((?:[01]\d|2[0-3]):[0-5]\d|24:00)")
_DAYS_OF = re.compile(r"[a-z]{3}(?:-[a-z]{3})?(?:,[a-z]{3}(?:-[a-z]{3})?)*")
_MONDAY = date(2026, 1, 5)
_SHORTEST = timedelta(minutes=15)


def length(text: str) -> tuple[timedelta, bool]:
    """How long a turn is, and whether in days of the calendar: P7D is, PT168H is not. Raises ValueError."""
    found = _CALENDAR.fullmatch(text)
    if found and any(found.groups()):
        return timedelta(weeks=int(found[1] or 0), days=int(found[2] or 0)), True
    try:
        return msgspec.convert(text, timedelta), False
    except msgspec.ValidationError:
        raise ValueError(f"{text!r} is no length of a turn; a week is P7D, half a day is PT12H") from None


def hours(text: str) -> Hours:
    """Hours of the week, such as ``mon-fri 09:00-18:00``, ``sat,sun`` or ``22:00-07:00``. Raises ValueError."""
    parts = text.lower().split()
    days, span = ALL_WEEK, (time(0), time(0))
    if parts and _DAYS_OF.fullmatch(parts[0]):
        days = frozenset(day for part in parts.pop(0).split(",") for day in _days(part, text))
    if parts and (found := _HOURS.fullmatch(parts[0])):
        parts.pop(0)
        span = (time.fromisoformat(found[1]), time(0) if found[2] == "24:00" else time.fromisoformat(found[2]))
    if parts or not text.strip():
        raise ValueError(f"{text!r} is no part of a week; write mon-fri 09:00-18:00, sat,sun or 22:00-07:00")
    return Hours(days, *span)


def _days(part: str, text: str) -> Iterable[int]:
    first, _, last = part.partition("-")
    for each in (first, last or first):
        if each not in DAYS:
            raise ValueError(f"{text!r}: there is no day {each!r}; days are {', '.join(DAYS)}")
    begin, end = DAYS.index(first), DAYS.index(last or first)
    return ((begin + n) % 7 for n in range((end - begin) % 7 + 1))


def quiet_of(section: QuietSection, time_zone: str) -> Quiet:
    """Somebody's quiet hours. Raises ValueError."""
    return Quiet(tuple(hours(text) for text in section.hours), zone(time_zone), section.unless)


def quiet_faults(at: str, section: QuietSection) -> list[str]:
    """What is wrong with somebody's quiet hours."""
    if not section.hours:
        return [f'{at}.hours: empty; write hours = ["22:00-07:00"], or leave `quiet` out']
    try:
        found = quiet_of(section, "UTC")
    except ValueError as error:
        return [f"{at}.hours: {error}"]
    return [f"{at}.hours: leave no hour of the week free; leave some, or take the address away"] * found.endless


def zone_of(section: ScheduleSection, config: Config) -> tzinfo:
    """The time zone of a schedule: its own, or the site's."""
    return zone(section.time_zone or config.site.time_zone)


def beat_of(section: RotationSection, local: tzinfo) -> Beat:
    """When turns change. A ``from`` without an offset is in the schedule's zone."""
    every, calendar = length(section.every)
    start = section.start if section.start.tzinfo is not None else section.start.replace(tzinfo=local)
    return Beat(start, every, local if calendar else None)


def weekly(every: str, weekday: str, at: str, time_zone: str) -> Beat:
    """The moments of a mail that comes on a day of the week at a time of day."""
    first = _MONDAY + timedelta(days=DAYS.index(weekday))
    local = zone(time_zone)
    return Beat(datetime.combine(first, time.fromisoformat(at), local), length(every)[0], local)


def roster_faults(config: Config) -> list[str]:
    """What is wrong with schedules and weekly mails, names of people apart."""
    problems: list[str] = []
    for name, schedule in config.schedule.items():
        at = f"schedule.{name}"
        if schedule.rotation is None and not schedule.layer:
            problems.append(f'{at}: nobody takes turns; add rotation = {{ people = [...], every = "P7D", from = ... }}')
        if schedule.time_zone is not None and (fault := zone_fault(schedule.time_zone)):
            problems.append(f"{at}.time_zone: {fault}")
        for place, layer in layers_of(schedule, at):
            problems += _layer_faults(place, layer, zoned=schedule.time_zone is not None)
    problems += _mail_faults("contacts", config.contacts.verify_every, config.contacts.weekday, config.contacts.at)
    problems += _mail_faults("readiness", config.readiness.mail_every, config.readiness.weekday, config.readiness.at)
    if config.contacts.answer_within <= timedelta(0):
        problems.append("contacts.answer_within: must be longer than nothing; two days are P2D")
    if config.readiness.mail_every is not None and not config.readiness.mail_to:
        problems.append('readiness.mail_to: missing; say who is to know, such as ["team:commerce"]')
    return problems


def layers_of(schedule: ScheduleSection, at: str) -> list[tuple[str, RotationSection]]:
    """The rotations of a schedule from the lowest on, each with its place in the file."""
    first = [] if schedule.rotation is None else [(f"{at}.rotation", schedule.rotation)]
    return first + [(f"{at}.layer[{number}]", each) for number, each in enumerate(schedule.layer, start=1)]


def _layer_faults(at: str, layer: RotationSection, *, zoned: bool) -> list[str]:
    problems: list[str] = []
    try:
        if length(layer.every)[0] < _SHORTEST:
            problems.append(f"{at}.every: must be at least 15 minutes; a week is P7D")
    except ValueError as error:
        problems.append(f"{at}.every: {error}")
    if layer.start.tzinfo is None and not zoned:
        problems.append(
            f"{at}.from: has no time zone; write 2026-01-05T09:00:00+09:00, or give the schedule a time_zone"
        )
    for text in layer.only:
        try:
            hours(text)
        except ValueError as error:
            problems.append(f"{at}.only: {error}")
    return problems


def _mail_faults(at: str, every: str | None, weekday: str, clock: str) -> list[str]:
    problems: list[str] = []
    key = "verify_every" if at == "contacts" else "mail_every"
    if every is not None:
        try:
            span, calendar = length(every)
            if not calendar or span <= timedelta(0):
                problems.append(f"{at}.{key}: {every!r} is not in days; every week is P7D")
        except ValueError:
            problems.append(f"{at}.{key}: {every!r} is not in days; every week is P7D")
    if weekday not in DAYS:
        problems.append(f"{at}.weekday: there is no {weekday!r}; days are {', '.join(DAYS)}")
    if not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", clock):
        problems.append(f"{at}.at: {clock!r} is no time of day; write 10:00")
    return problems
