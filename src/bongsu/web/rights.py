"""The one guard of the application: who asks, whether they may, and what the audit log will say of it.

A handler declares its right: ``opt={"right": "viewer"}``. One that declares none is for admins. ``alerts`` and
``metrics`` are public or not as the configuration says.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hmac
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from litestar import Request
from litestar.connection import ASGIConnection
from litestar.exceptions import NotAuthorizedException, PermissionDeniedException
from litestar.handlers import BaseRouteHandler

from bongsu.core.access import Access, Right, Via, Who
from bongsu.core.errors import InvalidInput
from bongsu.core.schedule import Person
from bongsu.engine import audit, sessions
from bongsu.engine.context import Context

COOKIE = "bongsu_session"
FIELD = "csrf"
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
ALERTS, METRICS = "alerts", "metrics"
_Any = ASGIConnection[Any, Any, Any, Any]


async def guard(connection: _Any, handler: BaseRouteHandler) -> None:
    """Let pass who may. Raises NotAuthorizedException (who are you?) or PermissionDeniedException (you may not)."""
    context: Context = connection.app.state.context
    audit.begin(None)
    declared = handler.opt.get("right", Right.ADMIN)
    needed = needed_right(declared, context.access)
    unsafe = connection.scope.get("method", "GET") not in SAFE
    who = await _who(connection, context, declared, needed)
    connection.scope["user"] = who
    if needed is Right.PUBLIC:
        if unsafe and who.via is Via.SESSION:
            refuse_other_sites(connection)
        return
    if not who.right.covers(needed):
        if who.via is Via.NOBODY:
            raise NotAuthorizedException(
                "log in, or send the header Authorization: Bearer TOKEN, from the file api_token of the server's "
                "secrets or made by: bongsu token new"
            )
        raise PermissionDeniedException(f"this needs the role {needed.value}; {who.name} is {who.right.value}")
    if unsafe:
        await _before_a_change(connection, context, who, handler)


def needed_right(declared: str, access: Access) -> Right:
    """What a handler's declaration asks for, by the configuration."""
    if declared == ALERTS:
        return Right.PUBLIC if access.alerts_open else Right.RESPONDER
    if declared == METRICS:
        return Right.PUBLIC if access.metrics_open else Right.VIEWER
    return Right(declared)


def who_asks(request: _Any) -> Who:
    """Who asks, as the guard found out."""
    found = request.scope.get("user")
    return found if isinstance(found, Who) else Who()


def person_of(request: _Any, context: Context) -> Person | None:
    """The person of the configuration whose name the user who is logged in has."""
    who = who_asks(request)
    return context.directory.people.get(who.name) if who.via is Via.SESSION else None


def named(request: _Any, by: str) -> str:
    """In whose name something is done: whoever is logged in; others say it. Raises InvalidInput when nobody does."""
    who = who_asks(request)
    if who.via is Via.SESSION:
        person = person_of(request, request.app.state.context)
        return person.name if person is not None else who.name
    if not by.strip():
        raise InvalidInput(["say who you are"])
    return by.strip()


def address_of(connection: _Any) -> str:
    """Where a request comes from."""
    return connection.client.host if connection.client is not None else ""


async def _who(connection: _Any, context: Context, declared: str, needed: Right) -> Who:
    anonymous = Who("", context.access.anonymous)
    secret = bearer(connection.headers)
    if secret is not None:
        if needed is Right.PUBLIC:
            return anonymous  # hooks have tokens of their own
        if declared == ALERTS and sessions.sends_alerts(context.access, secret):
            return Who("alerts", Right.RESPONDER, Via.TOKEN)
        found = await asyncio.to_thread(sessions.by_token, context, secret)
        if found is None:
            raise NotAuthorizedException("this token is not known, or was revoked; look at: bongsu token list")
        return found
    cookie = connection.cookies.get(COOKIE)
    if cookie:
        found = await asyncio.to_thread(sessions.by_session, context, cookie)
        if found is not None:
            return found
    return anonymous


def bearer(headers: Mapping[str, str]) -> str | None:
    """The token in the header Authorization: as Bearer, or as the password of Basic, as some programs must send it."""
    scheme, _, given = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return given.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(given, validate=True).decode().partition(":")[2]
        except (binascii.Error, ValueError):
            return ""
    return None


def refuse_other_sites(connection: _Any) -> None:
    """A browser says which page sent a form. Raises PermissionDeniedException where it is not one of ours."""
    # an Origin says nothing here: our pages send no referrer, so browsers make it "null"
    if connection.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise PermissionDeniedException("this form was not sent from a page of this console; open the page again")


def act_by(request: _Any, name: str, via: Via, what: str, about: str) -> None:
    """Somebody whom the guard does not know changes something, such as a link's bearer: it is written in that name."""
    context: Context = request.app.state.context
    audit.begin(audit.line_of(Who(name, via=via), address_of(request), what, about, {}, context.wall.now()))


async def _before_a_change(connection: _Any, context: Context, who: Who, handler: BaseRouteHandler) -> None:
    assert isinstance(connection, Request)
    facts = _said(await connection.body(), connection.headers.get("content-type", ""))
    if who.via is Via.SESSION:
        refuse_other_sites(connection)
        given = facts.get(FIELD, connection.headers.get("x-csrf-token"))
        if not isinstance(given, str) or not hmac.compare_digest(given.encode(), who.csrf.encode()):
            raise PermissionDeniedException("the form is from an older session; open the page again and send it anew")
    about = " ".join(str(each) for each in connection.path_params.values())
    what = str(handler.opt.get("what", handler.handler_name))
    audit.begin(audit.line_of(who, address_of(connection), what, about, facts, context.wall.now()))


def _said(body: bytes, kind: str) -> dict[str, object]:
    """What a request asks for, as fields; nothing where it is of no form that we know."""
    try:
        if kind.startswith("application/json"):
            found = msgspec.json.decode(body) if body else {}
            return found if isinstance(found, dict) else {}
        if kind.startswith("application/x-www-form-urlencoded"):
            return dict(parse_qsl(body.decode(), max_num_fields=200))
    except (msgspec.DecodeError, ValueError, RecursionError):
        pass
    return {}
