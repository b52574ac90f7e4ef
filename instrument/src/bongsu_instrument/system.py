"""The machine and the process: CPU, load, memory, files, disk, times. What the system does not tell is left out.

Micrometer's names where it has one. Memory, threads and garbage collection have none outside a JVM: those go by the
names of prometheus_client and its kin.
"""

from __future__ import annotations

import math
import os
import shutil
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from threading import Lock

from prometheus_client import ProcessCollector
from prometheus_client.core import GaugeMetricFamily, Metric

from bongsu_instrument import container

SHORTEST_WINDOW = 0.5
"""Seconds. Two scrapers at once would otherwise each see a CPU share over a few milliseconds."""
_IMPORTED = time.time()


def cpu_count() -> int:
    """Processors that this process may use; a container's limit counts, rounded up, as in a JVM."""
    return math.ceil(cores())


def cores() -> float:
    """Cores that this process may use at the most: the machine's, or fewer by its container's limit."""
    machine = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    limit = container.cpu_limit()
    return machine if limit is None else min(machine, limit)


def machine_ticks(stat: Path = Path("/proc/stat")) -> tuple[float, float] | None:
    """Busy and all clock ticks of the machine since its start; time stolen by the host counts as busy."""
    try:
        with stat.open() as lines:
            values = [float(each) for each in lines.readline().split()[1:9]]
    except (OSError, ValueError):
        return None
    if len(values) < 5:
        return None
    every = sum(values)  # user nice system idle iowait irq softirq steal
    return every - values[3] - values[4], every


def _own_stat() -> list[str]:
    """What Linux tells about this process, from its state on. Raises OSError elsewhere."""
    return Path("/proc/self/stat").read_text().rpartition(")")[2].split()


def thread_count() -> int | None:
    """Threads of this process, also those that libraries made behind Python's back; None outside Linux."""
    try:
        return int(_own_stat()[17])
    except (OSError, ValueError, IndexError):
        return None


def process_start() -> float:
    """When this process began, in Unix seconds; outside Linux, when this module was imported."""
    try:
        ticks = float(_own_stat()[19])
        boot = next(line for line in Path("/proc/stat").read_text().splitlines() if line.startswith("btime"))
        return float(boot.split()[1]) + ticks / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, StopIteration, IndexError):
        return _IMPORTED


class CpuShare:
    """Shares of CPU, 0 to 1, over the time since they were last asked for; None before there is a window to tell of.

    Of the machine, or of the container's limit where one is set.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._at, self._process, self._machine = self._now()
        self._shares: tuple[float | None, float | None] = None, None

    @staticmethod
    def _now() -> tuple[float, float, tuple[float, float] | None]:
        times, at = os.times(), time.monotonic()
        used = container.cpu_seconds() if container.cpu_limit() is not None else None
        return at, times.user + times.system, machine_ticks() if used is None else (used, at)

    def read(self) -> tuple[float | None, float | None]:
        """(machine, process)."""
        with self._lock:
            at, process, machine = self._now()
            elapsed = at - self._at
            if elapsed >= SHORTEST_WINDOW:
                of_machine = None
                if machine and self._machine:
                    limited = container.cpu_limit() is not None
                    whole = (machine[1] - self._machine[1]) * (cores() if limited else 1)
                    of_machine = _ratio(machine[0] - self._machine[0], whole)
                self._shares = of_machine, _ratio(process - self._process, elapsed * cores())
                self._at, self._process, self._machine = at, process, machine
            return self._shares


def _ratio(part: float, whole: float) -> float:
    return min(1.0, max(0.0, part / whole)) if whole > 0 else 0.0


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=value)


class SystemCollector:
    """``paths`` are the folders whose file systems are measured."""

    def __init__(self, paths: Sequence[str | os.PathLike[str]]) -> None:
        self._paths = [str(Path(each).absolute()) for each in paths]
        self._cpu = CpuShare()
        self._process = ProcessCollector(registry=None)
        self._began = process_start()
        self._class: str | None = None
        self._started = 0.0

    def started(self, application: str) -> None:
        """The application answers from now on."""
        self._class, self._started = application, max(0.0, time.time() - self._began)

    def describe(self) -> Iterable[Metric]:
        """Names are known at scrape time only."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Called by every scrape."""
        machine, process = self._cpu.read()
        if machine is not None:
            yield _gauge(
                "system_cpu_usage",
                "The recent cpu usage of the system the application is running in",
                machine,
            )
        if process is not None:
            yield _gauge("process_cpu_usage", "The recent cpu usage of this process", process)
        yield _gauge("system_cpu_count", "The number of processors available to this process", cpu_count())
        if hasattr(os, "getloadavg"):
            text = "Runnable entities queued and running, averaged over a minute"
            yield _gauge("system_load_average_1m", text, os.getloadavg()[0])
        yield _gauge("process_uptime_seconds", "The uptime of this process", max(0.0, time.time() - self._began))
        yield _gauge("process_start_time_seconds", "Start time of the process since unix epoch", self._began)
        # Beside memory and CPU seconds it tells the start once more, on Linux alone.
        yield from (each for each in self._process.collect() if each.name != "process_start_time_seconds")
        threads = thread_count()
        if threads is not None:
            yield _gauge("process_threads", "Number of OS threads in the process", threads)
        if self._class is not None:
            text = "Time taken to start the application"
            started = GaugeMetricFamily("application_started_time_seconds", text, labels=["main_application_class"])
            started.add_metric([self._class], self._started)
            yield started
        yield from self._files()
        yield from self._disks()

    def _files(self) -> Iterator[Metric]:
        try:
            count = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 -- a name each is enough
        except OSError:
            count = -1
        if count >= 0:
            yield _gauge("process_files_open_files", "The open file descriptor count", count)
        if sys.platform != "win32":
            import resource

            most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
            if most != resource.RLIM_INFINITY:
                yield _gauge("process_files_max_files", "The maximum file descriptor count", most)

    def _disks(self) -> Iterator[Metric]:
        free = GaugeMetricFamily("disk_free_bytes", "Usable space for path", labels=["path"])
        total = GaugeMetricFamily("disk_total_bytes", "Total space for path", labels=["path"])
        for path in self._paths:
            try:
                usage = shutil.disk_usage(path)
            except OSError:
                continue
            free.add_metric([path], usage.free)
            total.add_metric([path], usage.total)
        yield free
        yield total
