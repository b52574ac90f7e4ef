"""What all pages share: templates, the reader's language, the headers that keep a page harmless, and the errors."""

from __future__ import annotations

import functools
import hashlib
import logging
from collections.abc import Mapping
from datetime import UTC, tzinfo
from pathlib import Path
from typing import Any

from litestar import MediaType, Request, Response, Router
from litestar.datastructures import CacheControlHeader
from litestar.exceptions import HTTPException, NotAuthorizedException
from litestar.response import Redirect
from litestar.static_files import create_static_files_router
from litestar.types import Message, Scope
from markupsafe import Markup

from bongsu.core.access import Right, Via
from bongsu.core.errors import BongsuError, IllegalTransition, InvalidInput, NotFound, Stale
from bongsu.engine.accounts import SetUpAlready
from bongsu.ports import Unavailable
from bongsu.render.links import Expired, Forged
from bongsu.render.words import N_, STYLES, Words, environment, spoken
from bongsu.web.problems import route_of
from bongsu.web.rights import FIELD, person_of, who_asks

log = logging.getLogger("bongsu.web")
TEMPLATES = Path(__file__).parent / "templates"
STATIC = Path(__file__).parent / "static"
_POLICY = "; ".join(
    (
        "default-src 'none'",
        "style-src {style}",
        "img-src 'self' data:",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)


NAVIGATION = (
    ("/incidents", N_("Incidents"), Right.VIEWER),
    ("/burst", N_("Burst credits"), Right.VIEWER),
    ("/oncall", N_("On call"), Right.VIEWER),
    ("/people", N_("People"), Right.VIEWER),
    ("/silences", N_("Silences"), Right.VIEWER),
    ("/deliveries", N_("Deliveries"), Right.VIEWER),
    ("/data", N_("Data"), Right.VIEWER),
    ("/review", N_("Review"), Right.VIEWER),
    ("/settings", N_("Settings"), Right.VIEWER),
    ("/users", N_("Users"), Right.ADMIN),
    ("/audit", N_("Audit log"), Right.ADMIN),
)


class NotListed(BongsuError):
    """Whom this link was sent to is not among the people and teams any more."""


_HARMLESS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
)


def page_settings() -> dict[str, Any]:
    """What the application adds for the pages: headers that are right for every answer, whoever gives it."""
    return {"before_send": [_harmless]}


async def _harmless(message: Message, _: Scope) -> None:
    if message["type"] == "http.response.start":
        given = {name.lower() for name, _ in message["headers"]}
        message["headers"] = [*message["headers"], *(each for each in _HARMLESS if each[0] not in given)]


def static_router() -> Router:
    """The style sheets, those of the reports too."""
    cached = CacheControlHeader(max_age=3600, public=True)
    return create_static_files_router(
        path="/static",
        directories=[STATIC, STYLES],
        name="static",
        cache_control=cached,
        opt={"right": "public"},
    )


@functools.cache
def _version() -> str:
    """Changes when a style sheet does, so that no browser shows a page in an old one."""
    files = sorted([*STATIC.iterdir(), *STYLES.iterdir()])
    return hashlib.blake2b(b"".join(file.read_bytes() for file in files), digest_size=4).hexdigest()


def asked_locale(request: Request[Any, Any, Any]) -> str | None:
    """The language asked for in the address, if there is a catalogue for it."""
    lang = request.query_params.get("lang")
    return spoken(lang) if lang and spoken(lang) == lang else None


def locale_of(request: Request[Any, Any, Any]) -> str:
    """The language to answer in: the one asked for, the person's who is logged in, or what the browser accepts."""
    asked = asked_locale(request)
    if asked:
        return asked
    context = getattr(request.app.state, "context", None)
    person = person_of(request, context) if context is not None else None
    if person is not None:
        return spoken(person.locale)
    for part in request.headers.get("accept-language", "").split(","):
        tag = part.split(";")[0].strip()
        if tag and spoken(tag) == tag.split("-")[0].lower():
            return spoken(tag)
    return spoken(None)


def words_of(request: Request[Any, Any, Any], locale: str | None = None, zone: tzinfo | None = None) -> Words:
    """A page's words: in the language asked for, else ``locale``, else the browser's; times in ``zone`` or ours."""
    context = getattr(request.app.state, "context", None)
    site: tzinfo = context.directory.zone if context is not None else UTC
    return Words(asked_locale(request) or locale or locale_of(request), zone or site)


def page(
    request: Request[Any, Any, Any],
    template: str,
    values: Mapping[str, object],
    *,
    locale: str | None = None,
    status: int = 200,
) -> Response[str]:
    """A page from a template. ``locale``: whose reader is known; an address with ``?lang=`` still decides."""
    asked = asked_locale(request)
    w = words_of(request, locale)
    spoken_here = w.locale
    suffix = f"?lang={asked}" if asked else ""
    shared = {"w": w, "lang": suffix, "path": request.url.path, "version": _version(), **_frame(request)}
    context = getattr(request.app.state, "context", None)
    shared["speed"] = context.timescale.speed if context is not None else 1.0
    html = environment(spoken_here, TEMPLATES).get_template(template).render({**shared, **values})
    return html_response(html, spoken_here, status=status)


def _frame(request: Request[Any, Any, Any]) -> dict[str, object]:
    """What stands around every page: where one may go, who is logged in, and what the forms of a session carry."""
    who = who_asks(request)
    there = {route.path for route in request.app.routes}
    shown = [(path, word) for path, word, needed in NAVIGATION if path in there and who.right.covers(needed)]
    field = Markup('<input type="hidden" name="{}" value="{}">').format(FIELD, who.csrf) if who.csrf else ""
    return {
        "navigation": shown,
        "user": who.name if who.via is Via.SESSION else "",
        "log_in": "/login" in there and who.via is Via.NOBODY,
        "csrf": field,
    }


def html_response(html: str, locale: str, *, style: str = "'self'", status: int = 200) -> Response[str]:
    """A finished page with its headers. ``style``: whose styles count."""
    headers = {
        "Content-Security-Policy": _POLICY.format(style=style),
        "Cache-Control": "no-store",
        "Content-Language": locale,
        "Vary": "Accept-Language",
    }
    return Response(html, media_type=MediaType.HTML, headers=headers, status_code=status)


_ERRORS: dict[type[BongsuError], tuple[int, str, str]] = {
    Expired: (
        410,
        N_("This link is too old"),
        N_("Open the newest mail of the incident, or the incident on the console."),
    ),
    Forged: (403, N_("This link is not valid"), N_("Copy it whole from the mail, without a line break.")),
    SetUpAlready: (410, N_("This link is too old"), N_("Print a new one: bongsu user setup-link")),
    NotListed: (403, N_("This link is not valid any more"), N_("Ask for an address of your own in bongsu.toml.")),
    NotFound: (404, N_("There is no such page"), N_("Look through the list of incidents.")),
    IllegalTransition: (
        409,
        N_("That cannot be done any more"),
        N_("The incident has moved on; open it and look how it stands."),
    ),
    Stale: (409, N_("Somebody was faster"), N_("Open the incident again and look how it stands.")),
    Unavailable: (503, N_("Something outside does not answer"), N_("Try again in a minute.")),
    InvalidInput: (400, N_("That does not work here"), N_("Mend what is named below, then try again.")),
}
_UNKNOWN = (500, N_("Something went wrong"), N_("Try again; what happened is in Bongsu's log."))


def error_page(request: Request[Any, Any, Any], error: BongsuError) -> Response[str]:
    """An error as a page: what is wrong, and what to do next."""
    found = (told for kind, told in _ERRORS.items() if isinstance(error, kind))
    status, title, hint = next(found, _UNKNOWN)
    if status == 500:
        log.error("unexpected", extra={"path": route_of(request)}, exc_info=error)
    problems = error.problems if isinstance(error, InvalidInput) else []
    return page(request, "error.html", {"title": title, "hint": hint, "problems": problems}, status=status)


_REFUSED = {
    401: (N_("Log in first"), N_("This is for people with an account.")),
    403: (N_("You may not do that"), N_("Ask an admin for the role that is named below.")),
    404: _ERRORS[NotFound][1:],
}


def refused_page(request: Request[Any, Any, Any], error: HTTPException) -> Response[Any]:
    """What the framework refuses, as a page; whoever is not logged in comes back after logging in."""
    if isinstance(error, NotAuthorizedException) and request.method == "GET":
        return Redirect("/login", query_params={"next": _asked_for(request)}, headers={"Cache-Control": "no-store"})
    title, hint = _REFUSED.get(error.status_code, _ERRORS[InvalidInput][1:])
    problems = [] if error.status_code in (401, 404) else [error.detail]
    return page(request, "error.html", {"title": title, "hint": hint, "problems": problems}, status=error.status_code)


def _asked_for(request: Request[Any, Any, Any]) -> str:
    return f"{request.url.path}?{request.url.query}" if request.url.query else request.url.path


def unexpected_page(request: Request[Any, Any, Any], error: Exception) -> Response[str]:
    """A fault of our own: the log has it, the page says nothing of it."""
    log.error("unexpected", extra={"path": route_of(request)}, exc_info=error)
    status, title, hint = _UNKNOWN
    return page(request, "error.html", {"title": title, "hint": hint, "problems": []}, status=status)


ERROR_PAGES: dict[Any, Any] = {BongsuError: error_page, HTTPException: refused_page, Exception: unexpected_page}
"""For the routers of pages; the API answers in JSON instead."""
