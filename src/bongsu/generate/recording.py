"""The recording rules of a service: its signals by machine, its credits, and the breach clock of each machine."""

from __future__ import annotations

from dataclasses import dataclass

from bongsu.generate import promql
from bongsu.generate.setup import Guarded, Setup

GUARDED = ("pool_timeouts", "pool_pending", "log_events")
"""Signals that have an alert of their own beside those of the policy."""
_OF_MACHINES = ("cpu", "balance", "throttled", "steal")


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording rule."""

    record: str
    expr: str
    labels: dict[str, str]


def wanted(service: Guarded) -> tuple[str, ...]:
    """Signals that the rules read, in the order in which they are recorded."""
    return tuple(dict.fromkeys((service.policy.signal, *_OF_MACHINES, *GUARDED)))


def recordings(service: Guarded, setup: Setup) -> tuple[Recording, ...]:
    """In this order: each rule sees what those before it recorded in the same evaluation."""
    job = {"job": service.section.job}
    named = {"bongsu_service": service.name}
    guarded = {**named, "bongsu_policy": service.policy.name}
    rules = [
        Recording(promql.SIGNAL, promql.reading(service, name, setup), {**job, **named, "bongsu_signal": name})
        for name in wanted(service)
        if service.has(name)
    ]
    machine = service.machine
    for name, value in ((promql.VCPUS, machine.vcpus), (promql.BASELINE, machine.baseline), (promql.CAP, machine.cap)):
        per_machine = f"max by {promql.PER_MACHINE} ({promql.up(service)}) * 0 + {promql.number(value)}"
        rules.append(Recording(name, per_machine, {**job, **named}))
    if service.has("cpu"):
        if not service.has("balance"):
            rules.append(Recording(promql.CREDITS, promql.credits_estimate(service, setup), {**job, **named}))
        rules += [
            Recording(promql.BALANCE, f"max by {promql.PER_MACHINE} ({promql.balance(service)})", {**job, **named}),
            Recording(promql.RUNWAY, promql.runway(service), {**job, **named}),
            Recording(promql.PACE, promql.pace(service, setup), {**job, **named}),
        ]
    if not service.has(service.policy.signal):
        return tuple(rules)
    flat = counts_flat_line(service)
    if flat:
        rules.append(Recording(promql.FLAT, promql.flat(service), {**job, **guarded}))
    clock = (
        (promql.OVER, promql.over(service, flat)),
        (promql.OVER_AT, promql.over_at(service)),
        (promql.CALM_AT, promql.calm_at(service, setup)),
        (promql.SINCE, promql.breach_since(service, setup)),
        (promql.SECONDS, promql.breach_seconds(service, setup)),
    )
    rules += [Recording(name, expr, {**job, **guarded}) for name, expr in clock]
    return tuple(rules)


def counts_flat_line(service: Guarded) -> bool:
    """Whether the flat line is a breach of this service's policy."""
    return service.policy.flat_line and service.policy.signal == "cpu" and service.has("cpu")


def missing(service: Guarded) -> list[str]:
    """What the profile does not know, and which rules there are not for that reason; one sentence each."""
    at = f"service.{service.name}"
    lacks = {
        service.policy.signal: "no tiers, no ceiling and no flat line",
        "cpu": "no credits and no flat line",
        "pool_timeouts": "no alert for time-outs of the connection pool",
        "pool_pending": "no alert for threads that wait for a connection",
        "log_events": "no alert for error log events",
    }
    notices = []
    for name, consequence in lacks.items():
        if not service.has(name):
            source = service.profile.signals.get(name)
            add = source.add if source and source.add else f"add a query as {name} below [{at}.signals]"
            notices.append(f"{at}: profile {service.profile.name} has no signal {name}: {consequence}; {add}")
    if service.has("cpu") and not service.has("balance"):
        notices.append(
            f"{at}: no signal balance: the credits are estimated from the CPU ({promql.CREDITS}); "
            f"add the provider's balance below [{at}.signals] to know them"
        )
    if not service.section.targets:
        notices.append(
            f"{at}: no targets, so prometheus.yml does not scrape job {service.section.job!r}; "
            'add targets = ["host:port"] unless another Prometheus finds them'
        )
    return notices
