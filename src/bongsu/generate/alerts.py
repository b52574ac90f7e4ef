"""The alerts of a policy: the same queries for Prometheus and for Grafana, and whom each of them is for.

No service's alert has a ``for``: every duration is inside the query, so that an alert which begins to matter late
(because Bongsu fell silent at minute 50) is told at once. Every query returns a series where there is a reason to
tell somebody, and nothing otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from bongsu.config import LOCALES
from bongsu.core.alert import HEARTBEAT_LABEL, POLICY_LABEL, SERVICE_LABEL
from bongsu.core.breach import FLAT_WITHIN
from bongsu.core.service import BLIND
from bongsu.core.signal import SIGNALS
from bongsu.generate import promql, words
from bongsu.generate.promql import PER_MACHINE, number, own, signal, up
from bongsu.generate.recording import counts_flat_line
from bongsu.generate.setup import PATIENCE, Guarded, Setup, duration

TIER_LABEL = "bongsu_tier"
CRITICAL, WARNING = "critical", "warning"
"""``severity``: a warning may wait for the morning, see [grafana] quiet_hours; a tier, an empty bucket or a dead
machine never does."""


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert. ``notify`` are a policy's targets; ``fills`` fill the text's places.

    ``hold`` is for alerts about the parts themselves: how long they may be missing while everything starts.
    """

    name: str
    expr: str
    labels: Mapping[str, str]
    notify: tuple[str, ...]
    text: words.Text
    fills: Mapping[str, words.Fill] = field(default_factory=dict)
    by_machine: bool = True
    hold: timedelta = timedelta(0)

    def annotations(self, value: str, setup: Setup, job: str = "") -> dict[str, str]:
        """Summary and first steps in every language, and where to go. ``value`` is the template of its figure."""
        said: dict[str, str] = {}
        for locale in LOCALES:
            ending = "" if locale == LOCALES[0] else f"_{locale}"
            summary, steps = words.spoken(self.text, locale, self.fills)
            said[f"summary{ending}"] = summary
            said[f"description{ending}"] = steps
        said["runbook_url"] = f"{setup.console}/incidents"
        if job:
            machine = f"&var-instance={words.MACHINE}" if self.by_machine else ""
            said["dashboard"] = f"{setup.config.grafana.url.rstrip('/')}/d/{DASHBOARD}?var-job={job}{machine}"
        return {name: text.replace(words.VALUE, value) for name, text in said.items()}


DASHBOARD = "bongsu-service"
"""The uid of the dashboard "Service in trouble"."""


def alerts_of(service: Guarded, setup: Setup) -> tuple[Alert, ...]:
    """Every alert that this service's signals allow."""
    found = [*_tiers(service, setup), *_at_once(service, setup), *_pool(service, setup), *_logs(service)]
    return (*found, *_machines(service, setup))


def heartbeat(setup: Setup) -> Alert:
    """Bongsu itself is silent."""
    return about_itself("BongsuHeartbeatMissing", promql.heartbeat_missing(setup), words.HEARTBEAT, setup)


def watchdogs(setup: Setup) -> tuple[Alert, ...]:
    """One that always fires for each heartbeat that Prometheus owes Bongsu: no alert, but proof that alerts come."""
    return tuple(
        Alert("BongsuWatchdog", "vector(1)", {HEARTBEAT_LABEL: name, "severity": "none"}, (), words.WATCHDOG,
              by_machine=False)
        for name, each in sorted(setup.config.heartbeat.items())
        if each.watchdog
    )  # fmt: skip


def about_itself(name: str, expr: str, text: words.Text, setup: Setup) -> Alert:
    """An alert about Bongsu, its rules or Prometheus; it goes to everybody who is told of a blind service."""
    labels = {TIER_LABEL: "1", "severity": CRITICAL}
    return Alert(name, expr, labels, setup.everybody(), text, by_machine=False, hold=PATIENCE)


def _alert(
    service: Guarded,
    name: str,
    expr: str,
    notify: tuple[str, ...],
    text: words.Text,
    *,
    kind: str,
    policy: str = "",
    severity: str = CRITICAL,
    by_machine: bool = True,
    **fills: words.Fill,
) -> Alert:
    """``kind`` is the tier's number, or a word that takes its place when somebody other than the first tier is told."""
    tier = "1" if not kind.isdigit() and notify == service.policy.tiers[0].notify else kind
    labels = {
        SERVICE_LABEL: service.name,
        POLICY_LABEL: policy or service.policy.name,
        TIER_LABEL: tier,
        "severity": severity,
    }
    fills = {"service": service.name, **fills}
    return Alert(f"Bongsu{name}", expr, labels, notify, text, fills, by_machine)


def _tiers(service: Guarded, setup: Setup) -> list[Alert]:
    policy = service.policy
    if not service.has(policy.signal):
        return []
    known = SIGNALS.get(policy.signal)
    limit: words.Fill = service.limit if known and known.unit == "ratio" else f"{policy.signal} {number(service.limit)}"
    seconds = own(promql.SECONDS, service)
    return [
        _alert(
            service, f"BreachTier{level}", f"{seconds} >= {number(setup.wall(tier.after).total_seconds())}",
            tier.notify, words.BREACH, kind=str(level), limit=limit, after=tier.after, settle=policy.settle,
        )
        for level, tier in enumerate(policy.tiers, start=1)
    ]  # fmt: skip


def _at_once(service: Guarded, setup: Setup) -> list[Alert]:
    policy, found, base = service.policy, [], service.machine.baseline
    value = signal(service, policy.signal)
    if policy.ceiling is not None and service.has(policy.signal):
        window = duration((policy.ceiling.samples - 1) * setup.scrape + setup.scrape / 2)
        expr = (
            f"min_over_time({value}[{window}]) >= {number(policy.ceiling.at)}\n"
            f"and count_over_time({value}[{window}]) >= {policy.ceiling.samples}"
        )
        found.append(_alert(service, "Ceiling", expr, policy.ceiling.notify, words.CEILING, kind="ceiling"))
    if policy.runway is not None and service.has("cpu"):
        expr = f"{own(promql.RUNWAY, service)} < {number(policy.runway.full_burn_under.total_seconds())}"
        if service.has(policy.signal):
            expr += f"\nand on {PER_MACHINE} {own(promql.SINCE, service)}"
        notify = policy.runway.notify
        found.append(_alert(service, "CreditsLow", expr, notify, words.CREDITS, kind="runway", limit=base))
    if policy.throttled and counts_flat_line(service):
        cpu = signal(service, "cpu")
        held = f"{own(promql.FLAT, service)} == 1\nand on {PER_MACHINE} {cpu} <= {number((1 + FLAT_WITHIN) * base)}"
        found.append(
            _alert(service, "Throttled", held, policy.throttled, words.THROTTLED, kind="throttled", limit=base)
        )
    return found


def _pool(service: Guarded, setup: Setup) -> list[Alert]:
    found, notify = [], service.policy.tiers[0].notify
    if service.has("pool_timeouts"):
        expr = f"{signal(service, 'pool_timeouts')} > 0"
        found.append(_alert(service, "PoolTimeouts", expr, notify, words.POOL_TIMEOUTS, kind="pool", policy="pool"))
    if service.has("pool_pending"):
        waiting, window = signal(service, "pool_pending"), duration(PATIENCE)
        expr = (
            f"min_over_time({waiting}[{window}]) > 0\n"
            f"and last_over_time({waiting}[{duration(setup.missing_after)}] offset {window})"
        )
        alert = _alert(
            service, "PoolPending", expr, notify, words.POOL_PENDING,
            kind="pool", policy="pool", severity=WARNING, patience=PATIENCE,
        )  # fmt: skip
        found.append(alert)
    return found


def _logs(service: Guarded) -> list[Alert]:
    if not service.has("log_events"):
        return []
    errors = signal(service, "log_events", level="(?i)error|fatal|critical")
    expr = f"sum by {PER_MACHINE} ({errors}) > 0"
    notify = service.policy.tiers[0].notify
    return [_alert(service, "ErrorLogs", expr, notify, words.ERROR_LOGS, kind="logs", policy="logs", severity=WARNING)]


def _machines(service: Guarded, setup: Setup) -> list[Alert]:
    """Each machine falls into one: down, or its application alone is, or it answers and is blind all the same."""
    target, window = up(service), duration(PATIENCE)
    was_there = f"last_over_time({target}[{duration(setup.missing_after)}] offset {window})"
    answered = f"max by {PER_MACHINE} (max_over_time({target}[{window}]))"
    still = f"and on {PER_MACHINE} {was_there}\nand on {PER_MACHINE} {target}"
    seen = signal(service, service.policy.signal)
    known = service.has(service.policy.signal)
    policy, notify = service.policy.signal, service.policy.blind or service.policy.tiers[0].notify

    def alert(name: str, expr: str, text: words.Text, kind: str, by_machine: bool = True) -> Alert:
        return _alert(
            service, name, expr, notify, text, kind=kind, policy=kind, by_machine=by_machine,
            patience=PATIENCE, signal=policy, job=service.section.job,
        )  # fmt: skip

    down, absent = f"{answered} == 0\n{still}", f"absent_over_time({target}[{window}])"
    evaluated = f"\nand on () last_over_time({promql.EVALUATED}[{duration(setup.missing_after)}] offset {window})"
    if not known:
        return [
            alert("InstanceDown", down, words.INSTANCE_DOWN, BLIND),
            alert("NoTargets", absent + evaluated, words.NO_TARGETS, BLIND, by_machine=False),
        ]
    return [
        alert("InstanceDown", f"{down}\nunless on {PER_MACHINE} {seen}", words.INSTANCE_DOWN, BLIND),
        alert("ApplicationDown", f"{down}\nand on {PER_MACHINE} {seen}", words.APPLICATION_DOWN, "application"),
        alert(
            "Blind",
            f"{answered} > 0\n{still}\nunless on {PER_MACHINE} last_over_time({seen}[{window}])",
            words.BLIND,
            BLIND,
        ),
        alert("NoTargets", f"({absent} unless on (job) {seen}){evaluated}", words.NO_TARGETS, BLIND, by_machine=False),
    ]
