"""Keep each machine's account of credits, foresee when it runs out, and tell metrics, pages and the policy's tiers."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bongsu.core import scoring
from bongsu.core.balance import Balance, fold
from bongsu.core.breach import Point
from bongsu.core.errors import BongsuError
from bongsu.core.outlook import KEPT, STEP_S, Course, Outlook, cause, plain, wanted
from bongsu.core.scoring import Score
from bongsu.core.service import Service
from bongsu.core.throttle import Cause, Diagnosis
from bongsu.engine import effort, forecasting
from bongsu.engine.context import Context
from bongsu.ports import Samples, Unavailable
from bongsu.store import balances
from bongsu.store.database import Transaction
from bongsu.telemetry import BURST_BALANCE, BURST_PROBABILITY, BURST_RESIDUAL, BURST_RUNWAY, BURST_THROTTLED

log = logging.getLogger("bongsu.burst")
STEP = timedelta(seconds=STEP_S)
GONE_AFTER = timedelta(days=7)
"""A machine without a sample for so long is forgotten."""


@dataclass(frozen=True, slots=True)
class Standing:
    """All that is known of one machine's credits now."""

    service: str
    machine: str
    balance: Balance
    diagnosis: Diagnosis
    outlook: Outlook
    score: Score
    problems: tuple[str, ...] = ()


def weigh(tx: Transaction, context: Context, service: Service, points: Sequence[Point]) -> tuple[Point, ...]:
    """Fold a look's points into the accounts; each comes back with the balance that the account had then, if known.

    In unlimited mode nobody is throttled when the credits are gone, so points keep what was measured.
    """
    machine, now = service.machine, context.clock.now()
    if machine.cap <= 0:
        return tuple(points)
    ledger = balances.to_change(tx, service.name)
    look = ledger.take(points, machine, now)
    balances.keep(tx, service.name, ledger)
    context.courses.know(service.name, look.steps)
    for name, faults in look.faults.items():
        context.courses.fault(service.name, name, faults)
    return tuple(look.points)


def foresee(context: Context) -> None:
    """Forecast every machine; a child searches for those within reach. Scores learn what has become of the last."""
    for service in context.services.values():
        if service.machine.cap > 0:
            remember(context, service)
            effort.learn(context, service)
            _foresee(context, service)


def remember(context: Context, service: Service) -> None:
    """Once after a start: what the metrics store knows of the past fills the courses and narrows the accounts."""
    if not context.courses.begin(service.name):
        return
    now = context.clock.now()
    try:
        found = {
            name: _past(context, service.signals[name], now) for name in ("cpu", "steal") if name in service.signals
        }
    except Unavailable as error:
        context.courses.again(service.name)
        log.warning("past of burst credits unavailable", extra={"service": service.name, "why": str(error)})
        return
    pasts: dict[str, Balance] = {}
    for name, samples in found.get("cpu", {}).items():
        steal = dict(found.get("steal", {}).get(name, ()))
        course, known = Course(), None
        for at, cpu in samples:
            known, _ = fold(known, (Point(at, name, cpu, steal=steal.get(at)),), service.machine, now)
            if known is not None and known.at == at:
                course.add(at, wanted(known, service.machine))
        context.courses.of(service.name, name).before(course)
        if known is not None:
            pasts[name] = known
    context.db.write(lambda tx: _narrow(tx, service, pasts, now))


def _past(context: Context, expression: str, now: datetime) -> Mapping[str, Samples]:
    """Fewer than the 11,000 points a series that the store answers at the most."""
    return context.metrics.values(expression, now - KEPT * STEP, now - STEP, STEP)


def _narrow(tx: Transaction, service: Service, pasts: Mapping[str, Balance], now: datetime) -> None:
    ledger = balances.to_change(tx, service.name)
    for name, past in pasts.items():
        balance = ledger.get(name)
        if balance is None or balance.known(service.machine):
            continue
        joined, _ = fold(past, (Point(balance.at, name, balance.demand, steal=balance.steal),), service.machine, now)
        if joined is not None:
            low = max(balance.low, joined.low, key=lambda each: each.balance)
            high = min(balance.high, joined.high, key=lambda each: each.balance)
            if low.balance <= high.balance:
                ledger.put(name, balance._replace(low=low, high=high))
    balances.keep(tx, service.name, ledger)


def _foresee(context: Context, service: Service) -> None:
    machine, now = service.machine, context.clock.now()
    kept = context.db.read(lambda tx: balances.of_service(tx, service.name))
    context.courses.know(service.name, kept.running())
    for name, balance in kept.items():
        course, demand = context.courses.of(service.name, name), wanted(balance, machine)
        if demand is None:
            demand = context.courses.effort(service.name, name).wants(balance.used, balance.steal or 0.0)
        if demand is not None:
            course.fill(balance.at, demand)
    outlooks = {
        name: plain(balance, machine, context.courses.of(service.name, name), now, 2 * STEP + service.stale)
        for name, balance in kept.items()
    }
    within = [name for name, outlook in outlooks.items() if outlook.method == "rate"]
    asked = [
        forecasting.Asked(
            context.courses.of(service.name, name).demand(now).tobytes(),
            machine.earn_per_minute / machine.vcpus,
            min(1.0, kept[name].credits / machine.cap),
        )
        for name in within
    ]
    try:
        found = dict(zip(within, forecasting.ask(asked), strict=True)) if asked else {}
    except BongsuError as error:  # the plain answers stand
        log.warning("no forecast", extra={"service": service.name, "why": str(error)})
        found = {}
    context.db.write(lambda tx: _settle(tx, context, service, outlooks, found, now))


def _settle(
    tx: Transaction,
    context: Context,
    service: Service,
    outlooks: Mapping[str, Outlook],
    found: Mapping[str, forecasting.Found],
    now: datetime,
) -> None:
    ledger, scores = balances.to_change(tx, service.name), dict[str, Score]()
    gone = {name for name, balance in ledger.items() if now - balance.at > GONE_AFTER}
    if gone:
        ledger.forget(gone)
        balances.keep(tx, service.name, ledger)
        for name in gone:
            balances.forget_score(tx, service.name, name)
            context.courses.forget(service.name, name)
    earlier = balances.scores_of(tx, service.name, to_change=True)
    for name, outlook in outlooks.items():
        balance = ledger.get(name)
        if balance is None:
            continue
        score = scores[name] = earlier.get(name) or Score()
        empty = balance.known(service.machine) and balance.credits <= service.machine.empty_below
        score.learn(now, empty, balance.credits / service.machine.cap)
        context.courses.outlooks[service.name, name] = _told(outlook, found.get(name), score, empty)
    balances.keep_scores(tx, service.name, scores)


def _told(outlook: Outlook, found: forecasting.Found | None, score: Score, empty: bool) -> Outlook:
    if found is not None:
        outlook = replace(
            outlook, method=found.method, p10=found.p10, p50=found.p50, p90=found.p90, curve=found.curve,
            fan=found.fan, similar=found.similar,
        )  # fmt: skip
    if outlook.method == "blind" or (found is None and outlook.method != "out_of_reach"):
        return outlook
    raw = {minutes: outlook.curve.get(minutes, 0.0) for minutes in scoring.LEARNT}
    if empty:
        return replace(outlook, within=dict.fromkeys(scoring.LEARNT, 1.0), warns=True)
    shown = score.say(outlook.at, raw)
    return replace(outlook, within=shown, warns=found is not None and score.warns(shown))


def standings(context: Context) -> list[Standing]:
    """Every machine of every service, as it stands."""
    now = context.clock.now()
    found = []
    for service in context.services.values():
        kept = context.db.read(lambda tx, s=service.name: balances.of_service(tx, s))  # type: ignore[misc]
        scores = context.db.read(lambda tx, s=service.name: balances.scores_of(tx, s))  # type: ignore[misc]
        context.courses.know(service.name, kept.running())
        for name, balance in sorted(kept.items()):
            course = context.courses.of(service.name, name)
            plainly = plain(balance, service.machine, course, now, 2 * STEP + service.stale)
            last = context.courses.outlooks.get((service.name, name))
            outlook = last if last is not None and plainly.method != "blind" else plainly
            outlook = replace(outlook, full_burn=plainly.full_burn, pace=plainly.pace)
            problems = context.courses.problems(service.name, name)
            why = cause(balance, service.machine, context.courses.effort(service.name, name))
            score = scores.get(name) or Score()
            found.append(Standing(service.name, name, balance, why, outlook, score, problems))
    return found


def expose(context: Context) -> None:
    """Set the metrics, at every scrape; what is not known has no series. Forecasts are as old as the last one."""
    for gauge in (BURST_BALANCE, BURST_RUNWAY, BURST_PROBABILITY, BURST_THROTTLED, BURST_RESIDUAL):
        gauge.clear()
    now = context.clock.now()
    for service in context.services.values():
        kept = context.db.read(lambda tx, s=service.name: balances.of_service(tx, s))  # type: ignore[misc]
        for name, balance in kept.items():
            mine = (service.name, name)
            known = balance.known(service.machine)
            if known:
                BURST_BALANCE.labels(*mine).set(balance.credits)
            BURST_THROTTLED.labels(*mine).set(cause(balance, service.machine).cause is Cause.CREDITS_GONE)
            if balance.residual is not None:
                BURST_RESIDUAL.labels(*mine).set(balance.residual)
            outlook = context.courses.outlooks.get(mine)
            if outlook is not None and known and now - balance.at <= 2 * STEP + service.stale:
                _expose_outlook(mine, outlook)


def _expose_outlook(mine: tuple[str, str], outlook: Outlook) -> None:
    for quantile, minutes in (("0.1", outlook.p10), ("0.5", outlook.p50), ("0.9", outlook.p90)):
        if minutes is not None:
            BURST_RUNWAY.labels(*mine, quantile).set(minutes * 60)
    for lead in scoring.SHOWN:
        if lead in outlook.within:
            BURST_PROBABILITY.labels(*mine, f"{lead}m").set(outlook.within[lead])
