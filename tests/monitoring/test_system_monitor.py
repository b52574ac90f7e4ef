"""The dashboard "Spring Boot 2.1 System Monitor", fed by our shop: what needs neither a JVM nor Jetty shows data."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from tests.monitoring.documents import DOCS
from tests.monitoring.environment import PYTHON, Environment

PAGE = DOCS / "spring-boot-system-monitor.md"
_ONE = 'application="shop",instance="m1"'
_HTTP = f"http_server_requests_seconds_count{{{_ONE}"
_POOL = f'{_ONE},pool="shop"'


@dataclass(frozen=True)
class Asked:
    """A query of that dashboard; ``instead``: what is wrong with it, and what to look at."""

    row: str
    panel: str
    query: str
    instead: str = ""


def _lifetime(what: str) -> str:
    timer = f"hikaricp_connections_{what}_seconds"
    return f"{timer}_sum{{{_POOL}}} / {timer}_count{{{_POOL}}}"


_MEAN = "a mean since the start: after a day, half a minute of exhaustion moves it by nothing visible"
_SPIKES = "two samples alone: most spikes fall between the drawn points"
ASKED = (
    Asked("Basic Statistics", "Uptime", f"process_uptime_seconds{{{_ONE}}}"),
    Asked("Basic Statistics", "Start time", f"process_start_time_seconds{{{_ONE}}} * 1000"),
    Asked("Basic Statistics", "Process Open Files", f"process_files_open_files{{{_ONE}}}"),
    Asked("Basic Statistics", "Process Open Files (max)", f"process_files_max_files{{{_ONE}}}"),
    Asked(
        "Basic Statistics", "CPU Usage (system)", f"system_cpu_usage{{{_ONE}}}", "says nothing of credits or throttling"
    ),
    Asked("Basic Statistics", "CPU Usage (process)", f"process_cpu_usage{{{_ONE}}}"),
    Asked("Basic Statistics", "Load Average", f"system_load_average_1m{{{_ONE}}}"),
    Asked("Basic Statistics", "Load Average (CPU Core Size)", f"system_cpu_count{{{_ONE}}}"),
    Asked("HikariCP Statistics", "Connections Size", f"hikaricp_connections{{{_POOL}}}"),
    Asked("HikariCP Statistics", "Connections (active)", f"hikaricp_connections_active{{{_POOL}}}"),
    Asked("HikariCP Statistics", "Connections (idle)", f"hikaricp_connections_idle{{{_POOL}}}"),
    Asked("HikariCP Statistics", "Connections (pending)", f"hikaricp_connections_pending{{{_POOL}}}"),
    Asked(
        "HikariCP Statistics",
        "Connection Timeout Count",
        f"hikaricp_connections_timeout_total{{{_POOL}}}",
        "a raw counter: it falls at each restart",
    ),
    Asked("HikariCP Statistics", "Connection Creation Time", _lifetime("creation"), _MEAN),
    Asked("HikariCP Statistics", "Connection Usage Time", _lifetime("usage"), _MEAN),
    Asked("HikariCP Statistics", "Connection Acquire Time", _lifetime("acquire"), _MEAN),
    *(
        Asked("HTTP (headed Jetty)", f"HTTP Code {code}xx", f'sum(rate({_HTTP},status=~"{code}.."}}[1m]))')
        for code in (5, 4, 2, 3)
    ),
    Asked(
        "HTTP (headed Jetty)", "Requests per second", f"sum(rate({_HTTP}}}[1m]))", "counts scrapes and health checks"
    ),
    Asked("HTTP (headed Jetty)", "Top 10 by route", f"topk(10, sum by (uri, method) (rate({_HTTP}}}[1m])))"),
    Asked(
        "HTTP (headed Jetty)",
        "Requests Duration (average)",
        f'sum(rate(http_server_requests_seconds_sum{{{_ONE},status!~"5.."}}[1m]))'
        f' / sum(rate({_HTTP},status!~"5.."}}[1m]))',
        "leaves out what failed: a database time-out makes it look better",
    ),
    Asked(
        "HTTP (headed Jetty)",
        "Requests Duration (max)",
        f'max(http_server_requests_seconds_max{{{_ONE},status!~"5.."}})',
        "the same",
    ),
    *(
        Asked(
            "Logback Statistics",
            f"{level.upper()} logs",
            f'irate(logback_events_total{{{_ONE},level="{level}"}}[5m])',
            _SPIKES,
        )
        for level in ("info", "error", "warn", "debug", "trace")
    ),
)


@pytest.mark.parametrize("asked", ASKED, ids=lambda each: each.panel)
def test_it_shows_data_of_the_shop(environment: Environment, asked: Asked) -> None:
    assert environment.store.ask(asked.query), asked.query


def test_its_variables_find_the_shop_but_not_the_machine(environment: Environment) -> None:
    store = environment.store
    assert "shop" in store.values_of("application")
    assert store.values_of("pool", f"hikaricp_connections{{{_ONE}}}") == ["shop"]
    # It takes machines from a metric that only a JVM has.
    assert store.values_of("instance", f'jvm_classes_loaded_classes{{application="shop",job="{PYTHON}"}}') == []


def test_the_page_about_it_is_up_to_date(request: pytest.FixtureRequest) -> None:
    printed = _page()
    if request.config.getoption("--write-docs"):
        PAGE.write_text(printed, encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == printed, "run this test with --write-docs"


_HEAD = """\
# The dashboard "Spring Boot 2.1 System Monitor", fed by the shop

Printed by `tests/monitoring/test_system_monitor.py --write-docs`. Each query below is asked of a real Prometheus that
scrapes the running shop (a Python service with `bongsu_instrument`), and the test fails when one of them returns
nothing. The queries are written out here after the dashboard's panels (Grafana's id 11378); its file is not part of
Bongsu.

What it needs, and an unchanged service may not have:

- a label `application` on every series. Spring has it with `management.metrics.tags.application`; else Prometheus adds
  it: `static_configs: [{targets: [...], labels: {application: shop}}]`. The test adds it by relabelling.
- a JVM, for its list of machines: `label_values(jvm_classes_loaded_classes{...}, instance)` **is empty for a Python
  service**. Type the machine into the address bar (`var-instance=m1`), or change that variable to
  `label_values(process_uptime_seconds{application="$application"}, instance)`.

Not listed: panels of heap, memory pools, garbage collection, classes, buffers and JVM threads (there is no JVM), and
the threads of Jetty (empty on Tomcat as well). The panels of HTTP codes show a line only once such an answer was given;
in the test a page that does not exist, one that moved, and a stalled database give them.

"""


def _page() -> str:
    lines = [
        f"{_HEAD}| row | panel | query | result | mind |",
        "|---|---|---|---|---|",
        *(
            "| {} | {} | `{}` | data | {} |".format(a.row, a.panel, a.query.replace("|", r"\|"), a.instead or "")
            for a in ASKED
        ),
        "",
        f"{len(ASKED)} queries, {len(ASKED)} with data. For trouble use *Service in trouble*",
        "([dashboards.md](dashboards.md)): it needs no label, counts failures in, and takes rates over the window that",
        "fits the screen.",
    ]
    return "\n".join(lines) + "\n"
