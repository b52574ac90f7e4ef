"""A service's access log: who was hurt and what rose, counted in a child process, so that the server stays small."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from bongsu.adapters import logfiles
from bongsu.adapters.counting import Counted, Fault, Piece, Task
from bongsu.adapters.counting_sql import FINE, PARTS, Span, spans_of
from bongsu.core.diagnosis import Rise, what_rose
from bongsu.core.impact import Arrivals, Coverage, Impact, Joined, LeftOut, Refusal, RouteImpact, Rules, Traffic, Users
from bongsu.core.missed import Estimate, Method, estimate
from bongsu.core.timescale import Timescale
from bongsu.ports import Unavailable

GAP_LINES = 30
"""A time without a line is a gap when so many were to be expected in it."""
MOST_CLIENTS = 20
DAY = timedelta(days=1)
_ANSWER: msgspec.json.Decoder[Counted | Fault] = msgspec.json.Decoder(Counted | Fault)


@dataclass(frozen=True, slots=True)
class EdgeLog:
    """The log of one service's balancer, and if there is one the application's own, by patterns of file names."""

    edge: tuple[Path, ...]
    timescale: Timescale
    rules: Rules = field(default_factory=Rules)
    shop: tuple[Path, ...] = ()
    threads: int = 1
    memory_mib: int = 512
    timeout: float = 120.0

    @property
    def grace(self) -> timedelta:
        """How long after a time its users may still reach their goal."""
        return self.rules.grace

    def traffic(self, calm: tuple[datetime, datetime], window: tuple[datetime, datetime]) -> Traffic:
        """Count both times. Raises Unavailable with every fault of the edge's files; the others it can spare."""
        wall = self.timescale.to_wall
        shop, why = self._shop()
        task = Task(
            spans=spans_of(
                (wall(calm[0]), wall(calm[1])),
                (wall(window[0]), wall(window[1])),
                self.timescale.wall_span(self.rules.grace),
                self.timescale.wall_span(DAY),
            ),
            rules=self.rules,
            edge=tuple(map(str, logfiles.found(self.edge))),
            shop=shop,
            threads=self.threads,
            memory_mib=self.memory_mib,
        )
        return Reading(task, self._count(task), self.timescale, why).traffic()

    def arrivals(self, window: tuple[datetime, datetime], step: timedelta) -> tuple[Arrivals, ...]:
        """Users' requests in each ``step`` that had one. Raises Unavailable with every fault of the edge's files."""
        span = Span("window", self.timescale.to_wall(window[0]), self.timescale.to_wall(window[1]))
        task = Task(
            spans=(span,),
            rules=self.rules,
            edge=tuple(map(str, logfiles.found(self.edge))),
            shop=self._shop()[0],
            threads=self.threads,
            memory_mib=self.memory_mib,
            every=self.timescale.wall_span(step).total_seconds(),
        )
        found: dict[int, dict[str, int]] = {}
        for part, route, count in self._count(task).figures["arrivals"]:
            found.setdefault(part, {})[str(route).strip()] = count
        return tuple(Arrivals(window[0] + part * step, by_route) for part, by_route in sorted(found.items()))

    def _shop(self) -> tuple[tuple[str, ...], str]:
        """The application's files, or why there are none."""
        try:
            return tuple(map(str, logfiles.found(self.shop, "log of the application"))), ""
        except Unavailable as error:
            return (), str(error)

    def _count(self, task: Task) -> Counted:
        named = ", ".join(map(str, self.edge))
        try:
            child = subprocess.run(
                [sys.executable, "-m", "bongsu.adapters.counting"],
                input=msgspec.json.encode(task),
                capture_output=True,
                timeout=self.timeout,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise Unavailable(f"counting {named} took longer than {self.timeout:g} s; ask for a shorter time") from None
        if child.returncode != 0:
            raise Unavailable(f"counting {named} failed: {child.stderr.decode(errors='replace')[-500:].strip()}")
        answer = _ANSWER.decode(child.stdout)
        if isinstance(answer, Fault):
            raise Unavailable(f"counting {named}: {answer.fault}")
        return answer


@dataclass(frozen=True, slots=True)
class Reading:
    """The child's figures as core values, in service time."""

    task: Task
    counted: Counted
    timescale: Timescale
    not_joined: str = ""

    def traffic(self) -> Traffic:
        """Everything."""
        return Traffic(
            impact=self._impact(),
            routes=self._rises("route"),
            machines=self._rises("server"),
            query=self.counted.script,
            source=", ".join([*self.task.edge, *self.task.shop]),
            clients=self._rises("client")[:MOST_CLIENTS],
            by_route=self._by_route(),
            coverage=self._coverage(),
            unseen=self._unseen(),
            refusals=tuple(
                Refusal(route, status, int(n), int(calm), Users(least, most))
                for route, status, n, calm, least, most in self._rows("refusals")
            ),
        )

    def _rows(self, name: str) -> list[list[Any]]:
        return self.counted.figures[name]

    def _span(self, name: str) -> Span:
        return next(each for each in self.task.spans if each.name == name)

    def _pieces(self, span: str) -> list[Piece]:
        return [each for each in self.counted.pieces if each.span == span]

    def _impact(self) -> Impact:
        row = [int(each or 0) for each in self._rows("all")[0]]
        affected, failed, active = Users(row[0], row[1]), Users(row[2], row[3]), Users(row[4], row[5])
        left = {name: int(n) for name, n in self._rows("left_out")}
        return Impact(
            affected=affected,
            failed=failed,
            slowed=Users(affected.identified - failed.identified, affected.upper - failed.upper),
            active=active,
            requests=row[6],
            failed_requests=row[7],
            slow_requests=row[8],
            left_out=sum(left.values()),
            blocked=Users(*self._rows("blocked")[0]) if self._methods() else None,
            left_early=row[9],
            nobody=row[10],
            left_out_by=LeftOut(**left),
            refused=Users(*self._rows("refused")[0]),
        )

    def _methods(self) -> bool:
        """Whether the log tells the methods, without which there are no goals."""
        return bool(self._rows("methods")[0][0])

    def _by_route(self) -> tuple[RouteImpact, ...]:
        blocked = {route: Users(least, most) for route, least, most in self._rows("blocked_by_route")}
        return tuple(
            RouteImpact(
                route=row[0],
                limit_ms=row[1],
                calm_p95_ms=row[2],
                requests=int(row[9]),
                failed_requests=int(row[10]),
                slow_requests=int(row[11]),
                affected=Users(row[3], row[4]),
                failed=Users(row[5], row[6]),
                blocked=blocked.get(row[0], Users()) if self._methods() else None,
            )
            for row in self._rows("by_route")
        )

    def _rises(self, name: str) -> tuple[Rise, ...]:
        """Rates per second; the calm time counts from its first line, for the log may begin inside it."""
        calm, window = self._span("calm"), self._span("window")
        first = next((each.first_at for each in self._pieces("calm")), calm.until)
        before_s, during_s = (calm.until - first).total_seconds(), (window.until - window.since).total_seconds()
        rows = [row for row in self._rows(name) if row[0]]
        before = {each: float(n) / before_s for each, n, _ in rows if before_s > 0}
        during = {each: float(n) / during_s for each, _, n in rows if during_s > 0}
        return what_rose(before, during)

    def _coverage(self) -> Coverage:
        known = [piece for piece in self.counted.pieces if piece.span in ("calm", "onset", "window")]
        last = [piece.last_at for piece in self.counted.pieces if piece.span in ("window", "after")]
        service = self.timescale.to_service
        return Coverage(
            files=(*self.task.edge, *self.task.shop),
            lines=sum(piece.lines for piece in known),
            unusable=int(self._rows("unusable")[0][0]),
            first_at=service(min(piece.first_at for piece in known)) if known else None,
            seen_until=service(max(last)) if last else None,
            gaps=tuple((service(since), service(until)) for since, until in self._gaps(known)),
            joined=self._joined() if self.task.shop else None,
            not_joined=self.not_joined,
        )

    def _gaps(self, known: Sequence[Piece]) -> list[tuple[datetime, datetime]]:
        """Where the log is silent although many lines were to be expected, at the rate of the calm time."""
        calm, until = self._span("calm"), self._span("window").until
        marks = sorted(known, key=lambda piece: piece.first_at)
        edges = [calm.since, *(at for piece in marks for at in (piece.first_at, piece.last_at)), until]
        if not marks:
            return [(calm.since, until)] if until > calm.since else []
        own = [piece for piece in marks if piece.span == "calm"]
        lines, length = sum(piece.lines for piece in own or marks), (calm.until if own else until) - marks[0].first_at
        silent = zip(edges[::2], edges[1::2], strict=True)
        return [each for each in silent if length and lines * ((each[1] - each[0]) / length) >= GAP_LINES]

    def _joined(self) -> Joined:
        matched, alone = self._rows("matched")[0]
        skew = self._rows("skew")[0][0]
        return Joined(
            matched=int(matched),
            not_in_shop=int(alone),
            not_in_edge=int(self._rows("not_in_edge")[0][0]),
            unusable=int(self._rows("shop_unusable")[0][0]),
            skew_s=None if skew is None else round(float(skew), 3),
        )

    def _unseen(self) -> Estimate | None:
        """Requests that were expected and did not reach us: by the same hours of days the log holds whole, else by the
        calm time."""
        seen = float(self._impact().requests)
        days = [float(n) for span, n, _ in self._rows("days") if len(self._pieces(span)) == PARTS]
        if days:
            return estimate(Method.SAME_HOURS, days, seen)
        per_part = FINE // PARTS
        parts = [0.0] * PARTS
        for piece in self._pieces("calm"):
            parts[min(piece.part // per_part, PARTS - 1)] += piece.counted
        calm, window = self._span("calm"), self._span("window")
        whole = parts[next((n for n, count in enumerate(parts) if count), PARTS) :]  # the log may begin inside
        length = (calm.until - calm.since) / PARTS
        return estimate(Method.CALM_RATE, whole[1:], seen, (window.until - window.since) / length) if length else None
