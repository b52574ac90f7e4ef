"""The pages of people: who is on call, who can be reached, and the one behind the link of a question."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from litestar import Request, Response, Router, get, post
from litestar.datastructures import State
from litestar.params import FromPath
from litestar.response import Redirect

from bongsu.core.access import Via
from bongsu.core.contact import is_over
from bongsu.core.readiness import Standing, Standings
from bongsu.core.roster import calendar
from bongsu.core.rotation import Schedule, Shift
from bongsu.core.schedule import Directory, Person, Team
from bongsu.engine import contacts, people, readiness
from bongsu.engine.context import Context
from bongsu.render.people import fault_words, took_words, unreached_words
from bongsu.render.quiet import WEEKDAYS, quiet_words
from bongsu.render.words import Words
from bongsu.store import contacts as rounds
from bongsu.web.pages import ERROR_PAGES, asked_locale, page, words_of
from bongsu.web.rights import act_by

VIEWER, PUBLIC = {"right": "viewer"}, {"right": "public"}
_HUES = 6


@dataclass(frozen=True, slots=True)
class Cell:
    """A stretch of a day in the calendar. ``hue``: which of the colours; None is a gap."""

    at: str
    name: str
    hue: int | None
    override: bool


@dataclass(frozen=True, slots=True)
class DayCell:
    """A day in the calendar."""

    label: str
    today: bool
    past: bool
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """A shift in the list."""

    when: str
    name: str
    hue: int | None
    override: bool
    running: bool


@dataclass(frozen=True, slots=True)
class Board:
    """A schedule on the page."""

    name: str
    zone: str
    present: Row
    following: Row | None
    gaps: tuple[Row, ...]
    weeks: tuple[tuple[DayCell, ...], ...]
    rows: tuple[Row, ...]


@get("/oncall", opt=VIEWER, sync_to_thread=True)
def show_on_call(request: Request[Any, Any, Any], state: State) -> Response[str]:
    """Who is on call, who is next, and the coming four weeks of each schedule."""
    context: Context = state.context
    now, w = context.clock.now(), words_of(request)
    everybody = context.db.read(lambda tx: people.directory(tx, context, now - people.BEFORE))
    boards = [_board(duty, everybody, now, w) for duty in people.duties(everybody, now)]
    values = {"boards": boards, "weekdays": [w.gettext(day) for day in WEEKDAYS], "now": w.time(now, near=now)}
    return page(request, "oncall.html", values)


def _board(duty: people.Duty, everybody: Directory, now: datetime, w: Words) -> Board:
    schedule = everybody.schedules[duty.schedule]
    local = Words(w.locale, schedule.zone)
    today = now.astimezone(schedule.zone).date()
    weeks = calendar(schedule, now)
    shifts = schedule.whole_shifts(now, now + people.AHEAD * 2)

    def row(shift: Shift) -> Row:
        return _row(shift, schedule, everybody, now, local)

    return Board(
        name=duty.schedule,
        zone=str(schedule.zone),
        present=row(duty.present),
        following=row(duty.following) if duty.following else None,
        gaps=tuple(row(each) for each in duty.gaps),
        weeks=tuple(
            tuple(
                DayCell(
                    _day_label(day.date, weeks[0][0].date),
                    day.date == today,
                    day.date < today,
                    tuple(
                        Cell(
                            f"{part.start:%H:%M}" if part.start.hour or part.start.minute else "",
                            _name(part.shift, everybody),
                            _hue(part.shift, schedule),
                            part.shift.override is not None,
                        )
                        for part in day.parts
                    ),
                )
                for day in week
            )
            for week in weeks
        ),
        rows=tuple(row(each) for each in shifts),
    )


def _day_label(day: date, first: date) -> str:
    return f"{day.month}/{day.day}" if day.day == 1 or day == first else str(day.day)


def _name(shift: Shift, everybody: Directory) -> str:
    person = everybody.people.get(shift.person or "")
    return person.name if person else (shift.person or "")


def _hue(shift: Shift, schedule: Schedule) -> int | None:
    return None if shift.person is None else schedule.people.index(shift.person) % _HUES


def _row(shift: Shift, schedule: Schedule, everybody: Directory, now: datetime, w: Words) -> Row:
    start, end = (_moment(at, w) for at in (shift.start, shift.end))
    return Row(
        when=w.gettext("%(start)s to %(end)s", start=start, end=end),
        name=_name(shift, everybody),
        hue=_hue(shift, schedule),
        override=shift.override is not None,
        running=shift.start <= now < shift.end,
    )


def _moment(at: datetime, w: Words) -> str:
    local = at.astimezone(w.zone)
    return f"{w.gettext(WEEKDAYS[local.weekday()])} {local.month}/{local.day} {local:%H:%M}"


@dataclass(frozen=True, slots=True)
class Way:
    """One address of somebody, and how it stands."""

    address: str
    word: str
    state: str


@dataclass(frozen=True, slots=True)
class Reader:
    """A person or a team on the page."""

    name: str
    about: str
    ways: tuple[Way, ...]


@get("/people", opt=VIEWER, sync_to_thread=True)
def show_people(request: Request[Any, Any, Any], state: State) -> Response[str]:
    """People and teams, whether they can be reached, and what would go wrong in an alarm."""
    context: Context = state.context
    w, wall = words_of(request), context.wall.now()
    found, known, newest = context.db.read(
        lambda tx: (readiness.faults(tx, context), readiness.standings(tx, context), rounds.latest(tx))
    )
    directory = context.directory
    named = [(fault.where, *fault_words(fault, w), fault.wrong) for fault in found]
    values = {
        "wrong": [each[:3] for each in named if each[3]],
        "notes": [each[:3] for each in named if not each[3]],
        "people": [_reader("person", each, directory, known, wall, w) for each in directory.people.values()],
        "teams": [_reader("team", each, directory, known, wall, w) for each in directory.teams.values()],
        "round": newest,
        "round_at": w.time(newest.started_at, near=wall) if newest else "",
    }
    return page(request, "people.html", values)


def _reader(kind: str, each: Person | Team, directory: Directory, known: Standings, wall: datetime, w: Words) -> Reader:
    if isinstance(each, Team):
        about = ", ".join(directory.people[name].name for name in each.members if name in directory.people)
    else:
        turns = [name for name, schedule in sorted(directory.schedules.items()) if each.id in schedule.people]
        about = " · ".join(
            part for part in (", ".join(turns), quiet_words(each.quiet, w) if each.quiet else "") if part
        )
    ways = tuple(_way(address, known[f"{kind}:{each.id}", address], wall, w) for address in each.addresses)
    return Reader(each.name, about, ways)


def _way(address: str, standing: Standing, wall: datetime, w: Words) -> Way:
    if standing.suspect:
        return Way(address, w.gettext("the last mail was refused"), "refused")
    if standing.silent:
        return Way(address, w.gettext("did not answer"), "refused")
    if standing.verified_at is not None:
        return Way(address, w.gettext("answered on %(at)s", at=w.time(standing.verified_at, near=wall)), "accepted")
    return Way(
        address, w.gettext("asked, not answered yet") if standing.awaited else w.gettext("never asked"), "pending"
    )


@get("/people/rounds/{round_id:str}", opt=VIEWER, sync_to_thread=True)
def show_round(request: Request[Any, Any, Any], state: State, round_id: FromPath[str]) -> Response[str]:
    """Who answered in a round in how long, and who cannot be reached."""
    context: Context = state.context
    w, wall = words_of(request), context.wall.now()
    found, lines = context.db.read(lambda tx: (rounds.load(tx, round_id), contacts.lines(tx, round_id)))
    asks = [line.ask for line in lines]
    values = {
        "round": found,
        "at": w.time(found.started_at),
        "until": w.time(found.ends_at),
        "over": is_over(found, asks, wall),
        "answered": sum(ask.took is not None for ask in asks),
        "total": len(asks),
        "lines": [
            (
                line.ask.recipient.name,
                took_words(line.ask, w) if line.ask.took is not None
                else unreached_words(line.ask.recipient, line.state, line.answer, w),
                line.ask.took is not None,
            )
            for line in lines
        ],
    }  # fmt: skip
    return page(request, "round.html", values)


@get("/c/{token:str}", opt=PUBLIC, sync_to_thread=True)
def show_question(request: Request[Any, Any, Any], state: State, token: FromPath[str]) -> Response[str]:
    """One button. Opening this answers nothing, for mail scanners open links."""
    ask = contacts.asked(state.context, token)
    values = {"ask": ask, "action": f"/c/{token}", "answered": ask.answered_at is not None}
    return page(request, "question.html", values, locale=ask.recipient.locale)


@post("/c/{token:str}", opt=PUBLIC, sync_to_thread=True)
def answer_question(request: Request[Any, Any, Any], state: State, token: FromPath[str]) -> Redirect:
    """Yes, this reaches me."""
    ask = contacts.asked(state.context, token)
    act_by(request, ask.recipient.name, Via.LINK, "answer_question", ask.recipient.address)
    contacts.answer(state.context, token)
    asked = asked_locale(request)
    return Redirect(f"/c/{token}?lang={asked}" if asked else f"/c/{token}", status_code=303)


people_router = Router(
    "/",
    route_handlers=[show_on_call, show_people, show_round, show_question, answer_question],
    exception_handlers=ERROR_PAGES,
    include_in_schema=False,
)
