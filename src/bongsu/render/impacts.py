"""An impact in words: who was hurt, what is only estimated, and how whole the log was; for pages and the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from bongsu.core.impact import Measured, RouteImpact, Users
from bongsu.core.missed import Estimate, Method
from bongsu.render.words import Words, clean

SKEW_WORTH_SAYING = 1.0
"""Seconds. Less is what requests themselves take."""


@dataclass(frozen=True, slots=True)
class Hurt:
    """A measured impact as sentences and rows."""

    measured: Measured
    w: Words

    @property
    def headline(self) -> str:
        """At least, and at most."""
        impact, w = self.measured.traffic.impact, self.w
        if not impact.requests:
            return w.gettext("No user sent a request in that time.")
        return w.gettext(
            "At least %(low)s users (identified) and at most %(high)s (with visitors who never signed in) of "
            "%(active)s active were affected.",
            low=w.number(impact.affected.identified),
            high=w.number(impact.affected.upper),
            active=w.number(impact.active.upper),
        )

    @property
    def window(self) -> str:
        """From when to when."""
        return self._span(self.measured.window)

    @property
    def requests(self) -> str:
        """How many requests, and how they went."""
        impact, w = self.measured.traffic.impact, self.w
        if not impact.requests:
            return ""
        return w.gettext(
            "%(all)s requests of users: %(failed)s failed (%(failed_share)s), %(slow)s slow (%(slow_share)s).",
            all=w.number(impact.requests),
            failed=w.number(impact.failed_requests),
            failed_share=w.percent(impact.failed_requests / impact.requests),
            slow=w.number(impact.slow_requests),
            slow_share=w.percent(impact.slow_requests / impact.requests),
        )

    @property
    def people(self) -> list[tuple[str, str, str, str]]:
        """Users by how they were hurt: name, at least, at most, share of the active ones at most."""
        impact, w = self.measured.traffic.impact, self.w
        named: list[tuple[str, Users | None]] = [
            (w.gettext("Affected"), impact.affected),
            (w.gettext("of these, a request failed"), impact.failed),
            (w.gettext("of these, slowed only"), impact.slowed),
            (w.gettext("of these, did not reach their goal"), impact.blocked),
            (w.gettext("Active in that time"), impact.active),
        ]
        if impact.refused.upper:
            named.insert(-1, (w.gettext("Beside these, possibly: refused far more than before"), impact.refused))
        return [(name, *self._users(users), self._share(users)) for name, users in named]

    def _share(self, users: Users | None) -> str:
        active = self.measured.traffic.impact.active.upper
        return self.w.percent(users.upper / active) if users and active else ""

    def _users(self, users: Users | None) -> tuple[str, str]:
        unknown = self.w.gettext("unknown")
        return (self.w.number(users.identified), self.w.number(users.upper)) if users else (unknown, unknown)

    @property
    def routes(self) -> list[tuple[str, ...]]:
        """By route: name, requests, failed, slow, slow from, users failed, affected at least and at most, blocked."""
        return [self._route(each) for each in self.measured.traffic.by_route]

    def _route(self, each: RouteImpact) -> tuple[str, ...]:
        w = self.w
        low, high = self._users(each.affected)
        return (
            clean(each.route) or w.gettext("(no path)"),
            w.number(each.requests),
            w.number(each.failed_requests),
            w.number(each.slow_requests),
            w.latency(each.limit_ms / 1000),
            low,
            high,
            self._users(each.blocked)[1],
        )

    @property
    def estimates(self) -> list[str]:
        """What did not come: never part of the counts."""
        return list(self._estimated())

    def _estimated(self) -> Iterator[str]:
        w, business = self.w, self.measured.business
        yield self._missing(w.gettext("Requests that never reached us"), self.measured.traffic.unseen)
        if business is None:
            return
        if business.unknown:
            yield w.gettext("Orders missed: not known, %(why)s.", why=clean(business.unknown))
        if business.orders:
            yield self._missing(w.gettext("Orders missed"), business.orders)
        if business.revenue:
            named = w.gettext("Revenue missed, in %(currency)s", currency=clean(business.currency))
            yield self._missing(named, business.revenue)

    def _missing(self, what: str, found: Estimate | None) -> str:
        w = self.w
        if found is None:
            return w.gettext("%(what)s: not known, there is no time to compare with.", what=what)
        by = (
            w.ngettext("the same hours of %(n)s earlier day", "the same hours of %(n)s earlier days", found.compared)
            if found.method is Method.SAME_HOURS
            else w.gettext("the calm time before, as if it had gone on")
        )
        named = {"what": what, "by": by, "seen": w.number(found.seen), "expected": w.number(found.expected)}
        if not found.missing:
            return w.gettext(
                "%(what)s: none by this estimate; %(seen)s came, %(expected)s were expected by %(by)s.", **named
            )
        return w.gettext(
            "%(what)s: about %(missing)s (%(low)s to %(high)s, 95 %%). An estimate: %(seen)s came, %(expected)s were "
            "expected by %(by)s.",
            missing=w.number(found.missing),
            low=w.number(found.missing_low),
            high=w.number(found.missing_high),
            **named,
        )

    @property
    def left_out(self) -> str:
        """Which requests are not users', and are counted apart."""
        by, w = self.measured.traffic.impact.left_out_by, self.w
        return w.gettext(
            "Counted apart, not as users: %(synthetic)s synthetic requests, %(monitoring)s of health checks and "
            "scrapes, %(bots)s of bots, %(staff)s of staff.",
            synthetic=w.number(by.synthetic),
            monitoring=w.number(by.monitoring),
            bots=w.number(by.bots),
            staff=w.number(by.staff),
        )

    @property
    def doubts(self) -> list[str]:
        """What the log lacks or leaves open: measured, never guessed."""
        return [*self._of_refusals(), *self._of_lines(), *self._of_people(), *self._of_the_join()]

    def _of_refusals(self) -> Iterator[str]:
        w = self.w
        for each in self.measured.traffic.refusals:
            yield w.gettext(
                "%(n)s requests to %(route)s were refused with %(status)s, against %(calm)s in the calm time: "
                "%(users)s users who were not hurt otherwise are possibly affected.",
                n=w.number(each.requests),
                route=clean(each.route),
                status=str(each.status),
                calm=w.number(each.calm),
                users=w.number(each.users.upper),
            )

    def _of_lines(self) -> Iterator[str]:
        w, found = self.w, self.measured.traffic.coverage
        for gap in found.gaps:
            yield w.gettext(
                "The log has no line from %(span)s although many were to be expected. Who came then is not counted; "
                "if the log was rotated, name the older files in access_log too.",
                span=self._span(gap),
            )
        if found.unusable:
            yield w.ngettext(
                "%(n)s line is half or of another kind and is not counted.",
                "%(n)s lines are half or of another kind and are not counted.",
                found.unusable,
            )
        if not self._calm_lines():
            yield w.gettext("The log has no calm time before: a request counts as slow from the least limit.")

    def _calm_lines(self) -> bool:
        return any(route.calm_p95_ms is not None for route in self.measured.traffic.by_route)

    def _of_people(self) -> Iterator[str]:
        w, impact = self.w, self.measured.traffic.impact
        until = self.measured.window[1] + self.measured.grace
        seen = self.measured.traffic.coverage.seen_until
        if impact.blocked is None:
            yield w.gettext("Who did not reach their goal is not known: the log does not tell methods.")
        elif impact.blocked.upper and (seen is None or seen < until - timedelta(minutes=1)):
            yield w.gettext(
                "Who did not reach their goal is counted up to %(time)s, where the log ends; some may reach it yet.",
                time=w.time(seen or self.measured.window[1], near=self.measured.window[0], seconds=True),
            )
        if impact.nobody:
            yield w.ngettext(
                "%(n)s request carried neither user nor visitor: its sender is not counted.",
                "%(n)s requests carried neither user nor visitor: their senders are not counted.",
                impact.nobody,
            )
        if impact.left_early:
            yield w.ngettext(
                "%(n)s request was given up before it was slow: that hurt nobody by our count.",
                "%(n)s requests were given up before they were slow: that hurt nobody by our count.",
                impact.left_early,
            )

    def _of_the_join(self) -> Iterator[str]:
        w, joined, why = self.w, self.measured.traffic.coverage.joined, self.measured.traffic.coverage.not_joined
        if why:
            yield w.gettext("The application's own log could not be joined: %(why)s.", why=clean(why))
        if joined is None:
            return
        yield w.gettext(
            "Joined with the application's log by request id: %(both)s requests in both; %(edge)s reached the balancer "
            "and not the application; %(shop)s stand in the application's log alone.",
            both=w.number(joined.matched),
            edge=w.number(joined.not_in_shop),
            shop=w.number(joined.not_in_edge),
        )
        if joined.skew_s is not None and abs(joined.skew_s) >= SKEW_WORTH_SAYING:
            yield w.gettext(
                "The application's clock is %(seconds)s s off the balancer's. The counts go by the balancer's alone.",
                seconds=f"{joined.skew_s:+.1f}",
            )

    @property
    def definitions(self) -> str:
        """What the words mean."""
        w = self.w
        return w.gettext(
            "Failed: an answer of 5xx, one broken off, or none though the limit had passed. Slow: over the route's "
            "limit. Goal not reached: a changing request failed, and none of the kind succeeded after it until "
            "%(grace)s after the window. Somebody who never signs in counts once per browser. Not included: whoever "
            "never reached the balancer.",
            grace=w.duration(self.measured.grace),
        )

    @property
    def files(self) -> str:
        """Where the figures come from."""
        return clean(self.measured.traffic.source)

    def _span(self, times: tuple[datetime, datetime]) -> str:
        since, until = times
        return f"{self.w.time(since, seconds=True)} – {self.w.time(until, near=since, seconds=True)}"
