"""Who was hurt in a window: what the words mean, and the figures with how far they can be trusted.

The counting itself is SQL over the access log (``adapters/counting_sql.py``); a test holds it against these
definitions, applied request by request.

- Failed: a 5xx, an answer broken off by the server, or no answer although the visitor waited longer than the limit.
- Slowed: not failed, and a request slower than its route's limit.
- Blocked: failed on a goal (to order, to pay), and no success of that goal after it, until ``grace`` after the window.
- Refused: neither failed nor slowed, but got one of ``REFUSALS`` on a route where that status came far more often than
  in the calm time (see ``Refusal``). Possibly affected, and no part of the affected.
- Active: seen at all.

A person is a signed-in user; a visitor's cookie that was seen with exactly one user is that user; any other cookie is
a visitor. ``identified`` counts what signed-in requests prove (lower bound), ``upper`` every person.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bongsu.core.diagnosis import Rise
from bongsu.core.missed import Estimate

SLOW_FACTOR = 4.0
SLOW_AT_LEAST = timedelta(seconds=1)
GRACE = timedelta(minutes=10)
MONITORING = ("/actuator", "/healthz", "/metrics")
"""Paths that begin so are scrapes and health checks, not users' requests."""
BOTS = (r"bot\b", "crawl", "spider", "slurp", "facebookexternalhit", "pingdom", "uptime", "kube-probe", "^Prometheus/")
"""User agents (regular expressions, in any case) of search engines and monitors."""
REFUSALS = (401, 403, 404, 409, 429)
"""Refusals of the application's own. A few are its business; a burst of them may be part of the trouble."""
REFUSED_FACTOR, REFUSED_AT_LEAST, REFUSED_PERCENT = 4, 20, 1
"""A burst: so many times the calm share of the route's requests, at least so many, and so much of them."""
CHANGING = "every POST, PUT, PATCH and DELETE"
"""What the goals are when none is named."""


@dataclass(frozen=True, slots=True)
class Rules:
    """How a service's requests are judged.

    ``slow_over``: a fixed limit, by route ("" for all others); without one the limit is ``SLOW_FACTOR`` times the
    route's calm p95, at least ``SLOW_AT_LEAST``. ``goals`` are (method, route); empty: every changing request.
    ``bots`` and ``synthetic`` are patterns of user agents, ``staff`` the log's tokens of users who are not customers,
    ``routes`` patterns of paths such as ``/products/{slug}`` that numbers alone do not show.
    """

    slow_over: Mapping[str, timedelta] = field(default_factory=dict)
    goals: tuple[tuple[str, str], ...] = ()
    grace: timedelta = GRACE
    bots: tuple[str, ...] = BOTS
    synthetic: tuple[str, ...] = ()
    staff: tuple[str, ...] = ()
    monitoring: tuple[str, ...] = MONITORING
    routes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Users:
    """Distinct people: ``identified`` by their own signed-in requests; ``upper`` adds visitors who may be others."""

    identified: int = 0
    upper: int = 0


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Requests that are not users', by why."""

    synthetic: int = 0
    monitoring: int = 0
    bots: int = 0
    staff: int = 0


@dataclass(frozen=True, slots=True)
class Refusal:
    """A burst of one status on one route; ``calm``: how many came in the calm time. ``users``: not hurt otherwise."""

    route: str
    status: int
    requests: int
    calm: int
    users: Users


@dataclass(frozen=True, slots=True)
class Impact:
    """Users hurt in a window beside those seen at all, and requests without those left out.

    ``left_early``: no answer, but gone before the limit; hurt nobody. ``nobody``: requests with neither user nor
    visitor, whose senders cannot be counted. ``blocked`` is None when the log does not tell the method.
    """

    affected: Users = Users()
    failed: Users = Users()
    slowed: Users = Users()
    active: Users = Users()
    requests: int = 0
    failed_requests: int = 0
    slow_requests: int = 0
    left_out: int = 0
    blocked: Users | None = None
    left_early: int = 0
    nobody: int = 0
    left_out_by: LeftOut = LeftOut()
    refused: Users = Users()


@dataclass(frozen=True, slots=True)
class RouteImpact:
    """The same for one route; ``limit_ms`` is from when a request there is slow, ``calm_p95_ms`` what it comes from."""

    route: str
    limit_ms: float
    calm_p95_ms: float | None
    requests: int
    failed_requests: int
    slow_requests: int
    affected: Users
    failed: Users
    blocked: Users | None = None


@dataclass(frozen=True, slots=True)
class Joined:
    """How the application's own log fits the edge's, by request id.

    ``skew_s``: how far the application's clock is ahead of the edge's, measured on fast requests; None when nothing
    matched. ``not_in_shop``: reached the edge and not the application; ``not_in_edge``: the edge's log
    lacks them.
    """

    matched: int = 0
    not_in_shop: int = 0
    not_in_edge: int = 0
    unusable: int = 0
    skew_s: float | None = None


@dataclass(frozen=True, slots=True)
class Coverage:
    """How whole the log is, over the calm time and the window.

    ``unusable``: lines that are no JSON object, or lack time, path or status. ``gaps``: times without a line in which
    many were to be expected. ``seen_until``: the last line up to the end of the grace time. ``not_joined``: why the
    application's own log, which is configured, is not part of the count.
    """

    files: tuple[str, ...] = ()
    lines: int = 0
    unusable: int = 0
    first_at: datetime | None = None
    seen_until: datetime | None = None
    gaps: tuple[tuple[datetime, datetime], ...] = ()
    joined: Joined | None = None
    not_joined: str = ""


@dataclass(frozen=True, slots=True)
class Sales:
    """The counters of orders, and of what they were worth, in the metrics store."""

    orders: str
    revenue: str = ""
    currency: str = ""


@dataclass(frozen=True, slots=True)
class Business:
    """Orders and money that were expected in the window and did not come; estimates, never counts.

    ``queries``: what the metrics store was asked; ``unknown``: why there is no estimate.
    """

    orders: Estimate | None = None
    revenue: Estimate | None = None
    currency: str = ""
    queries: tuple[str, ...] = ()
    unknown: str = ""


@dataclass(frozen=True, slots=True)
class Arrivals:
    """Users' requests from ``at`` on, by method and route such as ``GET /products/{id}``."""

    at: datetime
    by_route: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Traffic:
    """What the access log says of a window: who was hurt, what rose, and how the figures were made.

    ``query`` is the whole script that counted, ready to be run again in DuckDB. ``unseen``: requests that never came.
    """

    impact: Impact
    routes: tuple[Rise, ...]
    machines: tuple[Rise, ...]
    query: str
    source: str
    clients: tuple[Rise, ...] = ()
    by_route: tuple[RouteImpact, ...] = ()
    coverage: Coverage = field(default_factory=Coverage)
    unseen: Estimate | None = None
    refusals: tuple[Refusal, ...] = ()


@dataclass(frozen=True, slots=True)
class Measured:
    """The impact of a time on a service: what the access log counts, and what the sales let estimate.

    ``calm`` is the time it is compared with; times are service time. ``incident_id`` is "" for a time asked for.
    """

    service: str
    calm: tuple[datetime, datetime]
    window: tuple[datetime, datetime]
    grace: timedelta
    traffic: Traffic
    business: Business | None = None
    incident_id: str = ""
