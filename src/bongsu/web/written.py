"""Writing, approving and sharing a report, and its action items: the pages."""

from __future__ import annotations

from datetime import date
from typing import Any

import msgspec
from litestar import Controller, Request, Response, Router, get, post
from litestar.datastructures import State
from litestar.params import FromPath, URLEncodedBody
from litestar.response import Redirect

from bongsu.core.errors import InvalidInput
from bongsu.core.followup import tags_of
from bongsu.engine import followup
from bongsu.engine import report as reports
from bongsu.engine.context import Context
from bongsu.render.followup import item_row, section_words
from bongsu.render.pdf import pdf
from bongsu.render.reports import report_html
from bongsu.store import editions, incidents
from bongsu.web.pages import ERROR_PAGES, asked_locale, page, words_of
from bongsu.web.rights import named


class Text(msgspec.Struct):
    """What the form of a report sends; the sections go by their names."""

    by: str = ""
    based_on: int = 0
    tags: str = ""
    summary: str = ""
    cause: str = ""
    went_well: str = ""
    went_badly: str = ""
    lucky: str = ""
    lessons: str = ""


class Approve(msgspec.Struct):
    """Which edition, by whom."""

    by: str = ""
    number: int = 0


class NewItem(msgspec.Struct):
    """What is to be done, by whom, until when."""

    by: str = ""
    text: str = ""
    owner: str = ""
    due: str = ""


class Done(msgspec.Struct):
    """How it ended."""

    by: str = ""
    result: str = ""


class Share(msgspec.Struct):
    """With whom; targets apart by spaces."""

    by: str = ""
    to: str = ""


def day(text: str) -> date:
    """A date from a form. Raises InvalidInput."""
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        raise InvalidInput([f"{text!r} is no date; write it as 2026-03-31"]) from None


class Writing(Controller):
    """One report's written parts."""

    path = "/incidents/{incident_id:str}"
    opt = {"right": "responder"}  # noqa: RUF012 - Litestar reads it from the class

    @get("/report/edit", opt={"right": "viewer"}, sync_to_thread=True)
    def show(self, request: Request[Any, Any, Any], state: State, incident_id: FromPath[str]) -> Response[str]:
        """What stands there, in a form."""
        context: Context = state.context
        there = followup.written(context, incident_id)
        incident, history = context.db.read(lambda tx: (incidents.load(tx, incident_id), editions.of(tx, incident_id)))
        w = words_of(request)
        now = context.clock.now()
        people, teams = (
            sorted(context.directory.people.values(), key=lambda p: p.name),
            context.directory.teams.values(),
        )
        values = {
            "incident": incident,
            "there": there,
            "sections": [(name, title, there.text(name)) for name, title in section_words(w).items()],
            "number": there.edition.number if there.edition else 0,
            "tags": " ".join(there.edition.tags) if there.edition else "",
            "both": [title for name, title in section_words(w).items() if there.edition and name in there.edition.both],
            "approved": there.approval is not None,
            "approved_by": there.approval.by if there.approval else "",
            "items": [(item, item_row(item, w, context.directory)) for item in there.items],
            "history": [(each.number, each.by, w.time(each.at, near=now)) for each in reversed(history)],
            "targets": [(f"person:{p.id}", p.name) for p in people] + [(f"team:{t.id}", t.name) for t in teams],
        }
        return page(request, "written.html", values)

    @post("/report/edit", sync_to_thread=True)
    def save(
        self, request: Request[Any, Any, Any], state: State, incident_id: FromPath[str], data: URLEncodedBody[Text]
    ) -> Redirect:
        """Keep what was written."""
        texts = {name: getattr(data, name) for name in section_words(words_of(request))}
        followup.edit(state.context, incident_id, named(request, data.by), texts, tags_of(data.tags), data.based_on)
        return _back(request, incident_id)

    @post("/report/approve", sync_to_thread=True)
    def approve(
        self, request: Request[Any, Any, Any], state: State, incident_id: FromPath[str], data: URLEncodedBody[Approve]
    ) -> Redirect:
        """Declare it final."""
        followup.approve(state.context, incident_id, named(request, data.by), data.number)
        return _back(request, incident_id)

    @post("/report/withdraw", sync_to_thread=True)
    def withdraw(
        self, request: Request[Any, Any, Any], state: State, incident_id: FromPath[str], data: URLEncodedBody[Approve]
    ) -> Redirect:
        """Let it be changed again."""
        followup.withdraw(state.context, incident_id, named(request, data.by))
        return _back(request, incident_id)

    @post("/report/share", sync_to_thread=True)
    def share(
        self, request: Request[Any, Any, Any], state: State, incident_id: FromPath[str], data: URLEncodedBody[Share]
    ) -> Redirect:
        """Mail it to people and teams."""
        followup.share(state.context, incident_id, named(request, data.by), data.to.split())
        return _back(request, incident_id)

    @post("/items", sync_to_thread=True)
    def add(
        self, request: Request[Any, Any, Any], state: State, incident_id: FromPath[str], data: URLEncodedBody[NewItem]
    ) -> Redirect:
        """Promise something."""
        followup.add_item(state.context, incident_id, named(request, data.by), data.text, data.owner, day(data.due))
        return _back(request, incident_id)

    @post("/items/{item_id:int}/done", sync_to_thread=True)
    def done(
        self,
        request: Request[Any, Any, Any],
        state: State,
        incident_id: FromPath[str],
        item_id: FromPath[int],
        data: URLEncodedBody[Done],
    ) -> Redirect:
        """It is done."""
        followup.finish_item(state.context, item_id, named(request, data.by), data.result)
        return _back(request, incident_id)

    @get("/report.pdf", opt={"right": "viewer"}, sync_to_thread=True)
    def as_pdf(self, request: Request[Any, Any, Any], state: State, incident_id: FromPath[str]) -> Response[bytes]:
        """The report as PDF."""
        context: Context = state.context
        w = words_of(request)
        found = reports.collect(context, incident_id)
        html = report_html(found, w.locale, w.zone, followup.written(context, incident_id))
        headers = {"Content-Disposition": f'inline; filename="incident-{incident_id}.pdf"', "Cache-Control": "no-store"}
        return Response(pdf(html), media_type="application/pdf", headers=headers)


def _back(request: Request[Any, Any, Any], incident_id: str) -> Redirect:
    asked = asked_locale(request)
    to = f"/incidents/{incident_id}/report/edit"
    return Redirect(f"{to}?lang={asked}" if asked else to, status_code=303)


written_router = Router("/", route_handlers=[Writing], exception_handlers=ERROR_PAGES, include_in_schema=False)
