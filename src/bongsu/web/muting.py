"""Maintenance, silences with a preview, and handing an incident over: the API."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Any

import msgspec
from litestar import Router, get, post
from litestar.datastructures import State
from litestar.params import FromPath, JSONBody

from bongsu.core.errors import InvalidInput
from bongsu.core.maintenance import Maintenance
from bongsu.core.muting import to_confirm
from bongsu.core.silence import Silence
from bongsu.engine import command, maintenance, silence
from bongsu.engine.context import Context
from bongsu.web.api import view


class AskedMaintenance(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A maintenance to keep; it begins ``starts_at`` (now if not given). Either ``minutes`` or ``ends_at``."""

    service: str
    by: str
    why: str
    policy: str | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    minutes: float | None = None
    also: list[str] = []


class AskedSilence(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A silence to keep. ``shown``: the fingerprints that the preview showed; ``confirm``: mute more than that."""

    matchers: list[str]
    by: str = ""
    why: str = ""
    minutes: float = 60.0
    shown: list[str] = []
    confirm: bool = False


class HandOver(msgspec.Struct, kw_only=True):
    """To whom: ``person:x`` or ``team:x``."""

    to: str
    by: str = "api"


@get("/api/maintenances", opt={"right": "viewer"}, sync_to_thread=True)
def list_maintenances(state: State) -> list[dict[str, Any]]:
    """Maintenances that hold, are planned, or ended in the last days."""
    return [_shown(each, state.context) for each in maintenance.listed(state.context)]


@post("/api/maintenances", opt={"right": "responder"}, sync_to_thread=True)
def keep_maintenance(state: State, data: JSONBody[AskedMaintenance]) -> dict[str, Any]:
    """Begin or plan a maintenance."""
    context: Context = state.context
    begins = _service_time(context, data.starts_at, "starts_at") or context.clock.now()
    ends = _service_time(context, data.ends_at, "ends_at")
    if (ends is None) == (data.minutes is None):
        raise InvalidInput(["say either minutes or ends_at; a maintenance has an end"])
    ends = ends or begins + _span(data.minutes or 0.0)
    asked = Maintenance("", data.service, begins, ends, data.by, data.why, data.policy, tuple(data.also))
    return _shown(maintenance.keep(context, asked), context)


@post(
    "/api/maintenances/{maintenance_id:str}/end",
    opt={"right": "responder"}, status_code=200, sync_to_thread=True,
)  # fmt: skip
def end_maintenance(state: State, maintenance_id: FromPath[str]) -> dict[str, Any]:
    """End one now, or call it off."""
    return _shown(maintenance.end(state.context, maintenance_id), state.context)


@post("/api/silences/preview", opt={"right": "viewer"}, status_code=200, sync_to_thread=True)
def preview_silence(state: State, data: JSONBody[AskedSilence]) -> dict[str, Any]:
    """What a silence would mute: what fires now, and the incidents of the last week."""
    context: Context = state.context
    matchers = silence.matchers_of(data.matchers)
    found = silence.preview(context, matchers)
    return {
        "alerts": [{"fingerprint": kept.fingerprint, "labels": dict(kept.alert.labels)} for kept in found.firing],
        "incidents": [
            {"id": each.id, "service": each.service, "status": each.status, "page": context.page_of(each.id)}
            for each in found.incidents
        ],
        "services": list(found.services),
        "confirm": to_confirm(matchers, (), ()),
    }


@post("/api/silences", opt={"right": "responder"}, sync_to_thread=True)
def add_silence(state: State, data: JSONBody[AskedSilence]) -> dict[str, str]:
    """Begin a silence; refused when it mutes more than was shown, unless confirmed."""
    context: Context = state.context
    now = context.clock.now()
    matchers = silence.matchers_of(data.matchers)
    asked = Silence(str(uuid.uuid4()), matchers, now, now + _span(data.minutes), data.by, data.why, now)
    return {"id": silence.add(context, asked, data.shown, confirmed=data.confirm).id}


@post(
    "/api/silences/{silence_id:str}/expire",
    opt={"right": "responder"}, status_code=200, sync_to_thread=True,
)  # fmt: skip
def expire_silence(state: State, silence_id: FromPath[str]) -> dict[str, str]:
    """End a silence now."""
    return {"id": silence.end(state.context, silence_id).id}


@post(
    "/api/incidents/{incident_id:str}/reassign",
    opt={"right": "responder"}, status_code=200, sync_to_thread=True,
)  # fmt: skip
def reassign(state: State, incident_id: FromPath[str], data: JSONBody[HandOver]) -> dict[str, Any]:
    """Hand an incident over."""
    return view(command.reassign(state.context, incident_id, data.by, data.to), state.context)


def _service_time(context: Context, at: datetime | None, name: str) -> datetime | None:
    if at is not None and at.tzinfo is None:
        raise InvalidInput([f"{name} needs a time zone; write 2026-01-05T09:00:00+09:00"])
    return context.timescale.to_service(at) if at is not None else None


def _span(minutes: float) -> timedelta:
    return timedelta(minutes=minutes) if abs(minutes) < 1e6 else timedelta(0)


def _shown(each: Maintenance, context: Context) -> dict[str, Any]:
    shown: dict[str, Any] = msgspec.to_builtins(each)
    return {**shown, "state": each.state(context.clock.now()).value}


muting_router = Router(
    "/",
    route_handlers=[
        list_maintenances, keep_maintenance, end_maintenance, preview_silence, add_silence, expire_silence, reassign,
    ],
)  # fmt: skip
