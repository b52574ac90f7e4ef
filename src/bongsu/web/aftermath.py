"""The API of what comes after an incident: written reports, action items, the review, lessons."""

from __future__ import annotations

from datetime import date
from typing import Any

import msgspec
from litestar import Router, get, post
from litestar.datastructures import State
from litestar.params import FromPath, FromQuery, JSONBody

from bongsu.engine import followup, replay, review
from bongsu.engine.context import Context
from bongsu.store import items
from bongsu.web.api import By
from bongsu.web.review import FORTNIGHTLY

WRITES: Any = {"opt": {"right": "responder"}, "sync_to_thread": True}
"""What every handler that changes something shares."""


class Texts(By):
    """The written sections in Markdown, over which edition (0: none)."""

    texts: dict[str, str] = msgspec.field(default_factory=dict)
    tags: list[str] = msgspec.field(default_factory=list)
    based_on: int = 0


class Number(By):
    """Which edition."""

    number: int = 0


class Targets(By):
    """person:X and team:X."""

    to: list[str] = msgspec.field(default_factory=list)


class NewItem(By, kw_only=True):
    """What is to be done, by whom (person:X, team:X), until when."""

    text: str
    owner: str
    due: date


class Result(By):
    """How it ended."""

    result: str = ""


class Ids(By):
    """Which incidents."""

    ids: list[str] = msgspec.field(default_factory=list)


@get("/api/incidents/{incident_id:str}/written", opt={"right": "viewer"}, sync_to_thread=True)
def show_written(state: State, incident_id: FromPath[str]) -> dict[str, Any]:
    """What people have added to a report."""
    found: dict[str, Any] = msgspec.to_builtins(followup.written(state.context, incident_id))
    return found


@post("/api/incidents/{incident_id:str}/written", status_code=200, **WRITES)
def write(state: State, incident_id: FromPath[str], data: JSONBody[Texts]) -> dict[str, Any]:
    """Keep what somebody wrote, merged with what was written meanwhile."""
    made = followup.edit(state.context, incident_id, data.by, data.texts, data.tags, data.based_on)
    found: dict[str, Any] = msgspec.to_builtins(made)
    return found


@post("/api/incidents/{incident_id:str}/approve", status_code=200, **WRITES)
def approve(state: State, incident_id: FromPath[str], data: JSONBody[Number]) -> dict[str, Any]:
    """Declare an edition final."""
    found: dict[str, Any] = msgspec.to_builtins(followup.approve(state.context, incident_id, data.by, data.number))
    return found


@post("/api/incidents/{incident_id:str}/withdraw", status_code=204, **WRITES)
def withdraw(state: State, incident_id: FromPath[str], data: JSONBody[By]) -> None:
    """Take the approval back."""
    followup.withdraw(state.context, incident_id, data.by)


@post("/api/incidents/{incident_id:str}/share", status_code=202, **WRITES)
def share(state: State, incident_id: FromPath[str], data: JSONBody[Targets]) -> dict[str, int]:
    """Mail the report."""
    return {"mails": followup.share(state.context, incident_id, data.by, data.to)}


@post("/api/incidents/{incident_id:str}/items", status_code=201, **WRITES)
def add_item(state: State, incident_id: FromPath[str], data: JSONBody[NewItem]) -> dict[str, Any]:
    """Promise something."""
    made = followup.add_item(state.context, incident_id, data.by, data.text, data.owner, data.due)
    found: dict[str, Any] = msgspec.to_builtins(made)
    return found


@get("/api/items", opt={"right": "viewer"}, sync_to_thread=True)
def list_items(state: State) -> list[dict[str, Any]]:
    """Open action items, the one due first coming first."""
    context: Context = state.context
    return [msgspec.to_builtins(each) for each in context.db.read(items.waiting)]


@post("/api/items/{item_id:int}/done", status_code=200, **WRITES)
def finish_item(state: State, item_id: FromPath[int], data: JSONBody[Result]) -> dict[str, Any]:
    """It is done."""
    made = followup.finish_item(state.context, item_id, data.by, data.result)
    found: dict[str, Any] = msgspec.to_builtins(made)
    return found


@get("/api/incidents/{incident_id:str}/replay", opt={"right": "viewer"}, sync_to_thread=True)
def show_replay(state: State, incident_id: FromPath[str]) -> dict[str, Any]:
    """An incident's record, from which it can be played again."""
    found: dict[str, Any] = msgspec.to_builtins(replay.record(state.context, incident_id))
    return found


@get("/api/review", opt={"right": "viewer"}, sync_to_thread=True)
def show_review(state: State) -> dict[str, Any]:
    """The agenda of the next review."""
    context: Context = state.context
    found: dict[str, Any] = msgspec.to_builtins(review.collect(context, context.meeting or FORTNIGHTLY))
    return found


@post("/api/review/close", status_code=200, **WRITES)
def close_review(state: State, data: JSONBody[Ids]) -> dict[str, list[str]]:
    """Take incidents off the agenda."""
    return {"reviewed": [each.id for each in review.close(state.context, data.ids, data.by)]}


@get("/api/lessons", opt={"right": "viewer"}, sync_to_thread=True)
def list_lessons(state: State, q: FromQuery[str] = "", tag: FromQuery[str] = "") -> list[dict[str, Any]]:
    """Written reports that hold these words and this tag."""
    return [msgspec.to_builtins(each) for each in review.lessons(state.context, q.split(), [tag] if tag else [])]


aftermath_router = Router(
    "/",
    route_handlers=[
        show_written,
        write,
        approve,
        withdraw,
        share,
        add_item,
        list_items,
        finish_item,
        show_replay,
        show_review,
        close_review,
        list_lessons,
    ],
)
