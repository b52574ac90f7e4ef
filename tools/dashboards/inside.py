"""What the logs say, in what state the instances are, and what the runtime does."""

from __future__ import annotations

from tools.dashboards.model import Line, Panel, Row
from tools.dashboards.promql import LOGS, by_machine, most, of, rate, total

RED, ORANGE = "red", "orange"
_ERRORS, _WARNINGS = 'level=~"error|fatal"', 'level="warn"'
_HEAP = 'area="heap"'

LOG_PANELS = (
    Panel(
        "Errors and warnings per minute",
        "Which machine logs errors?",
        (
            "Read that machine's log from the first minute of the rise: the first error is the cause, the others "
            "mostly follow from it. On every machine at once: something they share (database, a deployment)."
        ),
        (
            Line(f"60 * {total(rate(LOGS, _ERRORS), 'instance')}", "errors {{instance}}"),
            Line(f"60 * {total(rate(LOGS, _WARNINGS), 'instance')}", "warnings {{instance}}"),
        ),
        least=0,
    ),
    Panel(
        "Log events by level",
        "Does the service log more than usual?",
        (
            "Info, debug and trace are hidden until you click them in the legend. A flood of debug means that somebody "
            "left it on: it costs CPU, and with it credits."
        ),
        (Line(total(rate(LOGS), "level"), "{{level}}"),),
        "ops",
        least=0,
        hidden=("info", "debug", "trace"),
    ),
)

STATE = (
    Panel(
        "Up",
        "Which machine did not answer, and when?",
        (
            "Down while its CPU is still seen above: the application alone is gone or starved. Both gone: the machine "
            "is. A gap: Prometheus itself did not look."
        ),
        (Line(most(of("up"), "instance"), "{{instance}}"),),
        kind="states",
        words=(("0", "down", RED), ("1", "up", "green")),
    ),
    Panel(
        "Instances",
        "How long has each one been running, and does it lack anything?",
        (
            "A short uptime: it was restarted; look for who did it and why (out of memory?). Files or disk above 90 %: "
            "free some before it stops."
        ),
        (
            Line(by_machine(of("up")), "up", "short"),
            Line(
                by_machine(of("process_uptime_seconds"), f"time() - {of('process_start_time_seconds')}"),
                "uptime",
                "s",
            ),
            Line(by_machine(of("application_started_time_seconds")), "time to start", "s"),
            Line(
                by_machine(
                    f"{of('process_files_open_files')} / ({of('process_files_max_files')} > 0)",
                    f"{of('process_open_fds')} / ({of('process_max_fds')} > 0)",
                ),
                "files",
                "percentunit",
            ),
            Line(
                by_machine(
                    f"1 - {of('disk_free_bytes')} / ({of('disk_total_bytes')} > 0)",
                    '1 - node_filesystem_avail_bytes{instance=~"$instance",mountpoint="/"}'
                    ' / (node_filesystem_size_bytes{instance=~"$instance",mountpoint="/"} > 0)',
                ),
                "disk",
                "percentunit",
            ),
        ),
        kind="table",
        rows=(("instance", "machine"),),
        sorted_by="uptime",
    ),
)

JVM = (
    Panel(
        "JVM: heap in use",
        "Does the heap run full?",
        (
            "A saw-tooth is healthy. A floor that climbs is a leak: above 90 % take a heap dump, then restart "
            "machine by machine."
        ),
        (
            Line(
                f"{total(of('jvm_memory_used_bytes', _HEAP), 'instance')}"
                f" / {total(of('jvm_memory_max_bytes', _HEAP) + ' > 0', 'instance')}",
                "{{instance}}",
            ),
        ),
        "percentunit",
        width=8,
        steps=((0.8, ORANGE), (0.95, RED)),
        least=0,
        most=1,
    ),
    Panel(
        "JVM: share of time in pauses",
        "Does garbage collection stop the service?",
        (
            "Above 5 % users wait for the collector: more heap, or fewer objects. Together with a full heap it is a "
            "leak. On a burstable machine the collector spends credits too."
        ),
        (Line(total(rate("jvm_gc_pause_seconds_sum"), "instance"), "{{instance}}"),),
        "percentunit",
        width=8,
        steps=((0.05, ORANGE), (0.2, RED)),
        least=0,
    ),
    Panel(
        "JVM: threads by state",
        "Do threads block each other?",
        "Many *blocked*: a lock; take a thread dump. *waiting* and *timed-waiting* rise with a full pool.",
        (Line(total(of("jvm_threads_states_threads"), "state"), "{{state}}"),),
        width=8,
        least=0,
        decimals=0,
    ),
)

PYTHON = (
    Panel(
        "Python: memory of the process",
        "Does the process grow?",
        (
            "Growing for hours without a fall: a leak; restart machine by machine before the system kills it. JVMs do "
            "not tell this figure."
        ),
        (Line(by_machine(of("process_resident_memory_bytes")), "{{instance}}"),),
        "bytes",
        width=8,
        least=0,
    ),
    Panel(
        "Python: garbage collections per second",
        "How often does the collector run?",
        "Generation 2 walks all objects: more than once a second costs latency; look for code that makes cycles.",
        (Line(total(rate("python_gc_collections_total"), "generation"), "generation {{generation}}"),),
        "ops",
        width=8,
        least=0,
    ),
    Panel(
        "Python: threads",
        "Do threads pile up?",
        (
            "Synchronous handlers run in a pool of 40 by default: at its limit requests wait. Growing without end: "
            "something starts threads and never joins them."
        ),
        (Line(by_machine(of("process_threads")), "{{instance}}"),),
        width=8,
        least=0,
        decimals=0,
    ),
)

ROWS = (
    Row("4 What do the logs say?", LOG_PANELS),
    Row("5 Instance state", STATE),
    Row("6 Runtime (JVM or Python: one half is empty)", (*JVM, *PYTHON)),
)
