"""For admins: users, tokens of programs, and who changed what."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from litestar import Request, Response, Router, get, post
from litestar.datastructures import State
from litestar.params import FromPath, FromQuery, URLEncodedBody
from litestar.response import Redirect

from bongsu.core.access import ROLES, SHORTEST_PASSWORD, ApiToken
from bongsu.core.errors import InvalidInput
from bongsu.engine import accounts
from bongsu.engine.context import Context
from bongsu.render.words import N_, Words
from bongsu.store import accounts as kept
from bongsu.store import audit
from bongsu.store.audit import Line
from bongsu.web.pages import ERROR_PAGES, asked_locale, page, words_of
from bongsu.web.rights import who_asks

_Request = Request[Any, Any, Any]
ADMIN = {"right": "admin"}
ROLE_WORDS = (N_("viewer"), N_("responder"), N_("admin"))
"""The roles, for the catalogues; templates translate them by name."""
PER_PAGE = 100
MOST = 1000


class NewUser(msgspec.Struct):
    """A user to add."""

    name: str = ""
    role: str = "responder"
    password: str = ""


class Role(msgspec.Struct):
    """Another role."""

    role: str


class Password(msgspec.Struct):
    """Another password."""

    password: str


class NewToken(msgspec.Struct):
    """A token to make."""

    name: str = ""
    role: str = "responder"


@dataclass(frozen=True, slots=True)
class TokenRow:
    """A token in the list."""

    token: ApiToken
    made: str
    used: str


@get("/users", opt=ADMIN, sync_to_thread=True)
def show_users(request: _Request, state: State) -> Response[str]:
    """Who can log in, and which programs may use the API."""
    return _users(request, state.context)


def _users(
    request: _Request, context: Context, *, secret: str = "", error: InvalidInput | None = None
) -> Response[str]:
    users, tokens = context.db.read(lambda tx: (kept.every_user(tx), kept.every_token(tx)))
    w, now = words_of(request), context.wall.now()
    values = {
        "users": [(each, w.date(each.made_at)) for each in users],
        "tokens": [_row(each, w, now) for each in tokens if each.revoked_at is None],
        "roles": [each.value for each in ROLES],
        "secret": secret,
        "problems": error.problems if error else [],
        "shortest": SHORTEST_PASSWORD,
        "me": who_asks(request).name,
    }
    return page(request, "users.html", values, status=400 if error else 200)


def _row(token: ApiToken, w: Words, now: datetime) -> TokenRow:
    return TokenRow(token, w.date(token.made_at), w.time(token.used_at, near=now) if token.used_at else "")


@post("/users", opt={**ADMIN, "what": "add_user"}, status_code=200, sync_to_thread=True)
def add_user(request: _Request, state: State, data: URLEncodedBody[NewUser]) -> Response[Any]:
    """Let somebody in."""
    context: Context = state.context
    try:
        accounts.add_user(context.db, data.name.strip(), data.role, data.password, context.wall.now())
    except InvalidInput as error:
        return _users(request, context, error=error)
    return _back(request)


@post("/users/{name:str}/role", opt={**ADMIN, "what": "change_role"}, sync_to_thread=True)
def change_role(request: _Request, state: State, name: FromPath[str], data: URLEncodedBody[Role]) -> Redirect:
    """Give somebody another role."""
    accounts.change_role(state.context.db, name, data.role)
    return _back(request)


@post("/users/{name:str}/password", opt={**ADMIN, "what": "change_password"}, sync_to_thread=True)
def set_password(request: _Request, state: State, name: FromPath[str], data: URLEncodedBody[Password]) -> Redirect:
    """Give somebody another password; every session of theirs ends."""
    context: Context = state.context
    accounts.change_password(context.db, name, data.password, context.wall.now())
    return _back(request)


@post("/users/{name:str}/remove", opt={**ADMIN, "what": "remove_user"}, sync_to_thread=True)
def remove_user(request: _Request, state: State, name: FromPath[str]) -> Redirect:
    """Let somebody in no more."""
    accounts.remove_user(state.context.db, name)
    return _back(request)


@post("/tokens", opt={**ADMIN, "what": "new_token"}, status_code=200, sync_to_thread=True)
def new_token(request: _Request, state: State, data: URLEncodedBody[NewToken]) -> Response[str]:
    """A token, shown this once."""
    context: Context = state.context
    try:
        by = who_asks(request).name
        _, secret = accounts.new_token(context.db, data.name, data.role, by, context.wall.now())
    except InvalidInput as error:
        return _users(request, context, error=error)
    return _users(request, context, secret=secret)


@post("/tokens/{token_id:str}/revoke", opt={**ADMIN, "what": "revoke_token"}, sync_to_thread=True)
def revoke_token(request: _Request, state: State, token_id: FromPath[str]) -> Redirect:
    """A token opens nothing any more."""
    context: Context = state.context
    accounts.revoke_token(context.db, token_id, context.wall.now())
    return _back(request)


def _back(request: _Request) -> Redirect:
    asked = asked_locale(request)
    return Redirect(f"/users?lang={asked}" if asked else "/users", status_code=303)


@get("/audit", opt=ADMIN, sync_to_thread=True)
def show_audit(request: _Request, state: State, before: FromQuery[int | None] = None) -> Response[str]:
    """Who changed what, the newest first."""
    context: Context = state.context
    lines = context.db.read(lambda tx: audit.newest(tx, PER_PAGE, before=before))
    w, now = words_of(request), context.wall.now()
    values = {
        "lines": [(each, w.time(each.at, near=now, seconds=True), facts_of(each)) for each in lines],
        "older": lines[-1].id if len(lines) == PER_PAGE else None,
    }
    return page(request, "audit.html", values)


def facts_of(line: Line) -> list[tuple[str, str]]:
    """What was asked, as words."""
    return [
        (key, ", ".join(map(str, value)) if isinstance(value, list) else str(value))
        for key, value in line.facts.items()
    ]


admin_router = Router(
    "/",
    route_handlers=[
        show_users, add_user, change_role, set_password, remove_user, new_token, revoke_token, show_audit,
    ],
    exception_handlers=ERROR_PAGES,
    include_in_schema=False,
)  # fmt: skip
