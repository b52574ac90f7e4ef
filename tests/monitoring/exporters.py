"""What other exporters answer, made up after real ones and cut to the signals.

A FastAPI service with prometheus-fastapi-instrumentator, a Python service with OpenTelemetry's SDK, and a Java service
behind OpenTelemetry's collector.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

_FINE = 'http_request_method="GET",http_response_status_code="200",http_route="/products/{id}"'
_PROCESS = """\
process_start_time_seconds 1.767e+09
process_cpu_seconds_total 12.5
process_open_fds 11.0
process_max_fds 20000.0
"""

FASTAPI_INSTRUMENTATOR = (
    _PROCESS
    + """\
http_requests_total{handler="/products/{id}",method="GET",status="2xx"} 30.0
http_requests_total{handler="/orders",method="POST",status="5xx"} 3.0
http_requests_total{handler="/metrics",method="GET",status="2xx"} 9.0
http_response_size_bytes_count{handler="/products/{id}"} 30.0
http_request_duration_highr_seconds_bucket{le="0.01"} 20.0
http_request_duration_highr_seconds_bucket{le="+Inf"} 42.0
http_request_duration_highr_seconds_count 42.0
http_request_duration_seconds_bucket{handler="/products/{id}",le="0.1",method="GET"} 29.0
http_request_duration_seconds_bucket{handler="/products/{id}",le="+Inf",method="GET"} 30.0
http_request_duration_seconds_count{handler="/products/{id}",method="GET"} 30.0
http_request_duration_seconds_sum{handler="/products/{id}",method="GET"} 0.4
"""
)

OPENTELEMETRY_PYTHON = (
    _PROCESS
    + """\
target_info{service_name="shop",telemetry_sdk_language="python"} 1.0
http_server_active_requests{http_request_method="GET",url_scheme="http"} 1.0
http_server_request_duration_seconds_bucket{FINE,error_type="",le="0.1"} 29.0
http_server_request_duration_seconds_bucket{FINE,error_type="",le="+Inf"} 30.0
http_server_request_duration_seconds_count{FINE,error_type=""} 30.0
http_server_request_duration_seconds_sum{FINE,error_type=""} 0.4
http_server_request_duration_seconds_count{http_response_status_code="500",error_type="500",http_route="/orders"} 3.0
system_cpu_time_seconds_total{cpu="1",state="idle"} 900.0
system_cpu_time_seconds_total{cpu="1",state="user"} 100.0
process_cpu_utilization 0.002
process_thread_count 4.0
"""
).replace("FINE", _FINE)

OPENTELEMETRY_JAVA = """\
target_info{service_name="shop",telemetry_sdk_language="java"} 1
http_server_request_duration_seconds_bucket{FINE,le="0.1"} 29
http_server_request_duration_seconds_bucket{FINE,le="+Inf"} 30
http_server_request_duration_seconds_count{FINE} 30
http_server_request_duration_seconds_sum{FINE} 0.4
db_client_connections_usage{pool_name="HikariPool-1",state="used"} 3
db_client_connections_usage{pool_name="HikariPool-1",state="idle"} 7
db_client_connections_max{pool_name="HikariPool-1"} 10
db_client_connections_pending_requests{pool_name="HikariPool-1"} 0
db_client_connections_timeouts_total{pool_name="HikariPool-1"} 2
db_client_connections_wait_time_milliseconds_count{pool_name="HikariPool-1"} 100
db_client_connections_wait_time_milliseconds_sum{pool_name="HikariPool-1"} 12
jvm_cpu_recent_utilization_ratio 0.1
jvm_thread_count{jvm_thread_daemon="true",jvm_thread_state="runnable"} 8
jvm_memory_used_bytes{jvm_memory_type="heap",jvm_memory_pool_name="G1 Eden Space"} 1000000
jvm_memory_used_bytes{jvm_memory_type="heap",jvm_memory_pool_name="G1 Old Gen"} 4000000
jvm_memory_limit_bytes{jvm_memory_type="heap",jvm_memory_pool_name="G1 Old Gen"} 90000000
system_cpu_time_seconds_total{cpu="cpu0",state="idle"} 900
system_cpu_time_seconds_total{cpu="cpu0",state="wait"} 10
system_cpu_time_seconds_total{cpu="cpu0",state="user"} 100
system_cpu_time_seconds_total{cpu="cpu0",state="steal"} 5
system_cpu_load_average_1m 0.5
system_cpu_logical_count 2
system_filesystem_usage_bytes{device="/dev/vda1",mode="rw",mountpoint="/",state="used",type="ext4"} 40000
system_filesystem_usage_bytes{device="/dev/vda1",mode="rw",mountpoint="/",state="free",type="ext4"} 60000
process_uptime_seconds 600
""".replace("FINE", _FINE)

_COUNTERS = ("_total", "_count", "_sum", "_bucket")


def growing(text: str) -> Callable[[], str]:
    """A page whose counters are larger at every scrape."""
    scrapes = itertools.count(1)

    def page() -> str:
        scrape = next(scrapes)
        lines = []
        for line in text.splitlines():
            series, _, value = line.rpartition(" ")
            counts = series.partition("{")[0].endswith(_COUNTERS)
            lines.append(f"{series} {float(value) * scrape if counts else value}")
        return "\n".join(lines) + "\n"

    return page
