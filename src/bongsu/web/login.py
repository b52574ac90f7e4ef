"""Logging in and out, the first admin, and one's own password."""

from __future__ import annotations

import re
from typing import Any

import msgspec
from litestar import Request, Response, Router, get, post
from litestar.datastructures import Cookie, State
from litestar.exceptions import NotAuthorizedException, PermissionDeniedException
from litestar.params import FromPath, FromQuery, URLEncodedBody
from litestar.response import Redirect

from bongsu.core.access import LONGEST_PASSWORD, SHORTEST_PASSWORD, Via, Who
from bongsu.core.errors import InvalidInput
from bongsu.engine import accounts, sessions
from bongsu.engine.context import Context
from bongsu.engine.tries import TooManyTries
from bongsu.render.words import N_
from bongsu.web.pages import ERROR_PAGES, page, words_of
from bongsu.web.rights import COOKIE, act_by, address_of, refuse_other_sites, who_asks

_Request = Request[Any, Any, Any]
_LOCAL = re.compile(r"/(?![/\\])[!-\[\]-~]*")
LOGGED_OUT = N_("You are logged out.")
CHANGED = N_("The password is changed. Log in with the new one.")
_NOTES = {"out": LOGGED_OUT, "changed": CHANGED}


class Login(msgspec.Struct):
    """What the form sends."""

    name: str = ""
    password: str = ""
    next: str = ""


class NewPassword(msgspec.Struct):
    """A password twice; ``present``: the one before, where there is one."""

    name: str = ""
    present: str = ""
    password: str = ""
    again: str = ""

    def checked(self) -> str:
        """The new password. Raises InvalidInput when the two differ."""
        if self.password != self.again:
            raise InvalidInput(["password: the two differ; type it again"])
        return self.password


def local(path: str) -> str:
    """Where to go after logging in: a page of this console, whatever a link says."""
    return path if _LOCAL.fullmatch(path) and not path.startswith(("/login", "/logout")) else "/incidents"


@get("/login", opt={"right": "public"}, sync_to_thread=True)
def show_login(
    request: _Request,
    state: State,
    next: FromQuery[str] = "",  # noqa: A002 - its name in the address
    note: FromQuery[str] = "",
) -> Response[Any]:
    """A name and a password."""
    if who_asks(request).via is Via.SESSION:
        return Redirect(local(next))
    return _login(request, state.context, next, note=_NOTES.get(note, ""))


@post("/login", opt={"right": "public"}, status_code=200, sync_to_thread=True)
def log_in(request: _Request, state: State, data: URLEncodedBody[Login]) -> Response[Any]:
    """Begin a session."""
    context: Context = state.context
    refuse_other_sites(request)
    name, address = data.name.strip(), address_of(request)
    try:
        act_by(request, name, Via.SESSION, "log_in", name)
        secret = sessions.log_in(context, name, data.password, address)
    except TooManyTries as error:
        minutes = max(1, round(error.wait.total_seconds() / 60))
        problem = words_of(request).gettext("Too many tries failed. Wait %(n)s minutes.", n=minutes)
        answer = _login(request, context, data.next, name=name, problem=problem, status=429)
        answer.headers["Retry-After"] = str(max(1, round(error.wait.total_seconds())))
        return answer
    except sessions.WrongLogin:
        problem = words_of(request).gettext("This name and this password do not belong together.")
        return _login(request, context, data.next, name=name, problem=problem, status=401)
    return Redirect(local(data.next), status_code=303, cookies=[cookie(context, secret)])


def cookie(context: Context, secret: str) -> Cookie:
    """The session's cookie: no script reads it, no other site's form carries it."""
    secure = context.public_url.startswith("https://")
    longest = int(context.access.longest.total_seconds())
    return Cookie(COOKIE, "/", secret, max_age=longest, secure=secure, httponly=True, samesite="lax")


def _gone() -> Cookie:
    return Cookie(COOKIE, "/", "", max_age=0, httponly=True, samesite="lax")


def _login(
    request: _Request,
    context: Context,
    after: str,
    *,
    name: str = "",
    problem: str = "",
    note: str = "",
    status: int = 200,
) -> Response[str]:
    values = {
        "name": name,
        "next": local(after),
        "problem": problem,
        "note": note,
        "nobody": context.db.read(sessions.nobody_can_log_in),
    }
    return page(request, "login.html", values, status=status)


@post("/logout", opt={"right": "viewer", "what": "log_out"}, sync_to_thread=True)
def log_out(request: _Request, state: State) -> Redirect:
    """End the session."""
    sessions.log_out(state.context, request.cookies.get(COOKIE, ""))
    return Redirect("/login?note=out", status_code=303, cookies=[_gone()])


@get("/setup/{secret:str}", opt={"right": "public"}, sync_to_thread=True)
def show_setup(request: _Request, state: State, secret: FromPath[str]) -> Response[str]:
    """The first admin's name and password."""
    context: Context = state.context
    accounts.may_set_up(context.db, secret, context.wall.now())
    return _setup(request, secret)


@post("/setup/{secret:str}", opt={"right": "public"}, status_code=200, sync_to_thread=True)
def set_up(request: _Request, state: State, secret: FromPath[str], data: URLEncodedBody[NewPassword]) -> Response[Any]:
    """Make the first admin and log in."""
    context: Context = state.context
    refuse_other_sites(request)
    name = data.name.strip()
    try:
        act_by(request, name, Via.LINK, "set_up", name)
        accounts.set_up(context.db, secret, name, data.checked(), context.wall.now())
    except InvalidInput as error:
        return _setup(request, secret, name, error)
    begun = sessions.begin(context, name, address_of(request))
    return Redirect("/incidents", status_code=303, cookies=[cookie(context, begun)])


def _setup(request: _Request, secret: str, name: str = "admin", error: InvalidInput | None = None) -> Response[str]:
    values = {"secret": secret, "name": name, **_lengths(error)}
    return page(request, "setup.html", values, status=400 if error else 200)


def _lengths(error: InvalidInput | None) -> dict[str, object]:
    return {"problems": error.problems if error else [], "shortest": SHORTEST_PASSWORD, "longest": LONGEST_PASSWORD}


def _has_a_password(request: _Request) -> Who:
    """Who is logged in. Raises NotAuthorizedException, or PermissionDeniedException for a program."""
    who = who_asks(request)
    if who.via is Via.NOBODY:
        raise NotAuthorizedException("log in first")
    if who.via is not Via.SESSION:
        raise PermissionDeniedException("a token has no password; log in")
    return who


@get("/account", opt={"right": "viewer"}, sync_to_thread=True)
def show_account(request: _Request) -> Response[str]:
    """Who is logged in, and a form for another password."""
    return _account(request)


@post("/account/password", opt={"right": "viewer", "what": "change_password"}, status_code=200, sync_to_thread=True)
def change_password(request: _Request, state: State, data: URLEncodedBody[NewPassword]) -> Response[Any]:
    """Change one's own password; every session ends, this one too."""
    context: Context = state.context
    who = _has_a_password(request)
    now = context.wall.now()
    context.failures.begin(who.name, address_of(request), now)
    try:
        accounts.change_password(context.db, who.name, data.checked(), now, present=data.present)
    except InvalidInput as error:
        return _account(request, error)
    context.failures.succeeded(who.name, address_of(request), now)
    return Redirect("/login?note=changed", status_code=303, cookies=[_gone()])


def _account(request: _Request, error: InvalidInput | None = None) -> Response[str]:
    who = _has_a_password(request)
    values = {"who": who, **_lengths(error)}
    return page(request, "account.html", values, status=400 if error else 200)


login_router = Router(
    "/",
    route_handlers=[show_login, log_in, log_out, show_setup, set_up, show_account, change_password],
    exception_handlers=ERROR_PAGES,
    include_in_schema=False,
    request_max_body_size=64 * 1024,
)
