"""Calendar feeds: one per person and one per schedule, each with a token that opens it alone."""

from __future__ import annotations

from datetime import timedelta

from bongsu.core.errors import NotFound
from bongsu.core.rotation import Shift
from bongsu.engine import people
from bongsu.engine.context import Context
from bongsu.render import links
from bongsu.render.calendar import ics
from bongsu.render.words import Words, spoken

BACK, AHEAD = timedelta(days=31), timedelta(days=180)
"""What part of the calendar a feed shows."""


def address(context: Context, kind: str, name: str) -> str:
    """Where a calendar subscribes to. ``kind``: person or schedule. Raises NotFound."""
    _known(context, kind, name)
    token = links.feed_token(context.link_key, kind, name)
    return f"{context.public_url}/calendar/{kind}/{name}.ics?token={token}"


def feed(context: Context, kind: str, name: str, token: str) -> bytes:
    """The calendar. Raises Forged or NotFound."""
    if not links.opens_feed(context.link_key, kind, name, token):
        raise links.Forged
    _known(context, kind, name)
    now = context.clock.now()
    start, end = now - BACK, now + AHEAD
    everybody = context.db.read(lambda tx: people.directory(tx, context, start - people.BEFORE))
    shifts: list[tuple[str, Shift]] = [
        (schedule, shift)
        for schedule, each in sorted(everybody.schedules.items())
        if kind == "person" or schedule == name
        for shift in each.whole_shifts(start, end)
        if kind == "schedule" or shift.person == name
    ]
    person = everybody.people[name] if kind == "person" else None
    w = Words(spoken(person.locale if person else None), everybody.zone)
    title = w.gettext("On call: %(name)s", name=person.name if person else name)
    return ics(title, shifts, everybody, context.host, context.wall.now(), w)


def _known(context: Context, kind: str, name: str) -> None:
    among = {"person": context.directory.people, "schedule": context.directory.schedules}.get(kind, {})
    if name not in among:
        raise NotFound(f"There is no {kind} {name!r}; known: {', '.join(sorted(among)) or 'none'}")
