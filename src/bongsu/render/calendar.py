"""Shifts as a calendar that programs subscribe to (RFC 5545). Times are in UTC, so no zone can be misread."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from bongsu.core.rotation import Shift
from bongsu.core.schedule import Directory
from bongsu.render.words import Words, clean

REFRESH = timedelta(hours=1)


def ics(
    title: str, shifts: Iterable[tuple[str, Shift]], directory: Directory, host: str, now: datetime, w: Words
) -> bytes:
    """A calendar of shifts, each with the name of its schedule; a gap is an event too."""
    import icalendar  # 15 MiB, and most servers never need it

    made = icalendar.Calendar()
    made.add("prodid", "-//Bongsu//on-call//EN")
    made.add("version", "2.0")
    made.add("method", "PUBLISH")
    made.add("x-wr-calname", clean(title))
    made.add("refresh-interval", REFRESH, parameters={"VALUE": "DURATION"})
    made.add("x-published-ttl", "PT1H")
    for schedule, shift in shifts:
        event = icalendar.Event()
        event.add("uid", f"{schedule}.{shift.start:%Y%m%dT%H%M%SZ}.{shift.person or 'nobody'}@{host}")
        event.add("dtstamp", now)
        event.add("dtstart", shift.start)
        event.add("dtend", shift.end)
        event.add("summary", _summary(schedule, shift, directory, w))
        event.add("transp", "TRANSPARENT")  # being on call does not make anybody busy
        made.add_component(event)
    return bytes(made.to_ical())


def _summary(schedule: str, shift: Shift, directory: Directory, w: Words) -> str:
    if shift.person is None:
        return w.gettext("%(schedule)s: nobody on call", schedule=clean(schedule))
    person = directory.people.get(shift.person)
    name = clean(person.name if person else shift.person)
    if shift.override:
        return w.gettext("%(schedule)s: %(name)s on call (stands in)", schedule=clean(schedule), name=name)
    return w.gettext("%(schedule)s: %(name)s on call", schedule=clean(schedule), name=name)
