"""Bongsu itself: does the watchman watch, and do its mails arrive?"""

from __future__ import annotations

from tools.dashboards.marks import DEPLOYMENTS, INCIDENTS, STARTS
from tools.dashboards.model import Board, Choice, Line, Panel, Row
from tools.dashboards.promql import by_machine, of, rate, share, total

RED, ORANGE, GREEN = "red", "orange", "green"
_AGE = f"time() - max({of('bongsu_last_look_timestamp_seconds')})"
_RUNS, _FAILURES = (total(rate(f"bongsu_job_{each}_total"), "exported_job") for each in ("runs", "failures"))

GLANCE = (
    Panel(
        "Up",
        "Does Bongsu answer?",
        "0: nobody watches. systemctl status bongsu, then its log. Grafana's own alarms mail while Bongsu is silent.",
        (Line(f"min({of('up')})", "up"),),
        "short",
        "stat",
        4,
        4,
        ((1, GREEN),),
        RED,
        words=(("0", "down", RED), ("1", "up", GREEN)),
    ),
    Panel(
        "Last look",
        "How long ago did it look at every service?",
        "Its heartbeat. Above a minute it hangs, or Prometheus or a balancer does not answer it: read its log.",
        (Line(_AGE, "ago"),),
        "s",
        "stat",
        4,
        4,
        ((30, ORANGE), (60, RED)),
    ),
    Panel(
        "Open incidents",
        "How many incidents are open?",
        "Each one: acknowledge it in the console.",
        (Line(total(of("bongsu_incident_open")), "open"),),
        "short",
        "stat",
        4,
        4,
        ((1, RED),),
        decimals=0,
    ),
    Panel(
        "Messages that wait",
        "Is mail stuck?",
        "More than a few for more than a minute: the mail relay refuses or does not answer; call people by telephone.",
        (Line(total(of("bongsu_outbox_waiting")), "waiting"),),
        "short",
        "stat",
        4,
        4,
        ((5, ORANGE), (20, RED)),
        decimals=0,
    ),
    Panel(
        "CPU",
        "What does the watching cost?",
        (
            "Of one processor. The watcher must not eat the credits it guards: above 5 % look at how many services and "
            "how often."
        ),
        (Line(total(rate("process_cpu_seconds_total")), "CPU"),),
        "percentunit",
        "stat",
        4,
        4,
        ((0.05, ORANGE), (0.2, RED)),
        decimals=1,
    ),
    Panel(
        "Memory",
        "How much memory does it take?",
        "About 100 MB is usual; growing for days is a leak, report it.",
        (Line(total(of("process_resident_memory_bytes")), "memory"),),
        "bytes",
        "stat",
        4,
        4,
        ((250e6, ORANGE), (500e6, RED)),
    ),
)

COURSE = (
    Panel(
        "Incidents",
        "What was open, and when?",
        "A bar for each service and policy. Many short ones: raise `settle` or the limit of that policy.",
        (Line(f"max by (service, policy) ({of('bongsu_incident_open')})", "{{service}}: {{policy}}"),),
        kind="states",
        words=(("0", "quiet", GREEN), ("1", "open", RED)),
    ),
    Panel(
        "Breach clock",
        "How long has each breach lasted?",
        "Lines at 5, 20 and 40 minutes: on-call developer, owning department, upper department. 0: no breach.",
        (Line(f"max by (service, policy) ({of('bongsu_breach_seconds')})", "{{service}}: {{policy}}"),),
        "s",
        steps=((300, ORANGE), (1200, RED), (2400, "dark-red")),
        least=0,
    ),
    Panel(
        "Deliveries per minute, by outcome",
        "Do the mails arrive?",
        (
            "*accepted*: the mail server took it. *retry*: it is tried again, with the reason. *refused*: that address "
            "gets nothing, and the next tier was told instead; correct it. Empty: nothing was sent."
        ),
        (Line(f"60 * {total(rate('bongsu_deliveries_total'), 'outcome')}", "{{outcome}}"),),
        least=0,
    ),
    Panel(
        "Messages waiting",
        "Does the outbox run full?",
        "A peak that empties at once is usual. A staircase: the relay takes less than we send.",
        (Line(by_machine(of("bongsu_outbox_waiting")), "{{instance}}"),),
        least=0,
        decimals=0,
    ),
    Panel(
        "Job runs per minute",
        "Do all of Bongsu's jobs run?",
        "A job whose line stops hangs: restart Bongsu, nothing is lost; and report it.",
        (Line(f"60 * {_RUNS}", "{{exported_job}}"),),
        width=8,
        least=0,
    ),
    Panel(
        "Share of job runs that failed",
        "Does a job fail?",
        "*watch*: Prometheus or the balancer does not answer. *deliver*: the mail relay. Its log says which.",
        (Line(share(_FAILURES, _RUNS), "{{exported_job}}"),),
        "percentunit",
        width=8,
        steps=((0.01, ORANGE), (0.5, RED)),
        least=0,
    ),
    Panel(
        "Alerts received per minute",
        "Do alerts from outside come in?",
        (
            "Prometheus repeats what fires about once a minute. None while something fires there: look at "
            "`alerting:` in prometheus.yml."
        ),
        (Line(f"60 * {total(rate('bongsu_alerts_received_total'))}", "alerts"),),
        width=8,
        least=0,
    ),
    Panel(
        "CPU of one processor",
        "What does the watching cost over time?",
        "Rises with services and machines, not with trouble. A jump after an upgrade: report it.",
        (Line(total(rate("process_cpu_seconds_total"), "instance"), "{{instance}}"),),
        "percentunit",
        steps=((0.05, ORANGE), (0.2, RED)),
        least=0,
    ),
    Panel(
        "Memory",
        "Does it grow?",
        "Steady after an hour is right.",
        (Line(by_machine(of("process_resident_memory_bytes")), "{{instance}}"),),
        "bytes",
        least=0,
    ),
)

BOARD = Board(
    "bongsu-itself",
    "bongsu-itself",
    "Bongsu itself",
    "Who watches the watchman: does Bongsu look, and do its mails arrive?",
    (
        Choice("job", "Job", "bongsu", "label_values(up, job)", pattern="/^bongsu/"),
        Choice("instance", "Bongsu", "", 'label_values(up{job="$job"}, instance)', several=True),
    ),
    (STARTS, INCIDENTS, DEPLOYMENTS),
    (
        Row("Does it watch?", GLANCE),
        Row("What did it do?", COURSE),
    ),
    span="now-6h",
)
