"""Pieces of PromQL that the panels share.

Rates run over ``$__rate_interval``, never a fixed window; what is missing stays missing; a share has no value while
there is nothing to share.
"""

from __future__ import annotations

TARGET = 'job="$job",instance=~"$instance"'
WINDOW = "$__rate_interval"
USERS = 'uri!~"/actuator.*|/healthz.*"'
"""Requests of people: the monitor's own scrapes and health checks are left out."""
REQUESTS = "http_server_requests_seconds"
OTEL = "http_server_request_duration_seconds"
"""OpenTelemetry's stable name for the same."""


def of(metric: str, *more: str) -> str:
    """A metric of the chosen job and instances. A name with ``|`` in it is a pattern."""
    if "|" in metric:
        named = f'__name__=~"{metric}"'
        return "{" + ",".join((named, TARGET, *more)) + "}"
    return metric + "{" + ",".join((TARGET, *more)) + "}"


def rate(metric: str, *more: str) -> str:
    """A counter's rate per second."""
    return f"rate({of(metric, *more)}[{WINDOW}])"


def total(what: str, *by: str) -> str:
    """The sum, by some labels."""
    return f"sum by ({', '.join(by)}) ({what})" if by else f"sum({what})"


def most(what: str, *by: str) -> str:
    """The largest, by some labels; also how two sources of one figure are brought to the same labels."""
    return f"max by ({', '.join(by)}) ({what})" if by else f"max({what})"


def first(*ways: str) -> str:
    """The first way that gives something, for each set of labels."""
    return " or ".join(ways)


def share(part: str, whole: str) -> str:
    """``part`` of ``whole``, 0 where only the whole is there, nothing where there is nothing."""
    return f"({part} or 0 * {whole}) / ({whole} > 0)"


def mean(timer: str, *by: str, more: tuple[str, ...] = ()) -> str:
    """The mean duration of a timer, in seconds."""
    return f"{total(rate(timer + '_sum', *more), *by)} / ({total(rate(timer + '_count', *more), *by)} > 0)"


def signal(name: str) -> str:
    """What Bongsu's rules recorded of a signal; the alarms judge by the same series."""
    return f'bongsu:signal{{{TARGET},bongsu_signal="{name}"}}'


def by_machine(*metrics: str) -> str:
    """The first of several series that a machine has."""
    return first(*(most(metric, "instance") for metric in metrics))


def node(mode: str) -> str:
    """The share of CPU that a node exporter on the same machine saw in some modes."""
    used = f'node_cpu_seconds_total{{instance=~"$instance",mode=~"{mode}"}}'
    every = 'node_cpu_seconds_total{instance=~"$instance"}'
    return f"sum by (instance) (rate({used}[{WINDOW}])) / (sum by (instance) (rate({every}[{WINDOW}])) > 0)"


CPU = by_machine(signal("cpu"), of("system_cpu_usage"))
BALANCE = by_machine(of("burst_credit_balance"), signal("balance"), of("bongsu:credits_estimate"))
THROTTLED = by_machine(of("burst_throttled_ratio"), signal("throttled"))
VCPUS = by_machine(of("bongsu:vcpus"), of("system_cpu_count"))
CAP = by_machine(of("burst_credit_cap"), of("bongsu:credits_cap"))
# Every provider's cap is what a day earns: 24 hours, 60 minutes, the baseline of every processor.
BASELINE = first(
    most(of("bongsu:baseline"), "instance"),
    f"{most(of('burst_credit_cap'), 'instance')} / (1440 * {most(of('system_cpu_count'), 'instance')})",
)
IN_FLIGHT = of("http_server_requests_active_seconds_(active_count|count|gcount)")
LOGS = "(logback|log4j2)_events_total"
