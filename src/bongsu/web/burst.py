"""Burst credits: the API and the board."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, Router, get
from litestar.datastructures import State
from markupsafe import Markup

from bongsu.core.burst import Mode
from bongsu.core.credits import cost
from bongsu.core.throttle import Witness
from bongsu.engine import burst
from bongsu.engine.burst import Standing
from bongsu.engine.context import Context
from bongsu.render.burst import ahead, fan, rests_on, sentence, why
from bongsu.render.words import Words
from bongsu.web.pages import ERROR_PAGES, page, words_of

VIEWER = {"right": "viewer"}


@get("/api/burst", sync_to_thread=True, opt=VIEWER)
def list_burst(state: State) -> list[dict[str, Any]]:
    """Every machine: its balance, how long it lasts, why it is slow, and how its forecasts did."""
    context: Context = state.context
    return [_view(each, context) for each in burst.standings(context)]


def _view(each: Standing, context: Context) -> dict[str, Any]:
    kind = context.services[each.service].machine
    balance, outlook = each.balance, each.outlook
    said = {locale: Words(locale) for locale in ("en", "ko")}
    known = balance.known(kind)
    return {
        "service": each.service,
        "machine": each.machine,
        "type": kind.key,
        "mode": kind.mode,
        "at": balance.at.isoformat(),
        "cpu": balance.used,
        "baseline": kind.earn_per_minute / kind.vcpus,
        "cap": kind.cap,
        "balance": balance.credits if known else None,
        "at_least": balance.low.balance,
        "at_most": balance.high.balance,
        "measured_at": balance.measured_at.isoformat() if balance.measured_at else None,
        "residual": balance.residual,
        "cause": each.diagnosis.cause,
        "wants": dict(each.diagnosis.witnesses).get(Witness.WANTS),
        "charged": balance.high.charged,
        "cost": cost(balance.high, kind) if kind.mode is Mode.UNLIMITED else None,
        "forecast": {
            "at": outlook.at.isoformat(),
            "method": outlook.method,
            "full_burn_min": outlook.full_burn,
            "pace_min": outlook.pace,
            "p10_min": outlook.p10,
            "p50_min": outlook.p50,
            "p90_min": outlook.p90,
            "within_min": {str(minutes): p for minutes, p in outlook.within.items()},
            "balance_p10_p50_p90": {
                str(minutes): [each * kind.cap for each in told] for minutes, told in outlook.fan.items()
            },
            "similar": outlook.similar,
            "history_h": outlook.hours,
            "warns": outlook.warns,
        },
        "score": {
            str(minutes): {
                "number": tally.number,
                "said": tally.said / tally.number if tally.number else None,
                "happened": tally.happened / tally.number if tally.number else None,
                "skill": tally.skill,
            }
            for minutes, tally in each.score.tallies.items()
        },
        "problems": each.problems,
        "said": {locale: sentence(balance, kind, outlook, w) for locale, w in said.items()},
        "rests_on": {locale: rests_on(outlook, w) for locale, w in said.items()},
        "why": {locale: why(each.diagnosis, w) for locale, w in said.items()},
    }


def _charts(each: Standing, context: Context, w: Words) -> list[Markup]:
    service = context.services[each.service]
    runway = service.policy.runway
    alarm = runway.full_burn_under if runway else None
    drawn = (fan(each.balance, service.machine, each.outlook, alarm, w), ahead(each.outlook, w))
    return [chart for chart in drawn if chart is not None]


@get("/burst", sync_to_thread=True, opt=VIEWER)
def board(request: Request[Any, Any, Any], state: State) -> Response[str]:
    """The burst board."""
    context: Context = state.context
    w = words_of(request)
    rows = [
        {**_view(each, context), "charts": _charts(each, context, w), "kind": context.services[each.service].machine}
        for each in burst.standings(context)
    ]
    return page(request, "burst.html", {"rows": rows, "locale": w.locale})


burst_router = Router("/", route_handlers=[list_burst])
"""The API."""
board_router = Router("/", route_handlers=[board], exception_handlers=ERROR_PAGES, include_in_schema=False)
"""The page."""
