"""The configuration in force, to look at: whom a policy tells when, where alerts go. No secret is among it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from litestar import Request, Response, Router, get
from litestar.datastructures import State

from bongsu import __version__
from bongsu.core.policy import NEVER, Policy
from bongsu.core.schedule import Directory
from bongsu.core.service import Service
from bongsu.engine.context import Context
from bongsu.render.words import Words
from bongsu.web.pages import ERROR_PAGES, page, words_of


@dataclass(frozen=True, slots=True)
class Step:
    """When somebody is told."""

    when: str
    whom: str


def steps(policy: Policy, directory: Directory, w: Words) -> list[Step]:
    """Everything that a policy tells somebody, in words."""
    found = []
    for tier in policy.tiers:
        when = w.duration(tier.after) if tier.after else w.gettext("at once")
        if tier.after >= NEVER:
            when = w.gettext("if nobody before can be reached")
        if tier.repeat is not None:
            when += w.gettext(", again every %(span)s until somebody takes it", span=w.duration(tier.repeat))
        found.append(Step(when, _names(tier.notify, directory, w)))
    if policy.ceiling is not None:
        found.append(Step(w.gettext("at 100 %% CPU, at once"), _names(policy.ceiling.notify, directory, w)))
    if policy.runway is not None:
        span = w.duration(policy.runway.full_burn_under)
        when = w.gettext("credits for less than %(span)s at 100 %% CPU", span=span)
        found.append(Step(when, _names(policy.runway.notify, directory, w)))
    if policy.throttled:
        found.append(Step(w.gettext("throttled, at once"), _names(policy.throttled, directory, w)))
    if policy.blind:
        found.append(Step(w.gettext("blind, at once"), _names(policy.blind, directory, w)))
    return found


def _names(targets: Iterable[str], directory: Directory, w: Words) -> str:
    return ", ".join(_name(target, directory, w) for target in targets)


def _name(target: str, directory: Directory, w: Words) -> str:
    kind, _, name = target.partition(":")
    if kind == "on-call":
        return w.gettext("whoever is on call for %(name)s", name=name)
    return directory.name_of(target)


def _service(each: Service, context: Context, w: Words) -> dict[str, object]:
    machine, name = each.machine, each.name
    rows = [
        (w.gettext("Machine"), machine.key),
        (w.gettext("Baseline"), w.percent(machine.baseline)),
        (w.gettext("Credits at most"), w.credits(machine.cap)),
        (w.gettext("Policy"), each.policy.name),
    ]
    rows += [(w.gettext("Owner"), _name(f"team:{each.owner}", context.directory, w))] if each.owner else []
    has = [
        (w.gettext("balancer"), name in context.balancers),
        (w.gettext("machines can be started"), name in context.machines),
        (w.gettext("access log"), name in context.logs),
        (w.gettext("data in care"), name in context.data),
    ]
    rows.append((w.gettext("Set up"), ", ".join(word for word, there in has if there) or "–"))
    return {"name": name, "rows": rows}


@get("/settings", opt={"right": "viewer"}, sync_to_thread=True)
def show_settings(request: Request[Any, Any, Any], state: State) -> Response[str]:
    """What bongsu.toml said when this server started."""
    context: Context = state.context
    w = words_of(request)
    access = context.access
    values = {
        "version": __version__,
        "started": w.time(context.started_at, near=context.wall.now()),
        "services": [_service(each, context, w) for each in context.services.values()],
        "policies": [(name, steps(each, context.directory, w)) for name, each in sorted(context.policies.items())],
        "routes": [(" ".join(map(str, r.matchers)), r.service, r.policy) for r in context.routing.routes],
        "otherwise": context.routing.default or "",
        "integrations": [
            (name, each.form, each.service or "", w.duration(each.times_out))
            for name, each in sorted(context.integrations.items())
        ],
        "rows": [
            (w.gettext("Database"), "SQLite" if context.db.is_sqlite else "PostgreSQL"),
            (w.gettext("Mails are from"), context.sender),
            (w.gettext("Links in mails begin with"), context.public_url),
            (w.gettext("Links are good for"), w.duration(context.link_expires)),
            (w.gettext("Looks every"), w.duration(context.watch_every)),
            (w.gettext("Channels beside mail"), ", ".join(sorted(context.channels)) or "–"),
            (w.gettext("Second channel"), context.second.name if context.second else "–"),
            (w.gettext("Without logging in"), w.gettext(access.anonymous.value)),
            (w.gettext("A session ends unused after"), w.duration(access.idle)),
        ],
    }
    return page(request, "settings.html", values)


settings_router = Router("/", route_handlers=[show_settings], exception_handlers=ERROR_PAGES, include_in_schema=False)
