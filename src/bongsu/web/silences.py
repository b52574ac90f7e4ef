"""The page of silences and maintenance: what is muted, what will be and what was; adding with a preview, ending."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec
from litestar import Request, Response, Router, get, post
from litestar.datastructures import State as AppState
from litestar.params import FromPath, URLEncodedBody
from litestar.response import Redirect

from bongsu.core.errors import InvalidInput
from bongsu.core.maintenance import BEYOND, Maintenance
from bongsu.core.matcher import all_match
from bongsu.core.muting import mutes_anything, services_of, to_confirm
from bongsu.core.silence import Silence, State
from bongsu.engine import maintenance, silence
from bongsu.engine.context import Context
from bongsu.render.muting import also_word, state_word
from bongsu.render.words import Words
from bongsu.store import alerts, silences
from bongsu.store.alerts import Kept
from bongsu.web.console import line
from bongsu.web.pages import ERROR_PAGES, asked_locale, page, words_of
from bongsu.web.rights import named

VIEWER, RESPONDER = {"right": "viewer"}, {"right": "responder"}
SPANS = (30, 60, 120, 240, 480, 1440)
"""Minutes to choose from."""
MOST = 200
"""Alerts that a preview names; it counts them all."""
_ORDER = (State.ACTIVE, State.PENDING, State.EXPIRED)


class AskedSilence(msgspec.Struct):
    """What the form of a silence sends: matchers a line each; ``shown``: fingerprints, apart by spaces."""

    matchers: str = ""
    minutes: int = 60
    by: str = ""
    why: str = ""
    shown: str = ""
    confirm: str = ""


class AskedMaintenance(msgspec.Struct):
    """What the form of a maintenance sends. ``begins``: the local time, or nothing for now; the last three: "yes"."""

    service: str = ""
    policy: str = ""
    begins: str = ""
    minutes: int = 120
    by: str = ""
    why: str = ""
    ceiling: str = ""
    exhaustion: str = ""
    blindness: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """A silence or a maintenance on the page. ``end``: where its end is asked for; empty when it is over."""

    what: tuple[str, ...]
    state: str
    word: str
    when: str
    by: str
    why: str
    more: tuple[str, ...]
    end: str


@get("/silences", opt=VIEWER, sync_to_thread=True)
def show_silences(request: Request[Any, Any, Any], state: AppState) -> Response[str]:
    """Everything that mutes, and the forms to add."""
    context: Context = state.context
    w, now = words_of(request), context.clock.now()
    kept, firing = context.db.read(lambda tx: (silences.since(tx, now - silence.KEEPS), alerts.firing(tx, now)))
    found = [_silence_row(each, firing, context, w, now) for each in kept]
    windows = [_maintenance_row(each, w, now) for each in maintenance.listed(context)]
    values = {
        "silences": _sorted(found),
        "maintenances": _sorted(windows),
        "policies": maintenance.policies_of(context),
        "spans": [(minutes, w.duration(minutes * 60)) for minutes in SPANS],
        "also": [(each, also_word(each, w)) for each in BEYOND],
        "zone": str(w.zone),
        "now": w.time(now),
    }
    return page(request, "silences.html", values)


def _sorted(rows: Sequence[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: _ORDER.index(State(row.state)))


def _silence_row(each: Silence, firing: Sequence[Kept], context: Context, w: Words, now: datetime) -> Row:
    state = each.state(now)
    more = []
    if state is State.ACTIVE:
        muted = sum(all_match(each.matchers, kept.alert.labels) for kept in firing)
        more.append(w.ngettext("mutes %(n)s alert now", "mutes %(n)s alerts now", muted))
    about = services_of(each.matchers, context.services)
    more.append(w.gettext("Services: %(names)s", names=", ".join(about) or "–"))
    what = tuple(map(str, each.matchers))
    end = "" if state is State.EXPIRED else f"/silences/{each.id}/expire"
    when = _when(each.starts_at, each.ends_at, w, now)
    return Row(what, state, state_word(state, w), when, each.created_by, each.comment, tuple(more), end)


def _maintenance_row(each: Maintenance, w: Words, now: datetime) -> Row:
    state = each.state(now)
    what = f"{each.service}/{each.policy}" if each.policy else each.service
    more = []
    if each.also:
        also = ", ".join(also_word(name, w) for name in each.also)
        more.append(w.gettext("Beside the tiers: %(also)s", also=also))
    if not each.ran:
        more.append(w.gettext("called off before it began"))
    end = "" if state is State.EXPIRED else f"/maintenances/{each.id}/end"
    when = _when(each.starts_at, each.ends_at, w, now)
    return Row((what,), state, state_word(state, w), when, each.by, each.why, tuple(more), end)


def _when(start: datetime, end: datetime, w: Words, now: datetime) -> str:
    return w.gettext("%(start)s to %(end)s", start=w.time(start, near=now), end=w.time(end, near=now))


@post("/silences/preview", opt=VIEWER, status_code=200, sync_to_thread=True)
def preview_silence(
    request: Request[Any, Any, Any], state: AppState, data: URLEncodedBody[AskedSilence]
) -> Response[str]:
    """What it would mute, with the button that begins it."""
    return _preview(request, state.context, data, [])


@post("/silences", opt=RESPONDER, sync_to_thread=True)
def add_silence(request: Request[Any, Any, Any], state: AppState, data: URLEncodedBody[AskedSilence]) -> Response[Any]:
    """Begin a silence that was previewed. What mutes more than was shown is shown once more."""
    context: Context = state.context
    now = context.clock.now()
    matchers = silence.matchers_of(_lines(data.matchers))
    ends_at = now + _span(data.minutes)
    asked = Silence(str(uuid.uuid4()), matchers, now, ends_at, named(request, data.by), " ".join(data.why.split()), now)
    try:
        silence.add(context, asked, data.shown.split(), confirmed=data.confirm == "yes")
    except InvalidInput as error:
        return _preview(request, context, data, error.problems)
    return _home(request)


def _preview(
    request: Request[Any, Any, Any], context: Context, data: AskedSilence, problems: Sequence[str]
) -> Response[str]:
    matchers = silence.matchers_of(_lines(data.matchers))
    found = silence.preview(context, matchers)
    w, now = words_of(request), context.clock.now()
    values = {
        "asked": data,
        "by": named(request, data.by),
        "matchers": tuple(map(str, matchers)),
        "until": w.time(now + _span(data.minutes), near=now),
        "count": len(found.firing),
        "firing": [(kept.alert.name, sorted(kept.alert.labels.items())) for kept in found.firing[:MOST]],
        "incidents": [line(each, w, now) for each in found.incidents],
        "services": found.services,
        "anything": mutes_anything(matchers),
        "confirm": bool(to_confirm(matchers, (), ())),
        "shown": " ".join(kept.fingerprint for kept in found.firing),
        "problems": problems,
    }
    return page(request, "silence.html", values, status=400 if problems else 200)


@post("/silences/{silence_id:str}/expire", opt=RESPONDER, sync_to_thread=True)
def expire_silence(request: Request[Any, Any, Any], state: AppState, silence_id: FromPath[str]) -> Redirect:
    """End a silence now."""
    silence.end(state.context, silence_id)
    return _home(request)


@post("/maintenances", opt=RESPONDER, sync_to_thread=True)
def keep_maintenance(
    request: Request[Any, Any, Any], state: AppState, data: URLEncodedBody[AskedMaintenance]
) -> Redirect:
    """Begin or plan a maintenance."""
    context: Context = state.context
    begins = _local(data.begins, context, words_of(request)) if data.begins.strip() else context.clock.now()
    also = tuple(name for name in BEYOND if getattr(data, name) == "yes")
    why = " ".join(data.why.split())
    asked = Maintenance(
        "", data.service, begins, begins + _span(data.minutes), named(request, data.by), why, data.policy or None, also
    )
    maintenance.keep(context, asked)
    return _home(request)


@post("/maintenances/{maintenance_id:str}/end", opt=RESPONDER, sync_to_thread=True)
def end_maintenance(request: Request[Any, Any, Any], state: AppState, maintenance_id: FromPath[str]) -> Redirect:
    """End one now, or call it off."""
    maintenance.end(state.context, maintenance_id)
    return _home(request)


def _local(text: str, context: Context, w: Words) -> datetime:
    try:
        at = datetime.fromisoformat(text.strip())
    except ValueError:
        raise InvalidInput([f"begins: {text!r} is no time; write 2026-01-05T09:00, in {w.zone}"]) from None
    return context.timescale.to_service(at if at.tzinfo is not None else at.replace(tzinfo=w.zone))


def _lines(text: str) -> list[str]:
    return [each.strip() for each in text.splitlines() if each.strip()]


def _span(minutes: int) -> timedelta:
    return timedelta(minutes=max(0, min(minutes, 1_000_000)))


def _home(request: Request[Any, Any, Any]) -> Redirect:
    asked = asked_locale(request)
    return Redirect(f"/silences?lang={asked}" if asked else "/silences", status_code=303)


silences_router = Router(
    "/",
    route_handlers=[show_silences, preview_silence, add_silence, expire_silence, keep_maintenance, end_maintenance],
    exception_handlers=ERROR_PAGES,
    include_in_schema=False,
)
