"""Who was hurt: users with a failed or a slowed request in a window (counted exactly, by the rules below).

Failed: at least one request that ended in a 5xx or was broken off. Slowed: not failed, at least one request slower than
the route's limit (four times its calm p95, at least one second). Synthetic traffic, health checks and scrapes are left
out and counted apart. ``identified`` counts signed-in users alone (lower bound); ``upper`` adds visitors who never
signed in.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

SLOW_FACTOR = 4.0
SLOW_AT_LEAST_MS = 1000.0


@dataclass(frozen=True, slots=True)
class Request:
    """One line of the edge log. ``user`` and ``visitor`` are keyed hashes or empty; ``route`` is the path's pattern."""

    route: str
    status: int
    duration_ms: float
    user: str = ""
    visitor: str = ""
    synthetic: bool = False


@dataclass(frozen=True, slots=True)
class Users:
    """Distinct people: ``identified`` signed in; ``upper`` adds visitors who are not linked to a signed-in user."""

    identified: int = 0
    upper: int = 0


@dataclass(frozen=True, slots=True)
class Impact:
    """Users hurt in a window beside those seen at all, and requests. Left out: synthetic and monitoring requests."""

    affected: Users = Users()
    failed: Users = Users()
    slowed: Users = Users()
    active: Users = Users()
    requests: int = 0
    failed_requests: int = 0
    slow_requests: int = 0
    left_out: int = 0


def slow_over_ms(calm_p95_ms: float | None) -> float:
    """From what duration a request counts as slow."""
    return max(SLOW_AT_LEAST_MS, SLOW_FACTOR * (calm_p95_ms or 0.0))


def is_monitoring(route: str) -> bool:
    """Scrapes and health checks are not users' requests."""
    return route.startswith(("/actuator", "/healthz"))


def is_failed(status: int) -> bool:
    """A server error, or no answer at all (HAProxy writes -1)."""
    return status >= 500 or status <= 0


def count_impact(requests: Iterable[Request], calm_p95_ms: Mapping[str, float]) -> Impact:
    """Count by brute force. The report counts the same with DuckDB; a test holds one against the other."""
    failed: set[tuple[str, str]] = set()
    slowed: set[tuple[str, str]] = set()
    active: set[tuple[str, str]] = set()
    signed_in: set[str] = set()
    total = bad = slow = left_out = 0
    for request in requests:
        if request.synthetic or is_monitoring(request.route):
            left_out += 1
            continue
        total += 1
        who = (request.user, request.visitor)
        if request.user:
            signed_in.add(request.visitor)
        active.add(who)
        if is_failed(request.status):
            bad += 1
            failed.add(who)
        elif request.duration_ms > slow_over_ms(calm_p95_ms.get(request.route)):
            slow += 1
            slowed.add(who)
    hurt = failed | slowed
    return Impact(
        affected=_users(hurt, signed_in),
        failed=_users(failed, signed_in),
        slowed=_minus(_users(hurt, signed_in), _users(failed, signed_in)),
        active=_users(active, signed_in),
        requests=total,
        failed_requests=bad,
        slow_requests=slow,
        left_out=left_out,
    )


def _users(found: set[tuple[str, str]], signed_in: set[str]) -> Users:
    users = {user for user, _ in found if user}
    visitors = {visitor for user, visitor in found if not user and visitor and visitor not in signed_in}
    return Users(identified=len(users), upper=len(users) + len(visitors))


def _minus(all_hurt: Users, failed: Users) -> Users:
    return Users(all_hurt.identified - failed.identified, all_hurt.upper - failed.upper)
