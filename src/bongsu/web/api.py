"""The API for programs: incidents out, commands with a token."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
from litestar import Router, get, post
from litestar.datastructures import State
from litestar.params import FromPath, FromQuery, JSONBody

from bongsu.core.incident import Incident
from bongsu.engine import command, impact, report
from bongsu.engine.context import Context
from bongsu.store import actions, incidents, outbox, timeline

VIEWER, RESPONDER = {"right": "viewer"}, {"right": "responder"}


@get("/api/incidents", sync_to_thread=True, opt=VIEWER)
def list_incidents(
    state: State, service: FromQuery[str | None] = None, status: FromQuery[str | None] = None
) -> list[dict[str, Any]]:
    """Incidents, the newest first."""
    context: Context = state.context
    found = context.db.read(lambda tx: incidents.search(tx, service=service, status=status))
    return [view(each, context) for each in found]


@get("/api/incidents/{incident_id:str}", sync_to_thread=True, opt=VIEWER)
def show_incident(state: State, incident_id: FromPath[str]) -> dict[str, Any]:
    """One incident with its timeline, deliveries and actions."""
    context: Context = state.context
    incident, lines, messages, acts = context.db.read(
        lambda tx: (
            incidents.load(tx, incident_id),
            timeline.of(tx, incident_id),
            outbox.of(tx, incident_id),
            actions.of(tx, incident_id),
        )
    )
    return {
        **view(incident, context),
        "timeline": msgspec.to_builtins(lines),
        "deliveries": msgspec.to_builtins(messages),
        "actions": msgspec.to_builtins(acts),
    }


@get("/api/incidents/{incident_id:str}/report", sync_to_thread=True, opt=VIEWER)
def show_report(state: State, incident_id: FromPath[str]) -> dict[str, Any]:
    """An incident's report as facts."""
    found: dict[str, Any] = msgspec.to_builtins(report.collect(state.context, incident_id))
    return found


def view(incident: Incident, context: Context) -> dict[str, Any]:
    """An incident as JSON, with the address of its page and its elapsed seconds."""
    shown: dict[str, Any] = msgspec.to_builtins(incident)
    return {**shown, "elapsed_s": incident.seen.elapsed.total_seconds(), "page": context.page_of(incident.id)}


class By(msgspec.Struct):
    """Who asks."""

    by: str = "api"


@post("/api/incidents/{incident_id:str}/acknowledge", status_code=200, sync_to_thread=True, opt=RESPONDER)
def acknowledge(state: State, incident_id: FromPath[str], data: JSONBody[By]) -> dict[str, Any]:
    """Take an incident."""
    return view(command.acknowledge(state.context, incident_id, data.by), state.context)


class Snooze(By):
    """For how long the next tiers wait."""

    minutes: float = 60.0


class Escalate(By, kw_only=True):
    """Which tier is to know, from 1."""

    tier: int


@post("/api/incidents/{incident_id:str}/snooze", status_code=200, sync_to_thread=True, opt=RESPONDER)
def snooze(state: State, incident_id: FromPath[str], data: JSONBody[Snooze]) -> dict[str, Any]:
    """Take an incident and let the next tiers wait."""
    minutes = data.minutes if abs(data.minutes) < 1e6 else 0.0
    return view(command.snooze(state.context, incident_id, data.by, timedelta(minutes=minutes)), state.context)


@post("/api/incidents/{incident_id:str}/escalate", status_code=200, sync_to_thread=True, opt=RESPONDER)
def escalate(state: State, incident_id: FromPath[str], data: JSONBody[Escalate]) -> dict[str, Any]:
    """Tell a tier now."""
    return view(command.escalate(state.context, incident_id, data.by, data.tier), state.context)


class Triage(By, kw_only=True):
    """Urgent or not, and why."""

    urgent: bool
    why: str


@post(
    "/api/incidents/{incident_id:str}/triage",
    status_code=200,
    sync_to_thread=True,
    opt=RESPONDER,
)
def triage(state: State, incident_id: FromPath[str], data: JSONBody[Triage]) -> dict[str, Any]:
    """Judge an incident: urgent tells the department at once, not urgent puts it onto the next review's agenda."""
    judged = command.triage(state.context, incident_id, data.by, urgent=data.urgent, why=data.why)
    return view(judged, state.context)


@get("/api/agenda", sync_to_thread=True, opt=VIEWER)
def agenda(state: State) -> list[dict[str, Any]]:
    """Incidents that were judged not urgent and wait for the next review, the oldest first."""
    context: Context = state.context
    return [view(each, context) for each in context.db.read(incidents.agenda)]


@get("/api/incidents/{incident_id:str}/impact", sync_to_thread=True, opt=VIEWER)
def show_impact(state: State, incident_id: FromPath[str]) -> dict[str, Any]:
    """Who was hurt by an incident, counted from the access log, with the script that counted."""
    found: dict[str, Any] = msgspec.to_builtins(impact.of_incident(state.context, incident_id))
    return found


@post("/api/incidents/{incident_id:str}/resolve", status_code=200, sync_to_thread=True, opt=RESPONDER)
def resolve(state: State, incident_id: FromPath[str], data: JSONBody[By]) -> dict[str, Any]:
    """Declare an incident over."""
    return view(command.resolve(state.context, incident_id, data.by), state.context)


@post("/api/incidents/{incident_id:str}/scale-out", status_code=202, sync_to_thread=True, opt=RESPONDER)
def scale_out(state: State, incident_id: FromPath[str], data: JSONBody[By]) -> dict[str, Any]:
    """Ask for the machines that are needed."""
    return {"machines": list(command.scale_out(state.context, incident_id, data.by))}


api_router = Router(
    "/",
    route_handlers=[
        list_incidents, show_incident,
        show_report, show_impact, triage, agenda,
        acknowledge, snooze, escalate, resolve, scale_out,
    ],
)  # fmt: skip
