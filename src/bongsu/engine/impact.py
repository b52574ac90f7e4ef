"""Measure an impact: the access log is counted, the sales are estimated from the metrics store."""

from __future__ import annotations

from datetime import datetime, timedelta

from bongsu.core.errors import InvalidInput
from bongsu.core.impact import Business, Measured, Sales
from bongsu.core.missed import Estimate, Method, estimate
from bongsu.core.timescale import Timescale
from bongsu.engine.context import Context
from bongsu.ports import AccessLog, Metrics, Unavailable
from bongsu.store import incidents

CALM = timedelta(minutes=30)
"""How long before a breach counts as calm, to compare with."""
ONSET = timedelta(minutes=2)
"""How long before a breach the calm ends: the CPU is a mean over some scrapes, and crosses after the traffic rose."""
DAYS = 7
WHOLE = 0.8
"""The share of the samples of the fullest time that one must have to be compared with."""
PARTS = 6
"""Into how many parts the calm time is cut to see its scatter."""


def of_incident(context: Context, incident_id: str) -> Measured:
    """The impact of an incident, from its first sample over the limit to its end. Raises NotFound, Unavailable."""
    incident = context.db.read(lambda tx: incidents.load(tx, incident_id))
    if incident.service not in context.logs:
        raise Unavailable(f"service.{incident.service} has no access_log in bongsu.toml, so nobody can be counted")
    since = incident.began_at or incident.opened_at
    ended = incident.mitigated_at if not incident.seen.holding else None
    service = context.services.get(incident.service)
    return measure(
        incident.service,
        context.logs[incident.service],
        (since, ended or context.clock.now()),
        sales=service.sales if service else None,
        metrics=context.metrics,
        timescale=context.timescale,
        incident_id=incident_id,
    )


def calm_before(since: datetime, calm: timedelta = CALM) -> tuple[datetime, datetime]:
    """The calm time that a time from ``since`` on is compared with."""
    return since - ONSET - calm, since - ONSET


def measure(
    service: str,
    log: AccessLog,
    window: tuple[datetime, datetime],
    *,
    sales: Sales | None,
    metrics: Metrics,
    timescale: Timescale,
    calm: timedelta = CALM,
    incident_id: str = "",
) -> Measured:
    """The impact of a time. Raises Unavailable without a log, and InvalidInput when the time is none."""
    if window[1] <= window[0]:
        raise InvalidInput([f"the time from {window[0]} to {window[1]} ends before it begins; give --from before --to"])
    before = calm_before(window[0], calm)
    traffic = log.traffic(before, window)
    business = _business(sales, metrics, timescale, before, window) if sales else None
    return Measured(service, before, window, log.grace, traffic, business, incident_id)


def _business(
    sales: Sales, metrics: Metrics, scale: Timescale, calm: tuple[datetime, datetime], window: tuple[datetime, datetime]
) -> Business:
    asked = Sold(metrics, scale)
    try:
        orders, compared = _orders(sales, asked, calm, window)
        worth = asked.mean_value(sales, compared) if orders and sales.revenue else None
    except Unavailable as error:
        return Business(currency=sales.currency, queries=tuple(asked.queries), unknown=str(error))
    return Business(
        orders=orders,
        revenue=orders.times(worth) if orders and worth is not None else None,
        currency=sales.currency,
        queries=tuple(asked.queries),
        unknown="" if orders else "the metrics store has no orders to compare with",
    )


def _orders(
    sales: Sales, asked: Sold, calm: tuple[datetime, datetime], window: tuple[datetime, datetime]
) -> tuple[Estimate | None, list[tuple[datetime, datetime]]]:
    """Orders against the same hours of earlier days, else against the calm time; and the times compared with."""
    seen = asked.count(sales.orders, window)
    if seen is None:
        return None, []
    day, length = timedelta(days=1), window[1] - window[0]
    days = [(window[0] - n * day, window[1] - n * day) for n in range(1, DAYS + 1)] if length <= day else []
    counts = _whole(asked, sales.orders, days)
    if counts:
        found = estimate(Method.SAME_HOURS, [n for _, n in counts], seen)
        return found, [times for times, _ in counts]
    part = (calm[1] - calm[0]) / PARTS
    parts = [(calm[0] + n * part, calm[0] + (n + 1) * part) for n in range(PARTS)]
    counts = _whole(asked, sales.orders, parts)
    found = estimate(Method.CALM_RATE, [n for _, n in counts], seen, length / part)
    return found, [times for times, _ in counts]


def _whole(
    asked: Sold, counter: str, several: list[tuple[datetime, datetime]]
) -> list[tuple[tuple[datetime, datetime], float]]:
    """How far the counter rose in each time that the store has (nearly) whole; half a day would expect too little."""
    samples = [asked.samples(counter, times) for times in several]
    least = WHOLE * max(samples, default=0.0)
    full = [times for times, found in zip(several, samples, strict=True) if found and found >= least]
    return [(times, n) for times in full if (n := asked.count(counter, times)) is not None]


class Sold:
    """Asks the metrics store how far counters rose, and remembers the queries."""

    def __init__(self, metrics: Metrics, scale: Timescale) -> None:
        self._metrics, self._scale = metrics, scale
        self.queries: list[str] = []

    def count(self, counter: str, times: tuple[datetime, datetime]) -> float | None:
        """How far a counter rose, all its series together; None when there are no samples. Missing is not zero."""
        query = f"sum(increase({counter}[{self._milliseconds(times)}ms]))"
        if query not in self.queries:
            self.queries.append(query)
        return self._value(query, times)

    def samples(self, counter: str, times: tuple[datetime, datetime]) -> float:
        """How many samples the fullest series of a counter has."""
        return self._value(f"max(count_over_time({counter}[{self._milliseconds(times)}ms]))", times) or 0.0

    def _milliseconds(self, times: tuple[datetime, datetime]) -> int:
        return max(1, round(self._scale.wall_span(times[1] - times[0]).total_seconds() * 1000))

    def _value(self, query: str, times: tuple[datetime, datetime]) -> float | None:
        found = self._metrics.values(query, times[1], times[1], times[1] - times[0])
        return next((value for samples in found.values() for _, value in samples), None)

    def mean_value(self, sales: Sales, compared: list[tuple[datetime, datetime]]) -> float | None:
        """What an order was worth in the times compared with."""
        orders = sum(self.count(sales.orders, times) or 0.0 for times in compared)
        revenue = sum(self.count(sales.revenue, times) or 0.0 for times in compared)
        return revenue / orders if orders > 0 else None
