"""What a Spring Boot service answers to a scrape, five generations of it, written for the tests.

The names, labels and layout are those of Micrometer; the shop behind them is made up. Counters grow with time, so that
a rate over any window is above zero. ``serve`` puts one generation on a port of its own.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Row = tuple[str, Mapping[str, str], float]
"""Suffix of the family's name, labels, value."""


@dataclass(frozen=True)
class Generation:
    """How one generation differs on the wire."""

    modern: bool  # Prometheus client 1.x: families in the order of their names, no comma after the last label
    nothing: str  # the label value for "no exception"
    error: bool  # whether requests carry the label `error`
    in_flight: tuple[str, ...]  # suffixes of the in-flight metric: count, sum
    histogram: bool  # percentiles-histogram is switched on
    application: bool  # management.metrics.tags.application is set
    tomcat: bool  # the MBean registry is on
    since_2_6: bool  # start-up times and disk space
    parallel_gc: bool
    unmatched: str  # `uri` of requests that no route matched


_GENERATIONS = {
    "2.1": Generation(False, "None", False, (), False, False, True, False, True, "NOT_FOUND"),
    "2.7": Generation(False, "None", False, (), False, True, False, True, False, "NOT_FOUND"),
    "3.0": Generation(
        False, "none", True, ("_active_count", "_duration_sum"), False, False, False, True, False, "UNKNOWN"
    ),
    "3.3": Generation(True, "none", True, ("_count", "_sum"), False, False, False, True, False, "UNKNOWN"),
    "3.5-histogram": Generation(True, "none", True, ("_gcount", "_gsum"), True, True, True, True, False, "UNKNOWN"),
}
GENERATIONS: tuple[str, ...] = tuple(_GENERATIONS)

STARTED = 1_767_225_600.0
"""When the service of ``payload`` started (Unix time), unless told otherwise."""

# method, uri ("" = unmatched), status, outcome, exception ("" = none), requests per second, mean seconds
_TRAFFIC = (
    ("GET", "/products", "200", "SUCCESS", "", 12.0, 0.021),
    ("GET", "/products/{id}", "200", "SUCCESS", "", 9.0, 0.012),
    ("POST", "/orders", "201", "SUCCESS", "", 1.5, 0.094),
    ("POST", "/orders", "409", "CLIENT_ERROR", "SoldOutException", 0.4, 0.015),
    ("POST", "/orders/{id}/payment", "200", "SUCCESS", "", 1.2, 0.140),
    ("POST", "/orders/{id}/payment", "500", "SERVER_ERROR", "CannotCreateTransactionException", 0.2, 3.020),
    ("GET", "/top-products", "200", "SUCCESS", "ClientAbortException", 0.1, 1.750),  # broken off while writing
    ("GET", "/actuator/prometheus", "200", "SUCCESS", "", 0.2, 0.008),
    ("GET", "", "404", "CLIENT_ERROR", "", 0.3, 0.003),
)
_LOGS = {"debug": 0.0, "error": 0.25, "info": 14.0, "trace": 0.0, "warn": 1.1}


class Page:
    """Families of metrics on their way to text."""

    def __init__(self, generation: Generation) -> None:
        self.of = generation
        self._families: list[tuple[str, str, str, list[Row]]] = []

    def family(self, name: str, kind: str, about: str, rows: Iterable[Row]) -> None:
        """A family with its rows."""
        self._families.append((name, kind, about, list(rows)))

    def single(self, name: str, kind: str, about: str, value: float, /, **labels: str) -> None:
        """A family of one row."""
        self.family(name, kind, about, [("", labels, value)])

    def timer(self, name: str, about: str, rows: Iterable[tuple[Mapping[str, str], float, float, float]]) -> None:
        """A Micrometer timer: a summary of count and sum, and its maximum as a gauge of its own."""
        timed = list(rows)
        pairs = [(("_count", labels, count), ("_sum", labels, total)) for labels, count, total, _ in timed]
        self.family(name, "summary", about, [row for pair in pairs for row in pair])
        self.family(f"{name}_max", "gauge", about, [("", labels, most) for labels, _, _, most in timed])

    def text(self) -> str:
        """The exposition text."""
        families = sorted(self._families) if self.of.modern else self._families
        lines: list[str] = []
        for name, kind, about, rows in families:
            lines += [f"# HELP {name} {about}", f"# TYPE {name} {kind}"]
            lines += [f"{name}{suffix}{self._labels(labels)} {self._value(suffix, v)}" for suffix, labels, v in rows]
        return "\n".join(lines) + "\n"

    def _labels(self, labels: Mapping[str, str]) -> str:
        common = {"application": "shop"} if self.of.application else {}
        pairs = [f'{key}="{value}"' for key, value in sorted({**common, **labels}.items(), key=_le_last)]
        end = "" if self.of.modern else ","
        return "{" + ",".join(pairs) + end + "}" if pairs else ""

    def _value(self, suffix: str, value: float) -> str:
        whole = self.of.modern and suffix in ("_count", "_bucket")
        return str(int(value)) if whole else _double(value)


def _le_last(pair: tuple[str, str]) -> tuple[bool, str]:
    return pair[0] == "le", pair[0]


def _double(value: float) -> str:
    """A number as Java prints it."""
    if math.isnan(value):
        return "NaN"
    if value == 0 or 1e-3 <= abs(value) < 1e7:
        return repr(float(value))
    mantissa, _, exponent = f"{value:.12e}".partition("e")
    mantissa = mantissa.rstrip("0")
    return f"{mantissa}{'0' if mantissa.endswith('.') else ''}E{int(exponent)}"


def bounds() -> list[float]:
    """Micrometer's 68 finite bucket bounds from 1 ms to 30 s, in seconds."""
    found = []
    for exponent in range(2, 64, 2):
        current = 1 << exponent
        delta, end = current // 3, current << 2
        while current < end - delta:
            found.append(current)
            current += delta
    return [0.001, *(each / 1e9 for each in found if 1_000_000 < each < 30_000_000_000), 30.0]


def payload(generation: str, t: float, started: float = STARTED) -> str:
    """The text of one scrape, ``t`` seconds after the service started."""
    page = Page(_GENERATIONS[generation])
    _process(page, t, started)
    _jvm(page, t)
    _pool(page, t)
    _requests(page, t)
    _tomcat(page, t)
    page.family("logback_events_total", "counter", "Number of log events that were enabled by the effective log level",
                [("", {"level": level}, float(int(rate * t))) for level, rate in _LOGS.items()])  # fmt: skip
    # A cache that is no longer there: a gauge without a value.
    page.single("cache_size", "gauge", "The number of entries in this cache", math.nan, cache="top", name="top")
    return page.text()


def _wave(t: float, middle: float, swing: float, seconds: float = 300.0) -> float:
    return round(middle + swing * math.sin(2 * math.pi * t / seconds), 6)


def _process(page: Page, t: float, started: float) -> None:
    page.single("system_cpu_count", "gauge", "The number of processors available to the Java virtual machine", 2.0)
    page.single("system_cpu_usage", "gauge", 'The "recent cpu usage" of the system', _wave(t, 0.14, 0.04))
    page.single("process_cpu_usage", "gauge", 'The "recent cpu usage" of the process', _wave(t, 0.11, 0.03))
    page.single("system_load_average_1m", "gauge", "Runnable entities over one minute", _wave(t, 0.6, 0.3))
    page.single("process_uptime_seconds", "gauge", "The uptime of the Java virtual machine", round(t, 3))
    page.single("process_start_time_seconds", "gauge", "Start time of the process since unix epoch.", started)
    page.single("process_files_open_files", "gauge", "The open file descriptor count", 61.0 + int(t) % 7)
    page.single("process_files_max_files", "gauge", "The maximum file descriptor count", 65536.0)
    if page.of.modern:
        page.single("process_cpu_time_ns_total", "counter", 'The "cpu time" used by the process', float(int(t * 2.6e8)))
    if page.of.since_2_6:
        main = {"main_application_class": "com.example.shop.ShopApplication"}
        page.single("application_started_time_seconds", "gauge", "Time taken to start the application", 4.812, **main)
        page.single("application_ready_time_seconds", "gauge", "Time taken to be ready for requests", 4.97, **main)
        free = 27_411_435_520.0 - int(t) * 1024
        page.single("disk_free_bytes", "gauge", "Usable space for path", free, path="/app/.")
        page.single("disk_total_bytes", "gauge", "Total space for path", 62_671_097_856.0, path="/app/.")


def _jvm(page: Page, t: float) -> None:
    mib = 1024.0 * 1024
    heap = "PS" if page.of.parallel_gc else "G1"
    pools = [  # area, id, used, committed, max: -1 where there is no limit
        ("heap", f"{heap} Eden Space", _wave(t, 42, 30, 40), 88.0, 170.0 if page.of.parallel_gc else None),
        ("heap", f"{heap} Survivor Space", 7.5, 8.0, 10.0 if page.of.parallel_gc else None),
        ("heap", f"{heap} Old Gen", _wave(t, 96, 8), 160.0, 341.5 if page.of.parallel_gc else 512.0),
        ("nonheap", "Metaspace", 78.25, 80.0, None),
        ("nonheap", "CodeHeap 'profiled nmethods'", 19.5, 20.0, 117.2),
        ("nonheap", "Compressed Class Space", 9.75, 10.5, 1024.0),
    ]
    for at, what in ((2, "used"), (3, "committed"), (4, "max")):
        rows = [("", {"area": p[0], "id": p[1]}, -1.0 if p[at] is None else round(float(p[at]) * mib)) for p in pools]
        page.family(f"jvm_memory_{what}_bytes", "gauge", f"The amount of memory in bytes that is {what}", rows)
    buffers = ("direct", "mapped")
    for what, size in (("count_buffers", 6.0), ("memory_used_bytes", 49152.0), ("total_capacity_bytes", 49152.0)):
        page.family(f"jvm_buffer_{what}", "gauge", "Buffer pools", [("", {"id": each}, size) for each in buffers])
    page.single("jvm_threads_live_threads", "gauge", "The current number of live threads", 34.0 + int(t) % 3)
    page.single("jvm_threads_daemon_threads", "gauge", "The current number of live daemon threads", 29.0)
    page.single("jvm_threads_peak_threads", "gauge", "The peak live thread count", 41.0)
    states = {"runnable": 9.0, "blocked": 0.0, "waiting": 14.0, "timed-waiting": 11.0, "new": 0.0, "terminated": 0.0}
    page.family("jvm_threads_states_threads", "gauge", "The current number of threads by state",
                [("", {"state": state}, number) for state, number in states.items()])  # fmt: skip
    page.single("jvm_classes_loaded_classes", "gauge", "The number of classes loaded at present", 14873.0)
    page.single("jvm_classes_unloaded_classes_total", "counter", "Classes unloaded since the start", 3.0)
    page.single("jvm_gc_memory_allocated_bytes_total", "counter", "Growth of the young pool", float(int(t * 9.5e6)))
    page.single("jvm_gc_memory_promoted_bytes_total", "counter", "Growth of the old pool", float(int(t * 2.1e4)))
    page.single("jvm_gc_max_data_size_bytes", "gauge", "Max size of the old pool", 512 * mib)
    page.single("jvm_gc_live_data_size_bytes", "gauge", "Size of the old pool after a full collection", 61 * mib)
    pause = {"action": "end of minor GC", "cause": "Allocation Failure" if heap == "PS" else "G1 Evacuation Pause"}
    if page.of.modern:
        pause["gc"] = "G1 Young Generation"
        page.single("jvm_gc_overhead", "gauge", "CPU time used by the collector, 0 to 1", 0.0021)
    pauses = float(int(t / 9))
    page.timer("jvm_gc_pause_seconds", "Time spent in GC pause", [(pause, pauses, round(pauses * 0.011, 3), 0.019)])


def _pool(page: Page, t: float) -> None:
    pool = {"pool": "HikariPool-1"}
    active = float(3 + int(t) % 5)
    gauges = {"": 10.0, "_active": active, "_idle": 10.0 - active, "_max": 10.0, "_min": 10.0}
    gauges["_pending"] = 2.0 if int(t) % 60 > 52 else 0.0
    for suffix, value in gauges.items():
        page.single(f"hikaricp_connections{suffix}", "gauge", f"Connections{suffix.replace('_', ' ')}", value, **pool)
    page.single("hikaricp_connections_timeout_total", "counter", "Connection timeout total count",
                float(int(t / 20)), **pool)  # fmt: skip
    timers = (("acquire", 24.0, 0.0007, 0.21), ("usage", 24.0, 0.018, 3.0), ("creation", 0.02, 0.04, 0.0))
    for what, rate, mean, most in timers:
        count = float(int(rate * t))
        page.timer(f"hikaricp_connections_{what}_seconds", f"Connection {what} time",
                   [(pool, count, round(count * mean, 6), most)])  # fmt: skip
    for suffix, value in {"active": active, "idle": 10.0 - active, "max": 10.0, "min": 10.0}.items():
        page.single(f"jdbc_connections_{suffix}", "gauge", "Connections of the data source", value, name="dataSource")


def _requests(page: Page, t: float) -> None:
    name, about = "http_server_requests_seconds", ""
    timed: list[tuple[dict[str, str], float, float, float]] = []
    buckets: list[Row] = []
    for method, uri, status, outcome, exception, rate, mean in _TRAFFIC:
        thrown = exception or page.of.nothing
        labels = {"exception": thrown, "method": method, "outcome": outcome, "status": status,
                  "uri": uri or page.of.unmatched}  # fmt: skip
        if page.of.error:
            labels["error"] = thrown
        count = float(int(rate * t))
        timed.append((labels, count, round(count * mean, 6), round(mean * 2.4, 6)))
        buckets += _histogram(labels, count, mean)
    if page.of.histogram:
        pairs = [(("_count", labels, count), ("_sum", labels, total)) for labels, count, total, _ in timed]
        page.family(name, "histogram", about, [*buckets, *(row for pair in pairs for row in pair)])
        page.family(f"{name}_max", "gauge", about, [("", labels, most) for labels, _, _, most in timed])
    else:
        page.timer(name, about, timed)
    if page.of.in_flight:
        _in_flight(page, "http_server_requests_active_seconds", float(1 + int(t) % 4))


def _in_flight(page: Page, name: str, now: float) -> None:
    labels = {"exception": "none", "method": "GET", "outcome": "SUCCESS", "status": "200", "uri": "UNKNOWN"}
    count, total = page.of.in_flight
    if page.of.histogram:  # a gauge histogram has no place in the text format: its count and sum are gauges
        page.family(name, "histogram", "", _histogram(labels, now, 0.03))
        page.single(f"{name}{count}", "gauge", "", now, **labels)
        page.single(f"{name}{total}", "gauge", "", round(now * 0.03, 3), **labels)
    else:
        page.family(name, "summary", "", [(count, labels, now), (total, labels, round(now * 0.03, 3))])
    page.single(f"{name}_max", "gauge", "", 0.071, **labels)


def _histogram(labels: Mapping[str, str], count: float, mean: float) -> list[Row]:
    rows: list[Row] = [
        ("_bucket", {**labels, "le": repr(bound)}, float(int(count * (1 - math.exp(-((bound / mean) ** 2))))))
        for bound in bounds()
    ]
    return [*rows, ("_bucket", {**labels, "le": "+Inf"}, count)]


def _tomcat(page: Page, t: float) -> None:
    for what in ("active_current", "active_max"):
        page.single(f"tomcat_sessions_{what}_sessions", "gauge", "", 0.0)
    page.single("tomcat_sessions_alive_max_seconds", "gauge", "", 0.0)
    for what in ("created", "expired", "rejected"):
        page.single(f"tomcat_sessions_{what}_sessions_total", "counter", "", 0.0)
    if not page.of.tomcat:
        return
    http = {"name": "http-nio-8080"}
    for what, value in (("busy", 2.0 + int(t) % 4), ("current", 10.0), ("config_max", 200.0)):
        page.single(f"tomcat_threads_{what}_threads", "gauge", "", value, **http)
    total = float(int(sum(row[5] for row in _TRAFFIC) * t))
    rows = [("_count", http, total), ("_sum", http, round(total * 0.03, 3))]
    page.family("tomcat_global_request_seconds", "summary", "", rows)
    page.single("tomcat_global_request_max_seconds", "gauge", "", 3.1, **http)
    page.single("tomcat_global_error_total", "counter", "", float(int(t * 0.2)), **http)
    page.single("tomcat_global_sent_bytes_total", "counter", "", float(int(t * 48_000)), **http)
    page.single("tomcat_global_received_bytes_total", "counter", "", float(int(t * 900)), **http)


class _Server(ThreadingHTTPServer):
    """Answers scrapes; ``age``: for how long the service has been running when the server starts."""

    daemon_threads = True

    def __init__(self, generation: str, age: float) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.generation, self.age, self.began = generation, age, time.time()

    def body(self) -> bytes:
        age = time.time() - self.began + self.age
        return payload(self.generation, age, self.began - self.age).encode()


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        found = self.path.partition("?")[0] == "/actuator/prometheus"
        body = self.server.body() if found else b'{"status":404,"error":"Not Found"}'
        modern = _GENERATIONS[self.server.generation].modern
        text = "text/plain; version=0.0.4; charset=utf-8" if modern else "text/plain;version=0.0.4;charset=utf-8"
        self.send_response(200 if found else 404)
        self.send_header("Content-Type", text if found else "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@contextmanager
def serve(generation: str, age: float = 600.0) -> Iterator[str]:
    """A service of that generation at the yielded ``host:port``, its metrics at /actuator/prometheus."""
    server = _Server(generation, age)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
