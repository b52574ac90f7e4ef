"""Alertmanager's API, version 2: what Prometheus and amtool speak, answered in Alertmanager's own forms."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Annotated, Any

import msgspec
from litestar import Request, Response, Router, delete, get, post
from litestar.datastructures import State
from litestar.exceptions import HTTPException
from litestar.params import FromPath, JSONBody

from bongsu import __version__
from bongsu.core.alert import RESOLVES_AFTER, Alert, label_name, label_names
from bongsu.core.errors import BongsuError, InvalidInput
from bongsu.core.matcher import Matcher, all_match, checked, hits, parse
from bongsu.core.routing import Destination
from bongsu.core.silence import Silence, muting
from bongsu.engine import intake, silence
from bongsu.engine.context import Context
from bongsu.store import alerts, silences
from bongsu.store.alerts import Kept
from bongsu.web.problems import status_of

SPEAKS = "0.25.0"
"""The Alertmanager whose API this is; amtool warns when its own version is another."""
MANY_ALERTS = 16 * 1024 * 1024
"""The largest body of alerts."""
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What reading a body may raise; the last when it is nested too deeply."""
_Request = Request[Any, Any, Any]
_Moment = Annotated[str, msgspec.Meta(max_length=64)]
"""A time as it is sent: short, for those that were read are remembered."""


class PostedAlert(msgspec.Struct, rename="camel", gc=False):
    """An alert as it is sent; unknown keys are let through, as Alertmanager does. Moments are read by themselves: few
    differ."""

    labels: dict[str, str]
    annotations: dict[str, str] = {}
    starts_at: _Moment | None = None
    ends_at: _Moment | None = None
    generator_url: str = msgspec.field(default="", name="generatorURL")


class PostedMatcher(msgspec.Struct, rename="camel"):
    """A matcher as it is sent."""

    name: str
    value: str
    is_regex: bool = False
    is_equal: bool = True


class PostedSilence(msgspec.Struct, rename="camel"):
    """A silence as it is sent; with an ``id`` it changes one that is there."""

    matchers: list[PostedMatcher]
    starts_at: datetime
    ends_at: datetime
    created_by: str
    comment: str = ""
    id: str = ""


_POSTED = msgspec.json.Decoder(list[PostedAlert])


def read_alerts(body: bytes, context: Context) -> tuple[list[Alert], list[str]]:
    """Decode a posted list: the alerts that can be kept, and every fault with its place.

    Raises InvalidInput when it is no list of alerts at all.
    """
    try:
        posted = _POSTED.decode(body)
    except UNREADABLE as error:
        raise InvalidInput([f"the body is not a list of alerts: {error}"]) from None
    now, to_service = context.clock.now(), context.timescale.to_service
    good: list[Alert] = []
    problems: list[str] = []
    for number, each in enumerate(posted):
        labels, starts, ends = each.labels, _plain_moment(each.starts_at), _plain_moment(each.ends_at)
        # almost every alert is plainly right, and a storm brings many thousand a second
        if starts and ends and starts <= ends and labels and all(labels.values()) and label_names(labels):
            good.append(Alert(labels, to_service(starts), to_service(ends), each.annotations, each.generator_url))
        elif faults := _faults(each):
            problems += [f"$[{number}]{fault}" for fault in faults]
        else:
            good.append(_alert(each, context, now))
    return good, problems


@lru_cache(4096)
def _moment(text: str) -> datetime | None:
    """A moment as it is sent; None if it is none."""
    try:
        return msgspec.convert(text, datetime)
    except msgspec.ValidationError:
        return None


@lru_cache(4096)
def _plain_moment(text: str | None) -> datetime | None:
    """One that plainly has no fault."""
    at = _said(text)
    return None if moment_faults(at) else at


def moment_faults(at: datetime | None) -> list[str]:
    """What is wrong with a moment that was sent; Go's zero time, in the year 1, means none."""
    if at is None or (at.tzinfo is not None and 1970 <= at.year < 2100) or at.year == 1:
        return []
    if at.tzinfo is None:
        return ["has no time zone; write 2026-01-05T09:00:00Z"]
    return [f"the year {at.year} is no time of an alert; write 1970 to 2099"]


def _faults(posted: PostedAlert) -> list[str]:
    if not any(posted.labels.values()):
        return [".labels: empty; an alert is known by its labels"]
    found = [f".labels: {name!r} is not a label name" for name in posted.labels if not label_name(name)]
    for key, text in (("startsAt", posted.starts_at), ("endsAt", posted.ends_at)):
        if text is not None and _moment(text) is None:
            found.append(f".{key}: {text!r} is no time; write 2026-01-05T09:00:00Z")
        elif text is not None:
            found += [f".{key}: {fault}" for fault in moment_faults(_moment(text))]
    if not found:
        starts, ends = _said(posted.starts_at), _said(posted.ends_at)
        found += [": startsAt is after endsAt"] if starts and ends and starts > ends else []
    return found


def _said(text: str | None) -> datetime | None:
    """The moment that a text without a fault says."""
    at = _moment(text) if text is not None else None
    return at if at is not None and at.year > 1 else None


def _alert(posted: PostedAlert, context: Context, now: datetime) -> Alert:
    starts, ends = _said(posted.starts_at), _said(posted.ends_at)
    scale = context.timescale
    starts_at = scale.to_service(starts) if starts else None
    ends_at = scale.to_service(ends) if ends else now + RESOLVES_AFTER
    labels = {name: value for name, value in posted.labels.items() if value}
    return Alert(labels, starts_at or min(now, ends_at), ends_at, posted.annotations, posted.generator_url)


async def take(context: Context, body: bytes) -> None:
    """Take posted alerts in; they are on disk when this returns.

    A faulty one does not stop the others. Raises InvalidInput with every fault, after the others were kept.
    """
    arrived, problems = read_alerts(body, context)
    loop = asyncio.get_running_loop()
    kept: asyncio.Future[None] = loop.create_future()

    def answer(error: BaseException | None) -> None:
        if kept.done():
            return
        if error is None:
            kept.set_result(None)
        else:
            kept.set_exception(error)

    intake.submit(context, arrived, answer, loop.call_soon_threadsafe)
    await kept
    if problems:
        raise InvalidInput(problems)


@post("/alerts", status_code=200, opt={"right": "alerts"})
async def post_alerts(request: _Request, state: State) -> Response[bytes]:
    """Take alerts in; they are on disk when this answers. A faulty one does not stop the others, and is told."""
    await take(state.context, await request.body())
    return Response(b"", status_code=200, media_type="application/json")


@get("/alerts", sync_to_thread=True, opt={"right": "viewer"})
def list_alerts(request: _Request, state: State) -> list[dict[str, Any]]:
    """The alerts that fire, by ``filter``, ``receiver``, ``active``, ``silenced`` and ``unprocessed``."""
    return [_told(kept, by, state.context) for kept, by in _asked_for(request, state.context)]


@get("/alerts/groups", sync_to_thread=True, opt={"right": "viewer"})
def list_groups(request: _Request, state: State) -> list[dict[str, Any]]:
    """The same alerts, by where they go: one group for each incident."""
    groups: dict[Destination, list[dict[str, Any]]] = {}
    for kept, by in _asked_for(request, state.context):
        groups.setdefault(kept.to, []).append(_told(kept, by, state.context))
    return [
        {"labels": _group_labels(to), "receiver": {"name": receiver(to)}, "alerts": told}
        for to, told in sorted(groups.items(), key=lambda item: repr(item[0]))
    ]


@get("/silences", sync_to_thread=True, opt={"right": "viewer"})
def list_silences(request: _Request, state: State) -> list[dict[str, Any]]:
    """Silences, those that ended in the last days too; by ``filter``, which speaks of their matchers."""
    context: Context = state.context
    now = context.clock.now()
    found = context.db.read(lambda tx: silences.since(tx, now - silence.KEEPS))
    wanted = _filters(request)
    return [_shown(each, context) for each in found if _concerns(each.matchers, wanted)]


@post("/silences", status_code=200, sync_to_thread=True, opt={"right": "responder"})
def post_silence(state: State, data: JSONBody[PostedSilence]) -> dict[str, str]:
    """Begin or change a silence."""
    context: Context = state.context
    naive = [at for at in (data.starts_at, data.ends_at) if at.tzinfo is None]
    if naive:
        raise InvalidInput(["startsAt and endsAt need a time zone; write 2026-01-05T09:00:00Z"])
    matchers = tuple(checked(Matcher(m.name, m.value, m.is_regex, m.is_equal)) for m in data.matchers)
    begun = Silence(
        data.id or str(uuid.uuid4()),
        matchers,
        context.timescale.to_service(data.starts_at),
        context.timescale.to_service(data.ends_at),
        data.created_by,
        data.comment,
        context.clock.now(),
    )
    return {"silenceID": silence.keep(context, begun, changes=bool(data.id)).id}


@get("/silence/{silence_id:str}", sync_to_thread=True, opt={"right": "viewer"})
def show_silence(state: State, silence_id: FromPath[str]) -> dict[str, Any]:
    """One silence."""
    return _shown(state.context.db.read(lambda tx: silences.load(tx, silence_id)), state.context)


@delete("/silence/{silence_id:str}", status_code=200, sync_to_thread=True, opt={"right": "responder"})
def delete_silence(state: State, silence_id: FromPath[str]) -> None:
    """End a silence now."""
    silence.end(state.context, silence_id)


@get("/receivers", sync_to_thread=True, opt={"right": "viewer"})
def list_receivers(state: State) -> list[dict[str, str]]:
    """Where alerts may go."""
    context: Context = state.context
    to = {Destination(name) for name in context.services}
    to |= {Destination(name, policy) for name, policies in context.routing.watched.items() for policy in policies}
    to |= {Destination(route.service, route.policy) for route in context.routing.routes}
    return [{"name": name} for name in sorted({receiver(each) for each in to})]


@get("/status", sync_to_thread=True, opt={"right": "viewer"})
def status(state: State) -> dict[str, Any]:
    """What this is; amtool asks before it does anything."""
    context: Context = state.context
    services = ", ".join(sorted(context.services)) or "none"
    return {
        "cluster": {"status": "disabled", "peers": []},
        "versionInfo": {
            "version": SPEAKS, "revision": f"bongsu-{__version__}", "branch": "", "buildUser": "", "buildDate": "",
            "goVersion": "",
        },
        "config": {"original": f"# Bongsu {__version__}; its configuration is bongsu.toml. Services: {services}\n"},
        "uptime": _text(context.started_at),
    }  # fmt: skip


def receiver(to: Destination) -> str:
    """A destination's name as a receiver: ``shop/alerts``."""
    return f"{to.service}/{to.policy}" if to.service else "nobody"


def _asked_for(request: _Request, context: Context) -> list[tuple[Kept, tuple[str, ...]]]:
    now = context.clock.now()
    found, quiet = context.db.read(lambda tx: (alerts.firing(tx, now), silences.since(tx, now)))
    wanted = _filters(request)
    asked = {key: request.query_params.get(key, "true") != "false" for key in ("active", "silenced", "unprocessed")}
    pattern = request.query_params.get("receiver")
    try:
        if pattern:
            hits(pattern, "")
    except ValueError as error:
        raise InvalidInput([f"receiver: {error}"]) from None
    shown = []
    for kept in found:
        by = muting(quiet, kept.alert.labels, now)
        if not asked["silenced" if by else "active" if kept.to.service else "unprocessed"]:
            continue
        if all_match(wanted, kept.alert.labels) and (not pattern or hits(pattern, receiver(kept.to))):
            shown.append((kept, by))
    return shown


def _filters(request: _Request) -> tuple[Matcher, ...]:
    return tuple(parse(text) for text in request.query_params.getall("filter", []))


def _concerns(matchers: Iterable[Matcher], wanted: Sequence[Matcher]) -> bool:
    """Whether a silence's own matchers meet a filter, each taken as if it were a label."""
    return all_match(wanted, {each.name: each.value for each in matchers})


def _told(kept: Kept, by: tuple[str, ...], context: Context) -> dict[str, Any]:
    state = "suppressed" if by else "active" if kept.to.service else "unprocessed"
    return {
        "annotations": kept.alert.annotations,
        "endsAt": _text(context.timescale.to_wall(kept.alert.ends_at)),
        "fingerprint": kept.fingerprint,
        "receivers": [{"name": receiver(kept.to)}],
        "startsAt": _text(context.timescale.to_wall(kept.alert.starts_at)),
        "status": {"inhibitedBy": [], "silencedBy": list(by), "mutedBy": [], "state": state},
        "updatedAt": _text(context.timescale.to_wall(kept.received_at)),
        "generatorURL": kept.alert.generator_url,
        "labels": kept.alert.labels,
    }


def _shown(each: Silence, context: Context) -> dict[str, Any]:
    matchers = [{"name": m.name, "value": m.value, "isRegex": m.is_regex, "isEqual": m.is_equal} for m in each.matchers]
    return {
        "id": each.id,
        "status": {"state": each.state(context.clock.now()).value},
        "updatedAt": _text(context.timescale.to_wall(each.updated_at)),
        "comment": each.comment,
        "createdBy": each.created_by,
        "startsAt": _text(context.timescale.to_wall(each.starts_at)),
        "endsAt": _text(context.timescale.to_wall(each.ends_at)),
        "matchers": matchers,
    }


def _group_labels(to: Destination) -> dict[str, str]:
    labels = {"bongsu_service": to.service, "bongsu_policy": to.policy} if to.service else {}
    return labels | dict(pair.split("=", 1) for pair in to.group.split(", ") if "=" in pair)


def _text(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def complain(_: _Request, error: BongsuError | HTTPException) -> Response[bytes]:
    """What is wrong, in Alertmanager's form: the sentence alone as a JSON string."""
    if isinstance(error, HTTPException):
        said, code = error.detail, error.status_code
    else:
        said, code = str(error), status_of(error)
    return Response(msgspec.json.encode(said), status_code=code, media_type="application/json")


alertmanager_router = Router(
    "/api/v2",
    request_max_body_size=MANY_ALERTS,
    exception_handlers={BongsuError: complain, HTTPException: complain},
    route_handlers=[
        post_alerts, list_alerts, list_groups, list_silences, post_silence, show_silence, delete_silence,
        list_receivers, status,
    ],
)  # fmt: skip
