"""The services' data in care: the last verification with its damaged rows, the backups and their proof."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from litestar import Request, Response, Router, get
from litestar.datastructures import State
from litestar.params import FromPath, FromQuery

from bongsu.core.backups import Backup
from bongsu.core.errors import BongsuError, NotFound
from bongsu.core.recovery import Check
from bongsu.engine.context import Context
from bongsu.render.words import Words
from bongsu.store import data, incidents
from bongsu.web.pages import ERROR_PAGES, page, words_of

ON_THE_PAGE = 20
"""Damaged rows of an invariant that the page shows; the file has all that are kept."""
_FORMULA = ("=", "+", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class Care:
    """What is known of one service's data. ``trouble``: why the backups could not be looked at."""

    name: str
    check: Check | None
    jobs: tuple[data.Job, ...]
    backups: tuple[Backup, ...] = ()
    trouble: str = ""

    @property
    def proven(self) -> Backup | None:
        """The newest backup that was restored and held."""
        return next((each for each in self.backups if each.verified_at is not None), None)


def _care(context: Context, name: str, incident_id: str) -> Care:
    check, jobs = context.db.read(
        lambda tx: (
            data.of_incident(tx, incident_id) if incident_id else data.latest(tx, name),
            tuple(each for each in data.jobs(tx) if each.name == name),
        )
    )
    try:
        return Care(name, check, jobs, tuple(context.data[name].data.backups()))
    except (BongsuError, OSError) as error:
        return Care(name, check, jobs, trouble=str(error))


def _asked(context: Context, incident_id: str) -> list[Care]:
    """Every service's data, or that of an incident's service as it was verified then. Raises NotFound."""
    if not incident_id:
        return [_care(context, name, "") for name in sorted(context.data)]
    incident = context.db.read(lambda tx: incidents.load(tx, incident_id))
    return [_care(context, incident.service, incident_id)] if incident.service in context.data else []


def _backup_row(each: Backup, w: Words, now: datetime) -> tuple[str, str, str, str, str]:
    """File, age, size, proof, and how long restoring took."""
    proof = w.gettext("not restored yet")
    if each.fault:
        proof = each.fault
    elif each.verified_at is not None:
        age = w.duration(now - each.verified_at)
        held = each.holding or (0, 0)
        proof = w.gettext("restored %(age)s ago, %(n)s of %(of)s invariants held", age=age, n=held[0], of=held[1])
    size = f"{each.size / 2**20:.1f} MiB" if each.size >= 2**20 else f"{each.size / 2**10:.0f} KiB"
    took = w.duration(each.restored_in) if each.restored_in is not None else ""
    return each.file, w.duration(now - each.taken_at), size, proof, took


@get("/data", opt={"right": "viewer"}, sync_to_thread=True)
def show_data(request: Request[Any, Any, Any], state: State, incident: FromQuery[str] = "") -> Response[str]:
    """Whether the data is right, and what it could be put right from."""
    context: Context = state.context
    w, now, near = words_of(request), context.wall.now(), context.clock.now()
    cares = _asked(context, incident)
    values = {
        "incident_id": incident,
        "query": f"?incident={incident}" if incident else "",
        "cares": [
            {
                "care": each,
                "checked": w.time(each.check.at, near=near, seconds=True) if each.check else "",
                "backups": [_backup_row(backup, w, now) for backup in each.backups],
                "point": w.duration(now - each.proven.taken_at) if each.proven else "",
                "time": w.duration(each.proven.restored_in or 0) if each.proven else "",
                "faults": [f"{job.kind}: {job.fault}" for job in each.jobs if job.fault],
            }
            for each in cares
        ],
        "most": ON_THE_PAGE,
    }
    return page(request, "data.html", values)


@get("/data/{name:str}/damaged.csv", opt={"right": "viewer"}, sync_to_thread=True)
def export(state: State, name: FromPath[str], incident: FromQuery[str] = "") -> Response[bytes]:
    """The damaged rows: a line for each value, so that invariants of any columns fit into one file."""
    context: Context = state.context
    care = next((each for each in _asked(context, incident) if each.name == name), None)
    if care is None or care.check is None:
        raise NotFound(f"the data of {name!r} was not verified; known: {', '.join(sorted(context.data)) or 'none'}")
    text = io.StringIO()
    out = csv.writer(text)
    out.writerow(["invariant", "key", "column", "value"])
    for each in care.check.listed:
        places = [each.columns.index(column) for column in each.key]
        for row in each.rows:
            key = ", ".join(f"{each.columns[place]} {row[place]}" for place in places)
            for column, value in zip(each.columns, row, strict=True):
                out.writerow([each.name, _harmless(key), column, _harmless(value)])
    headers = {"Content-Disposition": f'attachment; filename="damaged-{name}.csv"', "Cache-Control": "no-store"}
    return Response(text.getvalue().encode(), media_type="text/csv; charset=utf-8", headers=headers)


def _harmless(value: str) -> str:
    """A text that no spreadsheet takes for a formula."""
    return f"'{value}" if value.startswith(_FORMULA) else value


@get("/api/data", opt={"right": "viewer"}, sync_to_thread=True)
def list_data(state: State, incident: FromQuery[str] = "") -> list[dict[str, Any]]:
    """The same as JSON: the last verification with its damaged rows, the jobs, the backups and their proof."""
    return [
        {**msgspec.to_builtins(each), "proven": each.proven.file if each.proven else None}
        for each in _asked(state.context, incident)
    ]


data_router = Router("/", route_handlers=[show_data, export], exception_handlers=ERROR_PAGES, include_in_schema=False)
data_api = Router("/", route_handlers=[list_data])
