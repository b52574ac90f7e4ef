"""The review's agenda, and the lessons of all incidents: the pages."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from litestar import Request, Response, Router, get, post
from litestar.datastructures import State
from litestar.params import FromQuery, URLEncodedBody
from litestar.response import Redirect

from bongsu.core.review import Meeting
from bongsu.engine import review
from bongsu.engine.context import Context
from bongsu.render.followup import alarm_why, drill_row, item_row, markdown, pace_rows, section_words
from bongsu.web.console import line
from bongsu.web.pages import ERROR_PAGES, asked_locale, page, words_of
from bongsu.web.rights import named

FORTNIGHTLY = Meeting(timedelta(days=14), datetime(2026, 1, 5, 10, tzinfo=UTC))
"""What counts as the span between reviews where none is configured."""


class Close(msgspec.Struct):
    """Which incidents were dealt with, apart by spaces, and by whom."""

    by: str = ""
    ids: str = ""


@get("/review", opt={"right": "viewer"}, sync_to_thread=True)
def show_review(request: Request[Any, Any, Any], state: State) -> Response[str]:
    """What the meeting looks at."""
    context: Context = state.context
    meeting = context.meeting or FORTNIGHTLY
    found = review.collect(context, meeting)
    w, now = words_of(request), context.clock.now()
    values = {
        "agenda": found,
        "next": w.time(meeting.next(now)) if context.meeting else "",
        "waiting": [line(each, w, now) for each in found.unreviewed],
        "overdue": [(each, item_row(each, w, context.directory)) for each in found.overdue],
        "coming": [(each, item_row(each, w, context.directory)) for each in found.coming],
        "pace": pace_rows(found.now, found.before, w),
        "span": w.duration(meeting.every),
        "false_alarms": [(line(each.incident, w, now), alarm_why(each, w)) for each in found.false_alarms],
        "missed_alarms": [(line(each.incident, w, now), alarm_why(each, w)) for each in found.missed_alarms],
        "drills": [(each, drill_row(each, w)) for each in found.drills],
        "untaken": [line(each, w, now) for each in found.untaken],
    }
    return page(request, "review.html", values)


@post("/review/close", opt={"right": "responder"}, sync_to_thread=True)
def close_review(request: Request[Any, Any, Any], state: State, data: URLEncodedBody[Close]) -> Redirect:
    """Take an incident off the agenda."""
    review.close(state.context, data.ids.split(), named(request, data.by))
    asked = asked_locale(request)
    return Redirect(f"/review?lang={asked}" if asked else "/review", status_code=303)


@get("/lessons", opt={"right": "viewer"}, sync_to_thread=True)
def show_lessons(
    request: Request[Any, Any, Any], state: State, q: FromQuery[str] = "", tag: FromQuery[str] = ""
) -> Response[str]:
    """What was learned, searchable."""
    context: Context = state.context
    found = review.lessons(context, q.split(), [tag] if tag else [])
    w = words_of(request)
    titles = section_words(w)
    values = {
        "q": q,
        "tag": tag,
        "tags": sorted({each for edition in review.lessons(context, [], []) for each in edition.tags}),
        "found": [(e, w.date(e.at), [(titles[name], markdown(text)) for name, text in e.texts.items()]) for e in found],
    }
    return page(request, "lessons.html", values)


review_router = Router(
    "/",
    route_handlers=[show_review, close_review, show_lessons],
    exception_handlers=ERROR_PAGES,
    include_in_schema=False,
)
