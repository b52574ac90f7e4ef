"""Deliveries: the log of every attempt with the server's answer, and a test of whether people can be reached."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from litestar import Request, Response, Router, get, post
from litestar.datastructures import State
from litestar.params import FromQuery, JSONBody

from bongsu.core.errors import InvalidInput
from bongsu.engine import notify, quiet
from bongsu.engine.context import Context
from bongsu.render.postal import kind_words
from bongsu.render.quiet import waits_words
from bongsu.render.terms import delivery_word
from bongsu.render.words import Words, clean
from bongsu.store import digests, outages, outbox, suspects
from bongsu.store.database import Transaction
from bongsu.store.outages import Outage
from bongsu.store.outbox import Attempt, Message
from bongsu.store.suspects import Suspect
from bongsu.web.pages import ERROR_PAGES, page, words_of

STATES = ("pending", "gathered", "accepted", "refused")
MOST = 500
Found = list[tuple[Message, list[Attempt]]]


def find(
    context: Context,
    *,
    ids: list[int] | None = None,
    incident: str | None = None,
    person: str | None = None,
    state: str | None = None,
    limit: int = 100,
) -> Found:
    """Messages with their attempts, the newest first. Raises InvalidInput."""
    problems = []
    if state is not None and state not in STATES:
        problems.append(f"state: {clean(state)!r} is none of {', '.join(STATES)}")
    if not 1 <= limit <= MOST:
        problems.append(f"limit: must be 1 to {MOST}")
    if problems:
        raise InvalidInput(problems)
    to = None if not person else person if ":" in person else f"person:{person}"

    def read(tx: Transaction) -> Found:
        messages = outbox.search(tx, ids=ids, incident=incident, recipient=to, state=state, limit=limit)
        tries = outbox.attempts_of(tx, [each.digest_id or each.id for each in messages])
        return [(each, tries[each.digest_id or each.id]) for each in messages]

    return context.db.read(read)


@get("/api/deliveries", sync_to_thread=True, opt={"right": "viewer"})
def list_deliveries(
    state: State,
    id: FromQuery[list[int] | None] = None,  # noqa: A002 - its name in the address
    incident: FromQuery[str | None] = None,
    person: FromQuery[str | None] = None,
    status: FromQuery[str | None] = None,
    limit: FromQuery[int] = 100,
) -> list[dict[str, Any]]:
    """Messages, the newest first, each with every attempt. ``status``: pending, gathered, accepted or refused."""
    found = find(state.context, ids=id, incident=incident, person=person, state=status, limit=limit)
    return [_view(message, tries, state.context) for message, tries in found]


@get("/api/relay", sync_to_thread=True, opt={"right": "viewer"})
def show_relay(state: State) -> dict[str, Any]:
    """Whether mail goes out, its latest outages, and the addresses that refused it the last time."""
    context: Context = state.context
    found, doubtful = context.db.read(lambda tx: (outages.latest(tx), suspects.every(tx)))
    return {
        "down": any(each.ended_at is None for each in found),
        "outages": msgspec.to_builtins(found),
        "suspects": msgspec.to_builtins(doubtful),
    }


class Trial(msgspec.Struct):
    """Whom to write a test: people and teams by name (or person:x, team:x); nobody named means everybody."""

    to: list[str] = []
    by: str = "api"


@post("/api/notify/test", opt={"right": "responder"}, status_code=202, sync_to_thread=True)
def notify_test(state: State, data: JSONBody[Trial]) -> list[dict[str, Any]]:
    """Write a test to every address; look at /api/deliveries?id=... for how it went."""
    return [_view(message, [], state.context) for message in notify.test(state.context, data.to, data.by)]


def _view(message: Message, tries: list[Attempt], context: Context) -> dict[str, Any]:
    shown: dict[str, Any] = msgspec.to_builtins(message)
    del shown["facts"], shown["fence"]
    return {**shown, "tries": msgspec.to_builtins(tries), "waits": _waits(message, Words(), context.wall.now())}


def _waits(message: Message, w: Words, now: datetime) -> str:
    """Why it is not sent yet; empty when nothing holds it back."""
    held = quiet.waits(message, now)
    return waits_words(message.facts, w.time(message.due_at, near=now), w) if held else ""


@dataclass(frozen=True, slots=True)
class Row:
    """A message on the page. ``tries``: every attempt, as time and answer."""

    message: Message
    at: str
    kind: str
    word: str
    tries: tuple[tuple[str, str], ...]
    suspect: str
    waits: str


@get("/deliveries", sync_to_thread=True, opt={"right": "viewer"}, include_in_schema=False)
def deliveries_page(
    request: Request[Any, Any, Any],
    state: State,
    incident: FromQuery[str | None] = None,
    person: FromQuery[str | None] = None,
    status: FromQuery[str | None] = None,
) -> Response[str]:
    """The delivery log."""
    context: Context = state.context
    found = find(context, incident=incident or None, person=person or None, state=status or None)
    away, doubtful, counts = context.db.read(lambda tx: (outages.latest(tx, 5), suspects.every(tx), outbox.counts(tx)))
    w, now = words_of(request), context.wall.now()
    values = {
        "rows": [_row(message, tries, doubtful, w, now) for message, tries in found],
        "outages": [_outage(each, w, now) for each in away],
        "down": next((_outage(each, w, now) for each in away if each.ended_at is None), None),
        "counts": [(each, delivery_word(each, w), counts.get(each, 0)) for each in STATES],
        "people": [("", w.gettext("everybody")), *_people(context)],
        "chosen": {"incident": incident or "", "person": person or "", "status": status or ""},
        "digest": digests.DIGEST,
    }
    return page(request, "deliveries.html", values)


def _people(context: Context) -> list[tuple[str, str]]:
    directory = context.directory
    people = [(f"person:{name}", each.name) for name, each in sorted(directory.people.items())]
    return people + [(f"team:{name}", each.name) for name, each in sorted(directory.teams.items())]


def _row(message: Message, tries: list[Attempt], doubtful: dict[str, Suspect], w: Words, now: datetime) -> Row:
    suspect = doubtful.get(message.recipient.address)
    return Row(
        message=message,
        at=w.time(message.written_at, near=now, seconds=True),
        kind=kind_words(message, w),
        word=delivery_word(message.state, w),
        tries=tuple((w.time(each.at, near=now, seconds=True), each.answer or each.outcome) for each in tries),
        suspect=w.time(suspect.since, near=now) if suspect else "",
        waits=_waits(message, w, now),
    )


def _outage(each: Outage, w: Words, now: datetime) -> dict[str, str]:
    return {
        "since": w.time(each.since, near=now, seconds=True),
        "lasted": w.duration((each.ended_at or now) - each.since),
        "why": each.why,
        "ended": w.time(each.ended_at, near=now, seconds=True) if each.ended_at else "",
        "told": w.time(each.told_at, near=now, seconds=True) if each.told_at else "",
    }


deliveries_router = Router("/", route_handlers=[list_deliveries, show_relay, notify_test])
deliveries_pages = Router("/", route_handlers=[deliveries_page], exception_handlers=ERROR_PAGES)
