"""Is it the connection pool, or the machine?"""

from __future__ import annotations

from tools.dashboards.model import Line, Panel, Row
from tools.dashboards.promql import (
    BALANCE,
    CPU,
    IN_FLIGHT,
    THROTTLED,
    by_machine,
    first,
    mean,
    most,
    node,
    of,
    rate,
    total,
)

RED, ORANGE = "red", "orange"
_HIKARI = "hikaricp_connections"


def _connections(kind: str) -> str:
    return first(total(of(f"{_HIKARI}_{kind}")), total(of(f"jdbc_connections_{kind}")))


POOL = (
    Panel(
        "Connections",
        "Are all database connections taken?",
        (
            "Active at the maximum and somebody waiting: the pool is the bottleneck. First look for slow queries and "
            "for code that holds a connection while it waits for something else; a larger pool helps only if the "
            "database has time. Gauges are sampled: a short stall shows in the waiting times only."
        ),
        (
            Line(_connections("active"), "active"),
            Line(_connections("idle"), "idle"),
            Line(total(of(f"{_HIKARI}_pending")), "waiting"),
            Line(_connections("max"), "limit"),
        ),
        decimals=0,
        least=0,
    ),
    Panel(
        "Connections in use, by machine",
        "Which machine has used up its pool?",
        (
            "One machine at 100 % while the others are not: a leak or a stuck transaction there; take it out of the "
            "balancer, take a thread dump, restart it."
        ),
        (
            Line(
                by_machine(
                    *(f"{of(f'{pool}_active')} / ({of(f'{pool}_max')} > 0)" for pool in (_HIKARI, "jdbc_connections"))
                ),
                "{{instance}}",
            ),
        ),
        "percentunit",
        steps=((0.8, ORANGE), (0.95, RED)),
        least=0,
        most=1,
    ),
    Panel(
        "Time-outs per minute",
        "Do requests give up waiting for a connection?",
        (
            "Each one is an error that a user saw. Anything above 0 is an incident: find the query or the lock that "
            "holds the connections."
        ),
        (Line(f"60 * {total(rate(f'{_HIKARI}_timeout_total'), 'instance', 'pool')}", "{{instance}} {{pool}}"),),
        steps=((0.001, RED),),
        width=8,
        least=0,
    ),
    Panel(
        "Waiting for a connection",
        "How long does a request wait for a connection?",
        "The best early sign: it rises before anything times out. The maximum is of the last two to three minutes.",
        (
            Line(mean(f"{_HIKARI}_acquire_seconds", "instance"), "mean {{instance}}"),
            Line(by_machine(of(f"{_HIKARI}_acquire_seconds_max")), "maximum {{instance}}"),
        ),
        "s",
        steps=((0.1, ORANGE), (1, RED)),
        width=8,
        least=0,
    ),
    Panel(
        "Holding a connection",
        "How long is a connection held?",
        (
            "The database got slower, or the code does more while it holds one. Connections x 1 s / mean = requests "
            "per second that the pool can carry at most."
        ),
        (
            Line(mean(f"{_HIKARI}_usage_seconds", "instance"), "mean {{instance}}"),
            Line(by_machine(of(f"{_HIKARI}_usage_seconds_max")), "maximum {{instance}}"),
        ),
        "s",
        width=8,
        least=0,
    ),
)

_LOAD = f"{of('system_load_average_1m')} / on (job, instance) {of('system_cpu_count')}"
MACHINE = (
    Panel(
        "CPU of the machine",
        "Is a machine over its baseline?",
        (
            "Above the baseline (dashed line: 20 %, the usual one) credits are spent; the dashboard *Burst credits* "
            "shows your machine's own. At 95 % requests wait: add a machine. **A flat line at the baseline is no good "
            "sign**: look whether the machine is throttled."
        ),
        (Line(CPU, "{{instance}}"),),
        "percentunit",
        steps=((0.2, ORANGE), (0.95, RED)),
        least=0,
        most=1,
    ),
    Panel(
        "CPU of the process",
        "Is it the service itself that works?",
        (
            "The machine busy and the process not: something else runs there (backup, cron, an image job): stop it. As "
            "the process reports it, of all the processors it sees."
        ),
        (
            Line(
                first(most(of("process_cpu_usage"), "instance"), most(rate("process_cpu_seconds_total"), "instance")),
                "{{instance}}",
            ),
        ),
        "percentunit",
        least=0,
    ),
    Panel(
        "Burst credits left",
        "How many credits are left?",
        (
            "vCPU-minutes. Falling: the machine works above its baseline. Near 0 it is throttled to the baseline and "
            "the shop crawls: add a machine before that. The dashboard *Burst credits* says how long it lasts."
        ),
        (Line(BALANCE, "{{instance}}"),),
        width=8,
        least=0,
    ),
    Panel(
        "Held back: throttled and stolen",
        "Is a machine denied CPU that it wants?",
        (
            "Throttled with an empty balance: the credits are gone; add a machine. Stolen while credits are left: a "
            "noisy neighbour; move the machine. Above 10 % users feel it."
        ),
        (
            Line(THROTTLED, "throttled {{instance}}"),
            Line(node("steal"), "stolen {{instance}}"),
        ),
        "percentunit",
        steps=((0.1, RED),),
        width=8,
        least=0,
    ),
    Panel(
        "Load per processor",
        "Do tasks queue for the CPU?",
        (
            "Above 1 for minutes: more runs than the machine can carry. It lags a minute, and inside a container it is "
            "the whole computer's."
        ),
        (Line(most(_LOAD, "instance"), "{{instance}}"),),
        steps=((1, ORANGE), (2, RED)),
        width=8,
        least=0,
        decimals=2,
    ),
    Panel(
        "Requests in flight",
        "How many requests are being served now?",
        (
            "Rising while the rate does not: requests hang. The signal for saturation where virtual threads make the "
            "number of threads meaningless. Spring has it since Boot 3.0."
        ),
        (Line(total(IN_FLIGHT, "instance"), "{{instance}}"),),
        decimals=0,
        least=0,
    ),
    Panel(
        "Tomcat's threads",
        "Are all worker threads busy?",
        (
            "Busy at the maximum: new requests wait in a queue that no server metric shows. Usually the pool or a slow "
            "call behind it is the cause. Spring Boot 2.2 or newer needs server.tomcat.mbeanregistry.enabled=true."
        ),
        (
            Line(by_machine(of("tomcat_threads_busy_threads")), "busy {{instance}}"),
            Line(by_machine(of("tomcat_threads_config_max_threads")), "limit {{instance}}"),
        ),
        decimals=0,
        least=0,
    ),
)

ROWS = (
    Row("2 Is it the connection pool?", POOL),
    Row("3 Is it the machine?", MACHINE),
)
