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
from litestar.exceptions import HTTPException
from litestar.static_files import create_static_files_router

from bongsu.core.errors import BongsuError, IllegalTransition, InvalidInput, NotFound, Stale
from bongsu.ports import Unavailable
from bongsu.render.links import Expired, Forged
from bongsu.render.words import N_, STYLES, Words, environment, spoken

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


class NotListed(BongsuError):
    """Whom this link was sent to is not among the people and teams any more."""


def page_settings() -> dict[str, Any]:
    """What the application adds for the pages: headers that are right for every answer."""
    return {
        "response_headers": {
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "DENY",
            "Referrer-Policy": "no-referrer",
        }
    }


def static_router() -> Router:
    """The style sheets, those of the reports too."""
    cached = CacheControlHeader(max_age=3600, public=True)
    return create_static_files_router(path="/static", directories=[STATIC, STYLES], name="static", cache_control=cached)


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
    """The language to answer in: the one asked for, else the first known one that the browser accepts."""
    asked = asked_locale(request)
    if asked:
        return asked
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
    shared = {"w": w, "lang": suffix, "path": request.url.path, "version": _version()}
    context = getattr(request.app.state, "context", None)
    shared["speed"] = context.timescale.speed if context is not None else 1.0
    html = environment(spoken_here, TEMPLATES).get_template(template).render({**shared, **values})
    return html_response(html, spoken_here, status=status)


def html_response(html: str, locale: str, *, style: str = "'self'", status: int = 200) -> Response[str]:
    """A finished page with its headers. ``style``: whose styles count."""
    headers = {
        "Content-Security-Policy": _POLICY.format(style=style),
        "Cache-Control": "no-store",
        "Content-Language": locale,
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
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
        log.error("unexpected", extra={"path": request.url.path}, exc_info=error)
    problems = error.problems if isinstance(error, InvalidInput) else []
    return page(request, "error.html", {"title": title, "hint": hint, "problems": problems}, status=status)


def refused_page(request: Request[Any, Any, Any], error: HTTPException) -> Response[str]:
    """What the framework refuses, as a page."""
    title, hint = (_ERRORS[NotFound] if error.status_code == 404 else _ERRORS[InvalidInput])[1:]
    problems = [] if error.status_code == 404 else [error.detail]
    return page(request, "error.html", {"title": title, "hint": hint, "problems": problems}, status=error.status_code)


ERROR_PAGES: dict[Any, Any] = {BongsuError: error_page, HTTPException: refused_page}
"""For the routers of pages; the API answers in JSON instead."""
