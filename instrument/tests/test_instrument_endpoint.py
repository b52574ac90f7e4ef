"""The metrics' own port, their form, and the machine's figures."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, Counter
from prometheus_client.parser import text_string_to_metric_families

from bongsu_instrument import Endpoint, Instrument
from bongsu_instrument.system import CpuShare, machine_ticks, thread_count


@pytest.fixture
def instrument() -> Instrument:
    return Instrument()


@pytest.fixture
def endpoint(instrument: Instrument) -> Iterator[Endpoint]:
    with_port = instrument.serve()
    yield with_port
    with_port.close()


def get(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_the_port_answers_while_the_main_thread_computes(endpoint: Endpoint) -> None:
    answers: list[tuple[int, str]] = []
    scraper = threading.Thread(target=lambda: answers.append(get(endpoint.url)))
    scraper.start()
    deadline = time.monotonic() + 20
    while not answers and time.monotonic() < deadline:
        sum(range(1000))  # busy, and never waiting
    scraper.join()
    assert answers[0][0] == 200
    assert "process_uptime_seconds" in answers[0][1]


def test_the_other_paths(endpoint: Endpoint, instrument: Instrument) -> None:
    base = f"http://{endpoint.host}:{endpoint.port}"
    assert get(f"{base}/actuator/health") == (200, '{"status":"UP"}')
    status, text = get(f"{base}/metrics")
    assert (status, "/actuator/prometheus" in text) == (404, True)


def test_a_broken_collector_fails_the_scrape(endpoint: Endpoint, instrument: Instrument) -> None:
    class Broken:
        def describe(self) -> list[Any]:
            return []

        def collect(self) -> list[Any]:
            raise RuntimeError("no figures today")

    instrument.registry.register(Broken())
    assert get(endpoint.url) == (500, "RuntimeError: no figures today\n")


def test_a_taken_port_is_named(endpoint: Endpoint) -> None:
    with pytest.raises(OSError, match=f"cannot be served on 127.0.0.1:{endpoint.port}"):
        Instrument().serve(port=endpoint.port)


def test_a_closed_port_is_free_again(instrument: Instrument) -> None:
    first = instrument.serve()
    get(first.url)
    first.close()
    instrument.serve(port=first.port).close()


class _Pool:
    name = "main"

    def getconn(self, timeout: float | None = None) -> object:
        return object()

    def putconn(self, conn: object) -> None:
        pass

    def get_stats(self) -> dict[str, int]:
        return {}


def everything() -> Instrument:
    """An instrument with something in every family."""
    instrument = Instrument(CollectorRegistry())
    counting = instrument.count_logs()
    counting.stop()
    pool = instrument.watch_pool(_Pool())
    pool.putconn(pool.getconn())
    instrument.started("test")
    Counter("own", "One of the application's own", registry=instrument.registry).inc()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        scope["route"] = SimpleNamespace(path="/a/{b}")
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def unused(*_: Any) -> Any:
        return {}

    async def ask() -> None:
        await instrument.asgi(app)({"type": "http", "method": "GET", "path": "/a/1", "headers": []}, unused, unused)

    asyncio.run(ask())
    return instrument


def test_every_name_that_dashboards_ask_for_is_there() -> None:
    names = {each.name for each in text_string_to_metric_families(everything().exposition().decode())}
    hikari = {"", "_active", "_idle", "_pending", "_max", "_min", "_acquire_seconds", "_acquire_seconds_max"}
    hikari |= {"_timeout", "_usage_seconds", "_usage_seconds_max", "_creation_seconds"}
    wanted = {f"hikaricp_connections{each}" for each in hikari}
    wanted |= {"http_server_requests_seconds", "http_server_requests_seconds_max", "logback_events"}
    wanted |= {"http_server_requests_active_seconds", "system_cpu_count", "system_load_average_1m"}
    wanted |= {"process_uptime_seconds", "process_start_time_seconds", "process_files_open_files"}
    wanted |= {"process_files_max_files", "disk_free_bytes", "disk_total_bytes", "application_started_time_seconds"}
    wanted |= {"process_resident_memory_bytes", "process_open_fds", "process_threads", "process_cpu_seconds"}
    wanted |= {"python_gc_collections", "python_gc_objects_collected"}
    assert wanted <= names
    assert not [each for each in names if each.endswith("_created")]


def test_every_series_is_told_once() -> None:
    lines = [each for each in everything().exposition().decode().splitlines() if not each.startswith("#")]
    series = [each.rpartition(" ")[0] for each in lines]
    assert sorted(set(series)) == sorted(series)


def test_prometheus_clients_own_registry_keeps_what_is_there() -> None:
    """In a process of its own: the registry is the process's."""
    program = """
from prometheus_client import REGISTRY, Counter
from bongsu_instrument import Instrument
Counter("mine", "There before").inc()
print(Instrument(REGISTRY).exposition().decode())
"""
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    samples = [each for each in done.stdout.splitlines() if each and not each.startswith("#")]
    assert "mine_total 1.0" in samples
    names = [each.partition(" ")[0] for each in samples]
    assert [each for each in ("process_start_time_seconds", "process_open_fds") if names.count(each) != 1] == []


def test_threads_are_those_of_the_system() -> None:
    before, go_on = thread_count(), threading.Event()
    assert before is not None
    waiting = threading.Thread(target=go_on.wait)
    waiting.start()
    assert thread_count() == before + 1
    go_on.set()
    waiting.join()


def test_promtool_finds_nothing_wrong() -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.fail("promtool is missing: apt-get install --no-install-recommends prometheus")
    checked = subprocess.run(
        [promtool, "check", "metrics"], input=everything().exposition(), capture_output=True, check=False
    )
    # Micrometer's own name, and the one that dashboards ask for.
    known = 'system_cpu_count non-histogram and non-summary metrics should not have "_count" suffix'
    assert [each for each in checked.stderr.decode().splitlines() if each != known] == []


def test_cpu_shares_wait_for_a_window(monkeypatch: pytest.MonkeyPatch) -> None:
    readings = iter([(0.0, 0.0, (10.0, 100.0)), (0.1, 0.1, (11.0, 101.0)), (2.0, 1.0, (60.0, 200.0))])
    monkeypatch.setattr(CpuShare, "_now", staticmethod(lambda: next(readings)))
    monkeypatch.setattr("bongsu_instrument.system.cores", lambda: 2.0)
    cpu = CpuShare()
    assert cpu.read() == (None, None)
    assert cpu.read() == (0.5, 0.25)


def test_stolen_time_is_busy_and_waiting_for_disks_is_not(tmp_path: Path) -> None:
    stat = tmp_path / "stat"
    stat.write_text("cpu  10 1 5 70 4 0 2 8 3 0\n")
    assert machine_ticks(stat) == (26.0, 100.0)
    assert machine_ticks(tmp_path / "absent") is None
