"""The further buttons of the mail's page: hand it to somebody else, let the next tiers wait, call a tier now.

The link says who acts, as for acknowledging.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
from litestar import Controller, Request, Router, get, post
from litestar.datastructures import State
from litestar.params import FromPath, URLEncodedBody
from litestar.response import Redirect

from bongsu.engine import command
from bongsu.engine.context import Context
from bongsu.web.letters import acting, back
from bongsu.web.pages import ERROR_PAGES

PUBLIC = {"right": "public"}


class HandOver(msgspec.Struct):
    """To whom: ``person:x`` or ``team:x``."""

    to: str


class Wait(msgspec.Struct):
    """For how long the next tiers wait."""

    minutes: int


class Call(msgspec.Struct):
    """Which tier."""

    tier: int


class Passing(Controller):
    """What the bearer of a link may ask of others."""

    path = "/a/{token:str}"
    opt = PUBLIC

    @get(["/reassign", "/snooze", "/escalate"], sync_to_thread=False)
    def reload(self, request: Request[Any, Any, Any], token: FromPath[str]) -> Redirect:
        """Somebody reloads what a form answered: show the page before."""
        return back(request, token)

    @post("/reassign", sync_to_thread=True)
    def reassign(
        self, request: Request[Any, Any, Any], state: State, token: FromPath[str], data: URLEncodedBody[HandOver]
    ) -> Redirect:
        """Hand it to somebody else, then show how it stands."""
        context: Context = state.context
        bearer = acting(request, context, token, "reassign", to=data.to)
        command.reassign(context, bearer.incident_id, bearer.name, data.to)
        return back(request, token)

    @post("/snooze", sync_to_thread=True)
    def snooze(
        self, request: Request[Any, Any, Any], state: State, token: FromPath[str], data: URLEncodedBody[Wait]
    ) -> Redirect:
        """Take it and let the next tiers wait."""
        context: Context = state.context
        bearer = acting(request, context, token, "snooze", minutes=data.minutes)
        command.snooze(context, bearer.incident_id, bearer.name, timedelta(minutes=min(data.minutes, 10_000)))
        return back(request, token)

    @post("/escalate", sync_to_thread=True)
    def escalate(
        self, request: Request[Any, Any, Any], state: State, token: FromPath[str], data: URLEncodedBody[Call]
    ) -> Redirect:
        """Tell a tier now."""
        context: Context = state.context
        bearer = acting(request, context, token, "escalate", tier=data.tier)
        command.escalate(context, bearer.incident_id, bearer.name, data.tier)
        return back(request, token)


passing_router = Router("/", route_handlers=[Passing], exception_handlers=ERROR_PAGES, include_in_schema=False)
