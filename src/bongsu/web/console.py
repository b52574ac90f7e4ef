"""The console: what burns, how it stands, and its report. It only shows; acting is behind the links in mails."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from litestar import Controller, Request, Response, Router, get
from litestar.datastructures import State
from litestar.params import FromPath
from litestar.response import Redirect

from bongsu.core.incident import Incident, Kind, Status
from bongsu.core.report import Act, Report
from bongsu.engine import followup
from bongsu.engine import report as reports
from bongsu.engine.context import Context
from bongsu.render import situation
from bongsu.render.charts import charts_of
from bongsu.render.particulars import particulars
from bongsu.render.reports import Told, report_html, report_md, style_hash
from bongsu.render.terms import delivery_word, kind_word, status_word
from bongsu.render.timeline import timeline_words
from bongsu.render.words import Words
from bongsu.store import actions, incidents, outbox, timeline
from bongsu.store.outbox import Attempt, Message
from bongsu.web.pages import ERROR_PAGES, asked_locale, html_response, page, static_router, words_of

REFRESH_S = 10
"""How often an open incident's page loads itself anew, in wall time."""
CHARTS_FOR = timedelta(seconds=8)
"""How long charts are shown again before the metrics store is asked anew, in wall time, however many look on."""
OPEN = (Status.TRIGGERED, Status.ACKNOWLEDGED, Status.MITIGATED)


@dataclass
class Recent:
    """Reports made a moment ago, so that many readers cost one query; one reader makes it, the others wait."""

    kept: dict[str, tuple[datetime, Report]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def get(self, key: str, now: datetime, make: Callable[[], Report]) -> Report:
        """The one made less than ``CHARTS_FOR`` ago, or a new one."""
        with self.lock:
            self.kept = {k: v for k, v in self.kept.items() if now - v[0] < CHARTS_FOR}
            if key not in self.kept:
                self.kept[key] = (now, make())
            return self.kept[key][1]


_RECENT = Recent()
"""One for the process; its keys tell apart the databases of tests."""


@dataclass(frozen=True, slots=True)
class Line:
    """An incident in the list."""

    incident: Incident
    what: str
    status: str
    since: str
    elapsed: str
    who: str


def fires(found: Sequence[Incident]) -> int:
    """How many beacons burn: one for peace, five for battle."""
    return max((_fires(incident) for incident in found if incident.open), default=1)


def _fires(incident: Incident) -> int:
    if incident.status is Status.MITIGATED:
        return 2
    if incident.status is Status.ACKNOWLEDGED:
        return 3
    tiers = [told.level for told in incident.told if told.kind is Kind.TIER]
    grave = incident.seen.throttled or incident.seen.high or max(tiers, default=0) >= 3
    return 5 if grave else 4


def began(incident: Incident) -> datetime:
    """When the breach began, as far as the incident itself knows."""
    return incident.seen.since or incident.opened_at


def line(incident: Incident, w: Words, now: datetime) -> Line:
    """An incident in the list, in words."""
    s = situation.situation_of(incident)
    elapsed = incident.seen.elapsed
    return Line(
        incident=incident,
        what=situation.summary(s, w) if incident.open else situation.past(s, w),
        status=status_word(incident.status, w),
        since=w.time(began(incident), near=now),
        elapsed=w.duration(elapsed) if elapsed else "–",
        who=incident.ack.by if incident.ack else "",
    )


class Console(Controller):
    """Pages for everyone who may reach this address."""

    path = "/incidents"
    opt = {"right": "viewer"}  # noqa: RUF012 - Litestar reads it from the class

    @get("/", sync_to_thread=True)
    def list_incidents(self, request: Request[Any, Any, Any], state: State) -> Response[str]:
        """Every open incident, and the latest others."""
        context: Context = state.context
        found = context.db.read(
            lambda tx: (
                [each for status in OPEN for each in incidents.search(tx, status=status)]
                + [each for each in incidents.search(tx) if not each.open]
            )
        )
        w, now = words_of(request), context.clock.now()
        burning = sorted((each for each in found if each.open), key=lambda each: each.opened_at)
        values = {
            "fires": fires(burning),
            "burning": [line(each, w, now) for each in burning],
            "past": [line(each, w, now) for each in found if not each.open][:50],
            "services": sorted(context.services),
            "now": w.time(now, near=now, seconds=True),
            "refresh": REFRESH_S,
            "away": context.relay.outage,
        }
        return page(request, "incidents.html", values)

    @get("/{incident_id:str}", sync_to_thread=True)
    def show_incident(self, request: Request[Any, Any, Any], state: State, incident_id: FromPath[str]) -> Response[str]:
        """One incident: what is wrong, what to do first, and everything that was done."""
        context: Context = state.context
        incident, entries, messages, acts = context.db.read(
            lambda tx: (
                incidents.load(tx, incident_id),
                timeline.of(tx, incident_id),
                outbox.of(tx, incident_id),
                actions.of(tx, incident_id),
            )
        )
        tries = context.db.read(lambda tx: outbox.attempts_of(tx, [message.id for message in messages]))
        w, now = words_of(request), context.clock.now()
        found = _RECENT.get(
            f"{id(context.db)} {incident_id} {incident.open}",
            context.wall.now(),
            lambda: reports.collect(context, incident_id),
        )
        told, charts = Told(found, w), charts_of(found, w)
        s = situation.situation_of(incident)
        values = {
            "fires": _fires(incident) if incident.open else 1,
            "incident": incident,
            "status": status_word(incident.status, w),
            "what": situation.what(s, w),
            "since": w.time(found.started_at, near=now, seconds=True),
            "ended": w.time(found.ended_at, near=now, seconds=True) if found.ended_at else "",
            "first": situation.first(s, w),
            "notes": situation.notes(s, w),
            "rows": particulars(s, w, trace_too=not charts),
            "elapsed": w.duration(incident.seen.elapsed) if incident.seen.elapsed else "–",
            "charts": charts,
            "counted": incident.service in context.logs,
            "in_care": incident.service in context.data,
            "unknown": told.unknown,
            "entries": [
                (w.time(e.at, near=now, seconds=True), timeline_words(e, w.locale, w)) for e in reversed(entries)
            ],
            "deliveries": [_delivery(message, tries[message.id], w, now) for message in messages],
            "actions": [told.act(act_of(each)) for each in acts],
            "refresh": REFRESH_S if incident.open else None,
        }
        return page(request, "incident.html", values)

    @get("/{incident_id:str}/report", sync_to_thread=True)
    def show_report(self, request: Request[Any, Any, Any], state: State, incident_id: FromPath[str]) -> Response[str]:
        """The report, as a page that prints."""
        w = words_of(request)
        there = followup.written(state.context, incident_id)
        html = report_html(reports.collect(state.context, incident_id), w.locale, w.zone, there)
        return html_response(html, w.locale, style=style_hash())

    @get("/{incident_id:str}/report.md", sync_to_thread=True)
    def download_report(
        self, request: Request[Any, Any, Any], state: State, incident_id: FromPath[str]
    ) -> Response[str]:
        """The report, as Markdown."""
        w = words_of(request)
        there = followup.written(state.context, incident_id)
        text = report_md(reports.collect(state.context, incident_id), w.locale, w.zone, there)
        return Response(text, media_type="text/markdown; charset=utf-8", headers={"Cache-Control": "no-store"})


def act_of(action: actions.Action) -> Act:
    """An action as reports show it."""
    return Act(
        kind=action.kind,
        machine=action.machine,
        by=action.requested_by,
        requested_at=action.requested_at,
        finished_at=action.finished_at,
        state=action.state,
        result=action.result or "",
    )


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message in the list of deliveries. ``tries``: every attempt, as time and answer."""

    at: str
    elapsed: str
    kind: str
    to: str
    address: str
    state: str
    word: str
    answer: str
    tries: tuple[tuple[str, str], ...]


def _delivery(message: Message, tries: Sequence[Attempt], w: Words, now: datetime) -> Delivery:
    elapsed = message.facts.get("elapsed_s")
    told = isinstance(elapsed, int | float) and elapsed > 0 and message.kind != Kind.RESOLVED
    return Delivery(
        at=w.time(message.decided_at, near=now, seconds=True),
        elapsed=w.duration(float(elapsed)) if told and isinstance(elapsed, int | float) else "",
        kind=kind_word(message.kind, message.level, w),
        to=message.recipient.name,
        address=message.recipient.address,
        state=message.state,
        word=delivery_word(message.state, w),
        answer=message.answer or "",
        tries=tuple((w.time(t.at, seconds=True), f"{t.outcome} {t.answer}".strip()) for t in tries),
    )


@get("/", sync_to_thread=False, opt={"right": "viewer"})
def home(request: Request[Any, Any, Any]) -> Redirect:
    """The console begins with its incidents."""
    asked = asked_locale(request)
    return Redirect(f"/incidents?lang={asked}" if asked else "/incidents")


console_router = Router(
    "/",
    route_handlers=[home, Console, static_router()],
    exception_handlers=ERROR_PAGES,
    include_in_schema=False,
)
