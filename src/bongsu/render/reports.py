"""An incident report in words: a page that stands alone and prints, or Markdown for the team's own wiki."""

from __future__ import annotations

import base64
import functools
import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

from markupsafe import Markup

from bongsu.core.diagnosis import Rise
from bongsu.core.followup import Written
from bongsu.core.incident import Kind
from bongsu.core.report import Act, Delivery, Report, Source
from bongsu.core.service import BLIND, SOURCE
from bongsu.render.charts import charts_of, spark_of
from bongsu.render.followup import item_row, markdown, section_words
from bongsu.render.impacts import Hurt
from bongsu.render.terms import action_word, delivery_word, kind_word, status_word
from bongsu.render.timeline import timeline_words
from bongsu.render.words import N_, STYLES, Words, clean, environment, spoken

NOTHING = Written()
__all__ = ["report_html", "report_md", "style_hash", "timeline_words"]


def report_html(report: Report, locale: str, zone: tzinfo = UTC, written: Written = NOTHING) -> str:
    """The report as a page without any outside part. ``written``: what people have added."""
    w = Words(spoken(locale), zone)
    values = {"style": Markup(_style()), "charts": charts_of(report, w)}  # noqa: S704 - our own style sheet
    return (
        environment(w.locale).get_template("report.html").render(r=report, w=w, told=Told(report, w, written), **values)
    )


def report_md(report: Report, locale: str, zone: tzinfo = UTC, written: Written = NOTHING) -> str:
    """The report as Markdown."""
    w = Words(spoken(locale), zone)
    return environment(w.locale).get_template("report.md").render(r=report, w=w, told=Told(report, w, written))


@functools.cache
def _style() -> str:
    return "".join((STYLES / name).read_text(encoding="utf-8") for name in ("ground.css", "charts.css", "report.css"))


@functools.cache
def style_hash() -> str:
    """What a Content-Security-Policy must name for the page's own style to count."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(_style().encode()).digest()).decode()}'"


@dataclass(frozen=True, slots=True)
class Told:
    """The report's figures as sentences and rows, shared by both forms."""

    report: Report
    w: Words
    added: Written = NOTHING

    @property
    def written(self) -> list[tuple[str, Markup]]:
        """What people wrote, as title and HTML."""
        return [(title, markdown(text)) for title, text in self.written_md]

    @property
    def written_md(self) -> list[tuple[str, str]]:
        """What people wrote, as title and Markdown."""
        return [(title, text) for name, title in section_words(self.w).items() if (text := self.added.text(name))]

    @property
    def items(self) -> list[tuple[str, str, str, str]]:
        """Action items: what, who, until when, and how it stands."""
        return [item_row(each, self.w) for each in self.added.items]

    @property
    def earlier(self) -> str:
        """Earlier incidents of the same kind; empty when there is none."""
        ids = self.added.earlier
        if not ids:
            return ""
        return self.w.ngettext(
            "%(n)s earlier incident of the same service and policy in 90 days: %(ids)s.",
            "%(n)s earlier incidents of the same service and policy in 90 days: %(ids)s.",
            len(ids), ids=", ".join(ids[:10]),
        )  # fmt: skip

    @property
    def approved(self) -> str:
        """Who approved it; empty when nobody did."""
        approval = self.added.approval
        if approval is None:
            return ""
        at = self.w.time(approval.at)
        return self.w.gettext("Approved by %(by)s at %(at)s.", by=clean(approval.by), at=at)

    @property
    def from_alerts(self) -> bool:
        """Whether alerts from outside speak for the incident, not the watch."""
        return bool(self.report.cause) and self.report.cause not in _CAUSE

    @property
    def summary(self) -> str:
        """The whole in a few sentences."""
        r, w = self.report, self.w
        time = w.duration(r.elapsed_s)
        named = {"service": r.service, "time": time, "since": w.time(r.started_at)}
        if r.service == SOURCE and r.policy == BLIND:
            said = w.gettext("Prometheus did not answer from %(since)s.", **named)
        elif r.policy == BLIND:
            said = w.gettext("%(service)s sent no data from %(since)s.", **named)
        elif self.from_alerts:
            cause = clean(r.cause) or w.gettext("An alert")
            said = w.gettext("%(alert)s of %(service)s fired from %(since)s.", alert=cause, **named)
        elif r.ended_at is None:
            said = w.gettext("%(service)s has been over its CPU baseline for %(time)s, since %(since)s.", **named)
        else:
            until = w.time(r.ended_at, near=r.started_at)
            said = w.gettext(
                "%(service)s was over its CPU baseline for %(time)s, from %(since)s to %(until)s.", until=until, **named
            )
        return " ".join(part for part in (said, self.users, self.done) if part)

    @property
    def hurt(self) -> Hurt | None:
        """Who was hurt; None when it is not known."""
        return Hurt(self.report.measured, self.w) if self.report.measured else None

    @property
    def users(self) -> str:
        """Who was hurt, at least and at most."""
        if self.hurt is None:
            return self.w.gettext("How many users were affected is not known: there is no access log.")
        return self.hurt.headline

    @property
    def done(self) -> str:
        """Which machines were added; empty when none was."""
        added = [act.machine for act in self.report.actions if act.kind == "add" and act.state == "done"]
        if not added:
            return ""
        return self.w.ngettext(
            "%(n)s machine was added: %(machines)s.",
            "%(n)s machines were added: %(machines)s.",
            len(added),
            machines=", ".join(added),
        )

    @property
    def facts(self) -> list[tuple[str, str]]:
        """The figures of the head, as label and value."""
        r, w = self.report, self.w
        lasted = (r.ended_at or r.made_at) - r.started_at
        acknowledged = ""
        if r.acknowledged_by and r.acknowledged_at:
            who, at = r.acknowledged_by, w.time(r.acknowledged_at, near=r.started_at, seconds=True)
            after = w.duration(r.acknowledged_at - r.detected_at)
            acknowledged = w.gettext("%(who)s at %(at)s, %(after)s after detection", who=who, at=at, after=after)
        detected = w.time(r.detected_at, near=r.started_at, seconds=True)
        found = [
            (w.gettext("Status"), status_word(r.status, w)),
            (w.gettext("Affected service"), r.service),
            (w.gettext("Start"), w.time(r.started_at, seconds=True)),
            (
                w.gettext("Detection"),
                w.gettext(
                    "%(at)s, %(after)s after the start", at=detected, after=w.duration(r.detected_at - r.started_at)
                ),
            ),
            (w.gettext("Acknowledged by"), acknowledged or w.gettext("nobody")),
            (
                w.gettext("End"),
                w.time(r.ended_at, near=r.started_at, seconds=True) if r.ended_at else w.gettext("goes on"),
            ),
            (w.gettext("Elapsed"), w.duration(lasted)),
            *self._burst(),
        ]
        return [(label, clean(value)) for label, value in found]

    def _burst(self) -> list[tuple[str, str]]:
        r, w = self.report, self.w
        found: list[tuple[str, str]] = []
        if r.policy != BLIND and not self.from_alerts:
            found.append((w.gettext("Over baseline"), w.duration(r.elapsed_s)))
        if r.machine_type:
            found += [(w.gettext("Machine type"), r.machine_type), (w.gettext("Baseline"), w.percent(r.baseline))]
        if r.cause in _CAUSE:
            found.append((w.gettext("Last seen cause"), w.gettext(_CAUSE[r.cause])))
        if r.cpu_top is not None:
            found.append((w.gettext("Highest CPU"), w.percent(r.cpu_top)))
        if r.balance_low is not None:
            found.append((w.gettext("Lowest credits"), w.credits(r.balance_low)))
        if r.spent is not None:
            first, last = (w.credits(each) for each in r.spent)
            found.append(
                (w.gettext("Credits of all machines"), w.gettext("%(first)s, then %(last)s", first=first, last=last))
            )
        if r.p95_top_s is not None:
            found.append((w.gettext("Highest p95"), w.latency(r.p95_top_s)))
        return found

    @property
    def rises(self) -> list[tuple[str, tuple[Rise, ...]]]:
        """What rose, by route, client and machine: a title, and the largest rises."""
        measured, w = self.report.measured, self.w
        if measured is None:
            return []
        by = [
            (w.gettext("What rose, by route"), measured.traffic.routes),
            (w.gettext("What rose, by client"), measured.traffic.clients),
            (w.gettext("What rose, by machine"), measured.traffic.machines),
        ]
        return [(title, rises[:10]) for title, rises in by if rises]

    @property
    def data(self) -> list[str]:
        """What the verification of the service's data found; empty when its data is in no care."""
        check, w = self.report.data, self.w
        if check is None:
            return []
        at = w.time(check.at, near=self.report.started_at, seconds=True)
        named = {"at": at, "holding": w.number(check.holding), "of": w.number(check.of)}
        found = [w.gettext("Verified at %(at)s: %(holding)s of %(of)s invariants hold.", **named)]
        found += [
            w.ngettext("%(name)s: %(n)s damaged row.", "%(name)s: %(n)s damaged rows.", count, name=clean(name))
            for name, count in check.damaged.items()
        ]
        return found + [w.gettext("Not verified: %(why)s", why=clean(each)) for each in check.faults]

    def rise(self, rise: Rise) -> tuple[str, str, str, str, str]:
        """Name, before, during, factor and share of the rise."""
        w = self.w
        factor = w.gettext("%(n)s times", n=f"{rise.factor:.1f}") if rise.factor is not None else w.gettext("new")
        return clean(rise.name), w.rate(rise.before), w.rate(rise.during), factor, w.percent(rise.share)

    def act(self, act: Act) -> tuple[str, str, str, str, str]:
        """When, what, by whom, how it ended, and how long it took."""
        w = self.w
        kind = w.gettext(_ACT[act.kind]) if act.kind in _ACT else clean(act.kind)
        state = action_word(act.state, w)
        result = f"{state} ({clean(act.result)})" if act.result else state
        took = w.duration(act.finished_at - act.requested_at) if act.finished_at else ""
        return (
            w.time(act.requested_at, near=self.report.started_at, seconds=True),
            f"{kind}: {clean(act.machine)}",
            clean(act.by),
            result,
            took,
        )

    def delivery(self, delivery: Delivery) -> tuple[str, str, str, str, str]:
        """When, after how long over the baseline, why, to whom, and the mail server's answer."""
        w = self.w
        state = delivery_word(delivery.state, w)
        return (
            w.time(delivery.decided_at, near=self.report.started_at, seconds=True),
            w.duration(delivery.elapsed_s) if delivery.elapsed_s and delivery.kind != Kind.RESOLVED else "–",
            kind_word(delivery.kind, delivery.level, w),
            f"{clean(delivery.to)} <{clean(delivery.address)}>",
            f"{state}: {clean(delivery.answer)}" if delivery.answer else state,
        )

    def source(self, source: Source) -> tuple[str, str, str, str]:
        """What a figure is, from which system and window, and what it leaves out."""
        w = self.w
        named = w.gettext(_SOURCE[source.what]) if source.what in _SOURCE else clean(source.what)
        omits = w.gettext(_OMITS[source.omits]) if source.omits in _OMITS else clean(source.omits)
        return named, clean(source.system), self.window(source.since, source.until), omits

    def window(self, since: datetime, until: datetime) -> str:
        """From when to when."""
        return f"{self.w.time(since, seconds=True)} – {self.w.time(until, near=since, seconds=True)}"

    @property
    def entries(self) -> list[tuple[str, str]]:
        """The timeline: when, and what."""
        r, w = self.report, self.w
        near = r.started_at
        return [(w.time(e.at, near=near, seconds=True), timeline_words(e, w.locale, w)) for e in r.timeline]

    def one_line(self, query: str) -> str:
        """A query on a line of its own."""
        return clean(query).replace("`", "'")

    @property
    def unknown(self) -> str:
        """Which figures could not be had; empty when all could."""
        w = self.w
        named = [w.gettext(_SOURCE[each]) if each in _SOURCE else clean(each) for each in self.report.blind]
        return (
            w.gettext("Not known, because the source did not answer: %(what)s.", what=", ".join(named)) if named else ""
        )

    @property
    def sparks(self) -> list[tuple[str, str, str, str]]:
        """The series as lines of blocks, for Markdown: what, machine, blocks, extremes."""
        r, w = self.report, self.w
        kinds = (
            ("cpu", r.cpu, w.percent, 1.0),
            ("balance", r.balance, w.credits, None),
            ("latency", r.p95, w.latency, None),
        )
        found = []
        for name, series, unit, top in kinds:
            for machine, samples in sorted(series.items()):
                values = [value for _, value in samples if value == value]
                if values:
                    extremes = f"{unit(min(values))} – {unit(max(values))}"
                    who = clean(machine) or w.gettext("whole service")
                    found.append((w.gettext(_SOURCE[name]), who, spark_of(samples, top), extremes))
        return found


_CAUSE = {"over": N_("over the baseline"), "flat": N_("throttled: no credits left")}
_ACT = {"add": N_("add a machine"), "remove": N_("remove a machine")}
_SOURCE = {
    "cpu": N_("CPU"),
    "balance": N_("Credits"),
    "latency": N_("p95 latency"),
    "users": N_("Users and requests"),
    "access_log": N_("Users and requests"),
    "sales": N_("Orders and revenue"),
}
_OMITS = {"never_reached": N_("requests that never reached the load balancer")}
