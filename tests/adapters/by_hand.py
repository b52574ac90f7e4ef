"""Impact counted request by request, as core/impact.py defines it: slow, plain, and with nothing of the product's."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from bongsu.core.impact import Impact, LeftOut, Rules, Users

Line = dict[str, Any]
Times = tuple[datetime, datetime]


def at(line: Line) -> datetime:
    return datetime.fromisoformat(line["ts"])


def within(log: Sequence[Line], times: Times) -> list[Line]:
    return [line for line in log if times[0] <= at(line) < times[1]]


def route_of(line: Line, rules: Rules) -> str:
    for named in rules.routes:
        if re.fullmatch(re.sub(r"\\\{[^}]*\\\}", "[^/]+", re.escape(named)), line["path"]):
            return named
    return re.sub(r"/[0-9]+\b", "/{id}", line["path"])


def left_out(line: Line, rules: Rules) -> str:
    def agent_is(patterns: Iterable[str]) -> bool:
        return any(re.search(pattern, line.get("agent", ""), re.IGNORECASE) for pattern in patterns)

    if line.get("synthetic") or agent_is(rules.synthetic):
        return "synthetic"
    if line["path"].startswith(rules.monitoring):
        return "monitoring"
    if agent_is(rules.bots):
        return "bots"
    return "staff" if line.get("user") and line["user"] in rules.staff else ""


def p95(values: Sequence[float]) -> float | None:
    """With interpolation, as SQL's quantile_cont."""
    if not values:
        return None
    ordered = sorted(values)
    place = 0.95 * (len(ordered) - 1)
    low = int(place)
    return ordered[low] + (ordered[min(low + 1, len(ordered) - 1)] - ordered[low]) * (place - low)


@dataclass
class Judge:
    """The limits of a calm time, and what they make of a request."""

    rules: Rules
    calm: dict[str, float | None]

    def limit(self, route: str) -> float:
        if route in self.rules.slow_over:
            return self.rules.slow_over[route].total_seconds() * 1000
        if "" in self.rules.slow_over:
            return self.rules.slow_over[""].total_seconds() * 1000
        return max(1000.0, 4 * (self.calm.get(route) or 0.0))

    def gone(self, line: Line) -> bool:
        return int(line["status"]) <= 0 or line["status"] == 499

    def failed(self, line: Line) -> bool:
        if line["status"] >= 500 or line.get("termination", "")[:1] in ("S", "s"):
            return True
        return self.gone(line) and line["duration_ms"] > self.limit(route_of(line, self.rules))

    def slow(self, line: Line) -> bool:
        late = line["duration_ms"] > self.limit(route_of(line, self.rules))
        return late and not self.failed(line) and not self.gone(line)

    def succeeded(self, line: Line) -> bool:
        return not self.failed(line) and 100 <= line["status"] < 400


def owners(log: Sequence[Line]) -> dict[str, str]:
    """The user of every cookie that was seen with exactly one."""
    seen: dict[str, set[str]] = {}
    for line in log:
        if line["user"] and line["visitor"]:
            seen.setdefault(line["visitor"], set()).add(line["user"])
    return {visitor: min(users) for visitor, users in seen.items() if len(users) == 1}


def impact_by_hand(log: Sequence[Line], calm: Times, window: Times, rules: Rules = Rules()) -> Impact:  # noqa: B008
    known = [line for line in log if calm[0] <= at(line) < window[1] + rules.grace]
    users_lines = [line for line in known if not left_out(line, rules)]
    by_route: dict[str, list[float]] = {}
    for line in within(users_lines, calm):
        by_route.setdefault(route_of(line, rules), []).append(line["duration_ms"])
    judge = Judge(rules, {route: p95(values) for route, values in by_route.items()})
    owned = owners(users_lines)

    def person(line: Line) -> str:
        user = line["user"] or owned.get(line["visitor"], "")
        return f"u:{user}" if user else f"v:{line['visitor']}" if line["visitor"] else ""

    def users(lines: Iterable[Line]) -> Users:
        lines = list(lines)
        return Users(
            len({line["user"] for line in lines if line["user"]}), len({person(line) for line in lines} - {""})
        )

    now = within(users_lines, window)
    failed, slow = [x for x in now if judge.failed(x)], [x for x in now if judge.slow(x)]
    hurt, broken = users(failed + slow), users(failed)
    out = [left_out(line, rules) for line in within(known, window)]
    return Impact(
        affected=hurt,
        failed=broken,
        slowed=Users(hurt.identified - broken.identified, hurt.upper - broken.upper),
        active=users(now),
        requests=len(now),
        failed_requests=len(failed),
        slow_requests=len(slow),
        left_out=sum(map(bool, out)),
        blocked=_blocked(users_lines, window, judge, person) if any(x.get("method") for x in now) else None,
        left_early=sum(judge.gone(x) and not judge.failed(x) for x in now),
        nobody=sum(not person(x) for x in now),
        refused=_refused(within(users_lines, calm), now, judge, person, failed + slow),
        left_out_by=LeftOut(*(out.count(why) for why in ("synthetic", "monitoring", "bots", "staff"))),
    )


def _refused(before: list[Line], now: list[Line], judge: Judge, person: Any, hurt: list[Line]) -> Users:
    def refusals(lines: list[Line], route: str, status: int) -> list[Line]:
        return [
            x
            for x in lines
            if x["status"] == status
            and route_of(x, judge.rules) == route
            and x.get("termination", "")[:1] not in ("S", "s")
        ]

    def on(lines: list[Line], route: str) -> int:
        return sum(route_of(x, judge.rules) == route for x in lines)

    least, most = set(), set()
    for route, status in {(route_of(x, judge.rules), x["status"]) for x in now}:
        if status not in (401, 403, 404, 409, 429):
            continue
        got, calm = refusals(now, route, status), len(refusals(before, route, status))
        everything, everything_calm = on(now, route), on(before, route)
        far_more = len(got) * max(everything_calm, 1) > 4 * calm * everything
        if len(got) >= 20 and 100 * len(got) >= everything and far_more:
            least |= {person(x) for x in got if x["user"]}
            most |= {person(x) for x in got} - {""}
    return Users(len(least - {person(x) for x in hurt if x["user"]}), len(most - {person(x) for x in hurt}))


def _blocked(lines: Sequence[Line], window: Times, judge: Judge, person: Any) -> Users:
    rules = judge.rules
    at_least, at_most = set(), set()
    until = window[1] + rules.grace
    for line in within(lines, window):
        goal = (line["method"], route_of(line, rules))
        wanted = goal in rules.goals if rules.goals else goal[0] in ("POST", "PUT", "PATCH", "DELETE")
        who = person(line)
        if not wanted or not who or not judge.failed(line):
            continue
        later = [
            x
            for x in within(lines, (at(line), until))
            if person(x) == who and (x["method"], route_of(x, rules)) == goal and judge.succeeded(x)
        ]
        if not later:
            at_most.add(who)
            if line["user"]:
                at_least.add(who)
    return Users(len(at_least), len(at_most))


MINUTE = timedelta(minutes=1)
