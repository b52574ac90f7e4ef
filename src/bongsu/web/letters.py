"""The pages behind the links in mails: acknowledge, then add machines.

Opening a link changes nothing, for mail scanners open links; only its buttons act. The link itself says who acts, so
there is no session and no cookie to forge.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import tzinfo
from typing import Any, Literal

import msgspec
from litestar import Controller, Request, Response, Router, get, post
from litestar.datastructures import State
from litestar.params import FromPath, URLEncodedBody
from litestar.response import Redirect

from bongsu.core.access import Via
from bongsu.core.incident import Incident
from bongsu.core.scaling import ScaleOut
from bongsu.engine import audit, command, people
from bongsu.engine.context import Context
from bongsu.render import links, situation
from bongsu.render.particulars import particulars
from bongsu.render.situation import Form as Trouble
from bongsu.render.terms import action_word, status_word
from bongsu.render.words import Words, spoken
from bongsu.store import actions, incidents
from bongsu.web.console import fires
from bongsu.web.pages import ERROR_PAGES, NotListed, asked_locale, page, words_of
from bongsu.web.rights import act_by

SNOOZES = (30, 60, 120, 240)
"""Minutes to choose from."""


class Form(msgspec.Struct):
    """What a button sends. ``confirm``: "yes" once asked."""

    confirm: str = ""


class Verdict(msgspec.Struct):
    """What somebody judges an incident to be, and why."""

    verdict: Literal["urgent", "not_urgent"]
    why: str


@dataclass(frozen=True, slots=True)
class Bearer:
    """Who holds the link: the name that acts, and the language and time zone it reads."""

    name: str
    locale: str
    incident_id: str
    zone: tzinfo


def bearer_of(context: Context, token: str) -> Bearer:
    """Whose link this is. Raises Expired, Forged or NotListed."""
    incident_id, recipient = links.read(context.link_key, token, context.link_expires, context.wall.now())
    kind, _, name = recipient.partition(":")
    found = (context.directory.people if kind == "person" else context.directory.teams).get(name)
    if found is None:
        raise NotListed
    return Bearer(found.name, spoken(found.locale), incident_id, context.directory.zone_of(recipient))


def acting(request: Request[Any, Any, Any], context: Context, token: str, what: str, **asked: Any) -> Bearer:
    """Whose link this is, who does something with it now: the audit log's line is theirs. Raises as ``bearer_of``."""
    bearer = bearer_of(context, token)
    act_by(request, bearer.name, Via.LINK, what, bearer.incident_id)
    audit.tell(**asked)
    return bearer


class Letters(Controller):
    """What the bearer of a link may do."""

    path = "/a/{token:str}"
    opt = {"right": "public"}  # noqa: RUF012 - the link is the right

    @get("/", sync_to_thread=True)
    def show(self, request: Request[Any, Any, Any], state: State, token: FromPath[str]) -> Response[str]:
        """Who you are and what is wrong, with one button."""
        context: Context = state.context
        bearer = bearer_of(context, token)
        incident, acts = context.db.read(
            lambda tx: (incidents.load(tx, bearer.incident_id), actions.of(tx, bearer.incident_id))
        )
        plan = command.scale_out_plan(context, incident.id) if incident.open and incident.ack else None
        w = _words(request, bearer)
        adding = [act for act in acts if act.kind == "add"]
        values = {
            **_shared(incident, bearer, w, token),
            "taken": incident.ack is not None and incident.void is None and incident.handed is None,
            "acknowledged": situation.acknowledged(situation.situation_of(incident), w),
            "mine": incident.ack is not None and incident.ack.by == bearer.name,
            "plan": plan,
            "adding": [(act.machine, action_word(act.state, w)) for act in adding],
            "longest": command.LONGEST_REASON,
            "others": _others(context, bearer),
            "spans": [(minutes, w.duration(minutes * 60)) for minutes in SNOOZES],
            "tiers": _tiers(context, incident),
            "refresh": 5 if any(act.state == "requested" for act in adding) else None,
        }
        return page(request, "letter.html", values, locale=bearer.locale)

    @post("/", sync_to_thread=True)
    def acknowledge(self, request: Request[Any, Any, Any], state: State, token: FromPath[str]) -> Redirect:
        """Take the incident, then show how it stands."""
        context: Context = state.context
        bearer = acting(request, context, token, "acknowledge")
        command.acknowledge(context, bearer.incident_id, bearer.name)
        return back(request, token)

    @get("/triage", sync_to_thread=False, opt={"right": "public"})
    def back_to_triage(self, request: Request[Any, Any, Any], token: FromPath[str]) -> Redirect:
        """Somebody reloads what the form answered: show the page before."""
        return back(request, token)

    @post("/triage", sync_to_thread=True, opt={"right": "public"})
    def triage(
        self, request: Request[Any, Any, Any], state: State, token: FromPath[str], data: URLEncodedBody[Verdict]
    ) -> Redirect:
        """Judge it urgent or not, then show how it stands."""
        context: Context = state.context
        bearer = acting(request, context, token, "triage", verdict=data.verdict, why=data.why)
        command.triage(context, bearer.incident_id, bearer.name, urgent=data.verdict == "urgent", why=data.why)
        return back(request, token)

    @get("/scale-out", sync_to_thread=False)
    def reload(self, request: Request[Any, Any, Any], token: FromPath[str]) -> Redirect:
        """Somebody reloads the question: ask anew from the page before."""
        return back(request, token)

    @post("/scale-out", status_code=200, sync_to_thread=True)
    def scale_out(
        self,
        request: Request[Any, Any, Any],
        state: State,
        token: FromPath[str],
        data: URLEncodedBody[Form | None] = None,
    ) -> Response[Any]:
        """Ask once more, saying what it will bring; with ``confirm=yes`` do it."""
        context: Context = state.context
        bearer = bearer_of(context, token)
        if data is not None and data.confirm == "yes":
            act_by(request, bearer.name, Via.LINK, "scale_out", bearer.incident_id)
            command.scale_out(context, bearer.incident_id, bearer.name)
            return back(request, token)
        incident = context.db.read(lambda tx: incidents.load(tx, bearer.incident_id))
        plan = command.scale_out_plan(context, incident.id)
        w = _words(request, bearer)
        values = {
            **_shared(incident, bearer, w, token),
            "plan": plan,
            "projected": _projected(plan, w),
            "baseline": _baseline(context, incident, w),
            "throttled": incident.seen.throttled,
            "path": f"/a/{token}",
        }
        return page(request, "scale_out.html", values, locale=bearer.locale)


def _words(request: Request[Any, Any, Any], bearer: Bearer) -> Words:
    return words_of(request, bearer.locale, bearer.zone)


def back(request: Request[Any, Any, Any], token: str) -> Redirect:
    """To the page of the link."""
    asked = asked_locale(request)
    return Redirect(f"/a/{token}?lang={asked}" if asked else f"/a/{token}", status_code=303)


def _shared(incident: Incident, bearer: Bearer, w: Words, token: str) -> dict[str, object]:
    s = situation.situation_of(incident)
    return {
        "w": w,
        "fires": fires([incident]),
        "incident": incident,
        "status": status_word(incident.status, w),
        "bearer": bearer,
        "action": f"/a/{token}",
        "by_hand": s.form in (Trouble.OVER, Trouble.FLAT),
        "what": situation.what(s, w),
        "since": situation.since(s, w),
        "first": situation.first(s, w),
        "notes": situation.notes(s, w),
        "rows": particulars(s, w, acknowledged_too=False),
    }


def _others(context: Context, bearer: Bearer) -> list[tuple[str, str]]:
    """Everybody else it can be handed to, as target and name."""
    directory, now = context.directory, context.clock.now()
    known = [(f"person:{each.id}", each.name) for each in directory.people.values()]
    known += [(f"team:{each.id}", each.name) for each in directory.teams.values()]
    return [(to, name) for to, name in known if name != bearer.name and directory.resolve(to, now)]


def _tiers(context: Context, incident: Incident) -> list[tuple[int, str]]:
    """The tiers that can be called now, with those who would hear it."""
    now = context.clock.now()
    told = context.db.read(lambda tx: [people.resolve(tx, context, tier.notify, now) for tier in incident.policy.tiers])
    return [(level, ", ".join(dict.fromkeys(each.name for each in to))) for level, to in enumerate(told, 1) if to]


def _projected(plan: ScaleOut | None, w: Words) -> str:
    return w.percent(plan.projected) if plan is not None else ""


def _baseline(context: Context, incident: Incident, w: Words) -> str:
    service = context.services.get(incident.service)
    return w.percent(service.machine.baseline) if service is not None else ""


letters_router = Router("/", route_handlers=[Letters], exception_handlers=ERROR_PAGES, include_in_schema=False)
