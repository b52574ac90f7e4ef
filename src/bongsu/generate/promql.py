"""PromQL out of a service's profile: what is recorded, and how long a breach has lasted.

Durations live in the queries, not in ``for``, because ``for`` forgets: it starts anew when Prometheus does, when a
scrape fails, and when a rule that waits for Bongsu's silence begins to matter at minute 50. Instead a chain of
recorded series keeps the breach clock of each machine, by the same rules as ``core/breach.py``:

``bongsu:over``            1 or 0 for each sample; nothing where there is none
``bongsu:over_at``         the time of a sample over the limit
``bongsu:calm_at``         a time at which no sample had been over the limit for ``settle``
``bongsu:breach_since``    when the running breach began; kept until a calm time is newer
``bongsu:breach_seconds``  how long it has lasted: to the last sample over the limit, or to now while there are none
"""

from __future__ import annotations

from datetime import timedelta

from bongsu.core.breach import FLAT_FROM, FLAT_WITHIN, THROTTLED_SHARE
from bongsu.core.profile import MACHINE, Reading
from bongsu.generate.setup import Guarded, Setup, duration

SIGNAL = "bongsu:signal"
VCPUS, BASELINE, CAP = "bongsu:vcpus", "bongsu:baseline", "bongsu:credits_cap"
"""What the catalogue says of a machine's type; dashboards and people's own queries need it beside the balance."""
CREDITS = "bongsu:credits_estimate"
RUNWAY = "bongsu:runway_seconds"
BALANCE = "bongsu:credits"
PACE = "bongsu:pace_seconds"
PACE_OVER = timedelta(hours=1)
"""The present pace is the mean of so long, as in ``core/forecast.py``."""
FLAT = "bongsu:flat"
OVER = "bongsu:over"
OVER_AT = "bongsu:over_at"
CALM_AT = "bongsu:calm_at"
SINCE = "bongsu:breach_since"
SECONDS = "bongsu:breach_seconds"
EVALUATED = "bongsu:rules_evaluated"
HEARTBEAT = 'bongsu_last_look_timestamp_seconds{job="bongsu"}'
PER_MACHINE = f"({MACHINE})"
EVENTS_WINDOW = timedelta(minutes=5)
"""Over how long rare events are counted: so long does one time-out or one error keep its alert."""
_EVENTS = ("log_events", "pool_timeouts")


def number(value: float) -> str:
    """A number without digits that mean nothing."""
    return f"{value:.10g}"


def signal(service: Guarded, name: str, level: str = "") -> str:
    """The selector of a recorded signal; ``level`` is a pattern for the level of log events."""
    wanted = f',level=~"{level}"' if level else ""
    return f'{SIGNAL}{{bongsu_service="{service.name}",bongsu_signal="{name}"{wanted}}}'


def own(series: str, service: Guarded) -> str:
    """The selector of another recorded series of this service."""
    return f'{series}{{bongsu_service="{service.name}"}}'


def up(service: Guarded) -> str:
    """The targets of this service; there also when they are down, and gone when they were removed."""
    return f'up{{job="{service.section.job}"}}'


def reading(service: Guarded, name: str, setup: Setup) -> str:
    """A signal for each machine: the best of the profile's readings that the machine has. Not a number is missing."""
    source = service.profile.signals.get(name)
    readings = source.readings if source else ()
    if name in service.section.signals:
        readings = (Reading(service.section.signals[name], ()),)
    window = EVENTS_WINDOW if name in _EVENTS else max(timedelta(seconds=4), 4 * setup.scrape)
    labels = f"{MACHINE}, level" if name == "log_events" else MACHINE
    each = [f"({each.fill(service.section.job, duration(window), MACHINE).strip()})" for each in readings]
    joined = f"\n  or on ({labels})\n".join(f"  max by ({labels}) {one}" for one in each)
    return f"(\n{joined}\n) >= 0"


def credits_estimate(service: Guarded, setup: Setup) -> str:
    """The credit bucket, integrated from the CPU: what was there, plus what was earned, less what was spent.

    It begins with a new machine's launch credits, or a quarter of the cap where the catalogue has none, and is right
    from the first time on at which the real bucket was full or empty.
    """
    machine, cpu, kept = service.machine, signal(service, "cpu"), own(CREDITS, service)
    rate = setup.config.timescale.speed / 60
    first = machine.launch_credits or machine.cap / 4
    used = cpu
    if service.has("steal"):  # the CPU counts what was stolen as busy, but nobody pays for that with credits
        used = f"(({cpu} - on {PER_MACHINE} {signal(service, 'steal')}) or on {PER_MACHINE} {cpu})"
    flow = f"{machine.vcpus} * ({number(machine.baseline)} - {used})"
    return (
        f"clamp(\n  max by {PER_MACHINE} (\n    (\n"
        f"      {kept} + on {PER_MACHINE}\n"
        f"        {flow} * on {PER_MACHINE} (time() - timestamp({kept})) * {number(rate)}\n"
        f"      or on {PER_MACHINE} last_over_time({kept}[1h])\n"
        f"      or on {PER_MACHINE} {cpu} * 0 + {number(first)}\n"
        f"    ) and on {PER_MACHINE} {cpu}\n  ),\n  0, {number(machine.cap)}\n)"
    )


def balance(service: Guarded) -> str:
    """The credits that are left: what a provider or the lab says, else the estimate."""
    return signal(service, "balance") if service.has("balance") else own(CREDITS, service)


def runway(service: Guarded) -> str:
    """How long the balance lasts at 100 % of every processor (seconds of service time)."""
    machine = service.machine
    burn = machine.vcpus * (1 - machine.baseline)
    return f"max by {PER_MACHINE} ({balance(service)}) * 60 / {number(burn)}"


def pace(service: Guarded, setup: Setup) -> str:
    """How long the balance lasts if the last hour goes on (seconds of service time); nothing while it is not spent.

    An hour is known from its first samples on, and what was stolen is nobody's spending.
    """
    machine, window = service.machine, duration(setup.wall(PACE_OVER))
    used = f"avg_over_time({signal(service, 'cpu')}[{window}])"
    if service.has("steal"):
        stolen = f"avg_over_time({signal(service, 'steal')}[{window}])"
        used = f"(({used} - on {PER_MACHINE} {stolen}) or on {PER_MACHINE} {used})"
    burn = f"{machine.vcpus} * (max by {PER_MACHINE} ({used}) - {number(machine.baseline)})"
    return f"max by {PER_MACHINE} ({own(BALANCE, service)}) * 60 / on {PER_MACHINE} ({burn} > 0)"


def flat(service: Guarded) -> str:
    """1 for a machine that is on the flat line: credits gone and CPU held at the baseline, looking healthy (rule 5)."""
    cpu, base = signal(service, "cpu"), service.machine.baseline
    empty = number(service.machine.empty_below)
    near = f"(abs({cpu} - {number(base)}) <= bool {number(FLAT_WITHIN * base)})"
    ways = []
    if service.has("balance"):
        ways.append(
            f"({balance(service)} <= bool {empty}) * on {PER_MACHINE} ({cpu} >= bool {number(FLAT_FROM * base)})"
        )
    starved = [name for name in ("throttled", "steal") if service.has(name)]
    if starved:
        both = f'{SIGNAL}{{bongsu_service="{service.name}",bongsu_signal=~"{"|".join(starved)}"}}'
        ways.append(f"(max by {PER_MACHINE} ({both}) > bool {number(THROTTLED_SHARE)}) * on {PER_MACHINE} {near}")
    if not ways:
        ways.append(f"({balance(service)} <= bool {empty}) * on {PER_MACHINE} {near}")
    return f"\nor on {PER_MACHINE}\n".join(f"max by {PER_MACHINE} ({way})" for way in ways)


def over(service: Guarded, with_flat: bool) -> str:
    """1 for a sample that is a breach, 0 for one that is not, nothing for one that is missing."""
    value = signal(service, service.policy.signal)
    either = f" or {own(FLAT, service)}" if with_flat else ""
    return f"max by {PER_MACHINE} ({value} > bool {number(service.limit)}{either})"


def over_at(service: Guarded) -> str:
    """Now, while a sample is over the limit."""
    return f"({own(OVER, service)} == 1) * time()"


def calm_at(service: Guarded, setup: Setup) -> str:
    """Now, if no sample was over the limit for ``settle``, and one that was not stands at its beginning.

    Half an interval more, so that left-open ranges (Prometheus 3) and left-closed ones (before) say the same.
    """
    settle = setup.wall(service.policy.settle)
    window, judged = duration(settle + setup.scrape / 2), own(OVER, service)
    return (
        f"(\n  1 - max_over_time({judged}[{window}]) == 1\n"
        f"  and last_over_time({judged}[{duration(setup.missing_after)}] offset {duration(settle)}) == 0\n"
        ") * 0 + time()"
    )


def memory(service: Guarded, setup: Setup) -> str:
    """For how long a breach is remembered while nothing at all is recorded, as when Prometheus is down."""
    return duration(max(setup.wall(service.policy.rejoin), 4 * setup.wall(service.policy.settle), 8 * setup.scrape))


def breach_since(service: Guarded, setup: Setup) -> str:
    """When the running breach began. Missing samples change nothing; a machine that is no target any more leaves."""
    kept = f"last_over_time({own(SINCE, service)}[{memory(service, setup)}])"
    calm = f"max_over_time({own(CALM_AT, service)}[{memory(service, setup)}])"
    value = signal(service, service.policy.signal)
    return (
        f"(\n  ({kept} unless {calm} >= {kept})\n"
        f"  and on {PER_MACHINE} ({up(service)} or {value})\n)\nor {own(OVER_AT, service)}"
    )


def breach_seconds(service: Guarded, setup: Setup) -> str:
    """How long the breach has lasted (wall seconds): in a dip up to the last sample over the limit, else up to now."""
    window, since = memory(service, setup), own(SINCE, service)
    last_over = f"max_over_time({own(OVER_AT, service)}[{window}])"
    return (
        f"(\n  ({last_over} and last_over_time({own(OVER, service)}[{window}]) == 0)\n"
        f"  or {since} * 0 + time()\n) - {since}"
    )


def heartbeat_missing(setup: Setup) -> str:
    """True while Bongsu has not looked at its services for too long, or Prometheus does not hear of it."""
    age = setup.heartbeat_age
    window = duration(age)
    return (
        f"(\n  absent_over_time({HEARTBEAT}[{window}])\n"
        f"  or time() - max(max_over_time({HEARTBEAT}[{window}])) > {number(age.total_seconds())}\n)"
    )


def gated(query: str, setup: Setup) -> str:
    """A query that says something only while Bongsu's heartbeat is missing."""
    return f"(\n{query}\n)\nand on ()\n{heartbeat_missing(setup)}"
