"""The API of people: who is on call, who stands in, whether they can be reached, and what would go wrong."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import msgspec
from litestar import Response, Router, get, post
from litestar.datastructures import State
from litestar.params import FromPath, FromQuery, JSONBody

from bongsu.core.errors import InvalidInput
from bongsu.core.roster import WEEKS, calendar
from bongsu.core.rotation import Override, Shift
from bongsu.core.schedule import Directory
from bongsu.engine import contacts, feeds, people, readiness
from bongsu.engine.context import Context
from bongsu.render.people import fault_words
from bongsu.render.words import Words
from bongsu.store import contacts as rounds
from bongsu.store import overrides

VIEWER, RESPONDER, PUBLIC = {"right": "viewer"}, {"right": "responder"}, {"right": "public"}
_FAR = 53
"""Weeks shown at the most."""
_Word = Annotated[str, msgspec.Meta(max_length=200, pattern=r"^[^\x00-\x1f]*$")]


@get("/api/oncall", opt=VIEWER, sync_to_thread=True)
def on_call(state: State) -> list[dict[str, Any]]:
    """Every schedule: who is on call, who is next, and the gaps of the next two weeks."""
    context: Context = state.context
    now = context.clock.now()
    everybody = context.db.read(lambda tx: people.directory(tx, context, now - people.BEFORE))
    return [
        {
            "schedule": duty.schedule,
            "now": _shift(duty.present, everybody),
            "next": _shift(duty.following, everybody),
            "gaps": [_shift(each, everybody) for each in duty.gaps],
        }
        for duty in people.duties(everybody, now)
    ]


@get("/api/schedules/{name:str}", opt=VIEWER, sync_to_thread=True)
def show_schedule(state: State, name: FromPath[str], weeks: FromQuery[int] = WEEKS) -> dict[str, Any]:
    """A schedule's calendar, week by week from this Monday on, and its shifts from now on."""
    if not 1 <= weeks <= _FAR:
        raise InvalidInput([f"weeks: must be from 1 to {_FAR}"])
    context: Context = state.context
    now = context.clock.now()
    everybody = context.db.read(lambda tx: people.directory(tx, context, now - people.BEFORE))
    schedule = people.schedule_of(everybody, name)
    until = now + timedelta(weeks=weeks)
    return {
        "schedule": name,
        "time_zone": str(schedule.zone),
        "weeks": [
            [
                {
                    "date": day.date.isoformat(),
                    "parts": [{"at": f"{part.start:%H:%M}", **(_who(part.shift, everybody))} for part in day.parts],
                }
                for day in week
            ]
            for week in calendar(schedule, now, weeks)
        ],
        "shifts": [_shift(each, everybody) for each in schedule.whole_shifts(now, until)],
    }


class StandIn(msgspec.Struct, forbid_unknown_fields=True):
    """Who is to be on call, from when (now if not given) to when."""

    schedule: _Word
    person: _Word
    end: datetime
    start: datetime | None = None
    by: _Word = "api"
    note: _Word = ""


class Swap(msgspec.Struct, forbid_unknown_fields=True):
    """Two people who exchange their next shifts, after a time if one is given."""

    schedule: _Word
    one: _Word
    other: _Word
    by: _Word = "api"
    after: datetime | None = None


@get("/api/overrides", opt=VIEWER, sync_to_thread=True)
def list_overrides(state: State) -> list[dict[str, Any]]:
    """Every override that is not over."""
    context: Context = state.context
    found = context.db.read(lambda tx: overrides.since(tx, context.clock.now()))
    return [_override(each) for each in found]


@post("/api/overrides", opt=RESPONDER, status_code=201, sync_to_thread=True)
def stand_in(state: State, data: JSONBody[StandIn]) -> dict[str, Any]:
    """Somebody stands in."""
    start = _aware(data.start, "start") if data.start is not None else state.context.clock.now()
    end = _aware(data.end, "end")
    made = people.stand_in(state.context, data.schedule, data.person, start, end, data.by, data.note)
    return _override(made)


@post("/api/overrides/{override_id:str}/end", opt=RESPONDER, status_code=200, sync_to_thread=True)
def take_back(state: State, override_id: FromPath[str]) -> dict[str, Any]:
    """Take an override back; what has passed of it stays."""
    return _override(people.take_back(state.context, override_id))


@post("/api/swaps", opt=RESPONDER, status_code=201, sync_to_thread=True)
def swap(state: State, data: JSONBody[Swap]) -> list[dict[str, Any]]:
    """Two people exchange their next shifts."""
    after = _aware(data.after, "after") if data.after is not None else None
    return [_override(each) for each in people.swap(state.context, data.schedule, data.one, data.other, data.by, after)]


@get("/api/feeds/{kind:str}/{name:str}", opt=RESPONDER, sync_to_thread=True)
def feed_address(state: State, kind: FromPath[str], name: FromPath[str]) -> dict[str, str]:
    """Where a calendar program subscribes to the shifts of a person or a schedule."""
    return {"address": feeds.address(state.context, kind, name)}


@get("/calendar/{kind:str}/{file:str}", opt=PUBLIC, sync_to_thread=True)
def feed(state: State, kind: FromPath[str], file: FromPath[str], token: FromQuery[str] = "") -> Response[bytes]:
    """A calendar feed; its token is the right to read it."""
    found = feeds.feed(state.context, kind, file.removesuffix(".ics"), token)
    return Response(found, headers={"Content-Type": "text/calendar; charset=utf-8", "Cache-Control": "private"})


class Verify(msgspec.Struct, forbid_unknown_fields=True):
    """Whom to ask: people by name, or ``team:x``; nobody named is everybody."""

    who: list[_Word] = []
    by: _Word = "api"


@post("/api/contacts/rounds", opt=RESPONDER, status_code=201, sync_to_thread=True)
def verify(state: State, data: JSONBody[Verify]) -> dict[str, Any]:
    """Ask people whether mails reach them."""
    started = contacts.start(state.context, data.by, tuple(data.who))
    return _round_view(state.context, started.id)


@get("/api/contacts/rounds/{round_id:str}", opt=VIEWER, sync_to_thread=True)
def show_round(state: State, round_id: FromPath[str]) -> dict[str, Any]:
    """Who answered in a round in how long, and who did not."""
    return _round_view(state.context, round_id)


@get("/api/contacts", opt=VIEWER, sync_to_thread=True)
def contact_status(state: State) -> dict[str, Any]:
    """Every address, when it last answered, and the newest round."""
    context: Context = state.context
    known, newest = context.db.read(lambda tx: (readiness.standings(tx, context), rounds.latest(tx)))
    return {
        "contacts": [
            {
                "recipient": to.id, "name": to.name, "address": to.address,
                **msgspec.to_builtins(known[to.id, to.address]), "silent": known[to.id, to.address].silent,
            }
            for to in contacts.everyone(context.directory)
        ],
        "newest_round": None if newest is None else _round_view(context, newest.id),
    }  # fmt: skip


@get("/api/readiness", opt=VIEWER, sync_to_thread=True)
def show_readiness(state: State, lang: FromQuery[str] = "en") -> dict[str, Any]:
    """What would go wrong in an alarm, and what to do about it."""
    context: Context = state.context
    found = context.db.read(lambda tx: readiness.faults(tx, context))
    w = Words("ko" if lang == "ko" else "en", context.directory.zone)
    listed = []
    for each in found:
        what, do = fault_words(each, w)
        listed.append({**msgspec.to_builtins(each), "what": what, "do": do})
    return {"ready": not any(each.wrong for each in found), "faults": listed}


def _round_view(context: Context, round_id: str) -> dict[str, Any]:
    found, lines = context.db.read(lambda tx: (rounds.load(tx, round_id), contacts.lines(tx, round_id)))
    return {
        **msgspec.to_builtins(found),
        "answered": sum(line.ask.took is not None for line in lines),
        "asked": len(lines),
        "lines": [
            {
                "recipient": line.ask.recipient.id, "name": line.ask.recipient.name,
                "address": line.ask.recipient.address, "mail": line.state, "answer": line.answer,
                "took_s": line.ask.took.total_seconds() if line.ask.took is not None else None,
            }
            for line in lines
        ],
    }  # fmt: skip


def _who(shift: Shift, everybody: Directory) -> dict[str, Any]:
    person = everybody.people.get(shift.person or "")
    return {"person": shift.person, "name": person.name if person else shift.person, "override": shift.override}


def _shift(shift: Shift | None, everybody: Directory) -> dict[str, Any] | None:
    if shift is None:
        return None
    return {"start": shift.start.isoformat(), "end": shift.end.isoformat(), **_who(shift, everybody)}


def _override(override: Override) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.to_builtins(override)
    return found


def _aware(at: datetime, key: str) -> datetime:
    if at.tzinfo is None:
        raise InvalidInput([f"{key}: has no time zone; write 2026-01-05T09:00:00+09:00"])
    if not 2000 <= at.year <= 2200:
        raise InvalidInput([f"{key}: {at.isoformat()} is out of reach; give a time of these years"])
    return at.astimezone(UTC)


people_api_router = Router(
    "/",
    route_handlers=[
        on_call, show_schedule, list_overrides, stand_in, take_back, swap, feed_address, feed, verify, show_round,
        contact_status, show_readiness,
    ],
)  # fmt: skip
