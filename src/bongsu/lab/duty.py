"""Capping CPU without any right: stop the process group when its share of a period is used up, then continue it."""

from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import suppress
from pathlib import Path

from bongsu.lab.cgroup import Usage

PERIOD = 0.1
"""Seconds; the same as the kernel's period for cgroups."""
STEP = 0.005
"""Seconds between two looks while the group runs: it can overdraw its share by this much."""


def cpu_seconds(pid: int) -> float:
    """CPU time of a whole process, all its threads, in seconds and to the nanosecond. Raises OSError when it is gone.

    The kernel has a CPU clock per process, numbered from its pid (clock_getcpuclockid(3)); one system call,
    where /proc/PID/stat counts hundredths.
    """
    return time.clock_gettime((~pid << 3) | 2)


def members(leader: int) -> list[int]:
    """The pids of a process group, from /proc."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError, ValueError):
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                if int(fields[2]) == leader and fields[0] != "Z":
                    found.append(int(entry.name))
    return found


class DutyCycle:
    """A throttle on a process group; a thread of its own looks at it while a cap is on."""

    def __init__(self, leader: int) -> None:
        """``leader``: the process group."""
        self._leader = leader
        self._cores = float(os.cpu_count() or 1)
        self._seen: dict[int, float] = {}
        self._looked = 0.0
        self._periods = 0
        self._throttled_periods = 0
        self._throttled = 0.0
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def limit(self, cores: float) -> None:
        """Cap the group at ``cores`` from now on."""
        self._cores = cores
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name=f"duty-{self._leader}", daemon=True)
            self._thread.start()

    def usage(self) -> Usage:
        """CPU seconds of the group, and what it was held back. Raises OSError when nothing of it is left."""
        with self._lock:
            if not self._look():
                raise ProcessLookupError(self._leader)
            return Usage(sum(self._seen.values()), self._periods, self._throttled_periods, self._throttled)

    def close(self) -> None:
        """End the thread and let the group run."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join()
        self._signal(signal.SIGCONT)

    def _look(self) -> bool:
        """Read every member's CPU clock; those that ended keep their last figure. False when none is left."""
        now = time.monotonic()
        if now - self._looked > 1.0 or not self._seen:
            self._looked = now
            for pid in members(self._leader):
                self._seen.setdefault(pid, 0.0)
        alive = False
        for pid in self._seen:
            with suppress(OSError):
                self._seen[pid] = cpu_seconds(pid)
                alive = True
        return alive

    def _used(self) -> float:
        with self._lock:
            self._look()
            return sum(self._seen.values())

    def _run(self) -> None:
        """One round is a period. What is overdrawn in one is taken from the next, so that the mean holds."""
        debt = 0.0
        used = self._used()
        while not self._ended.is_set():
            began = time.monotonic()
            share = self._cores * PERIOD
            stopped_at: float | None = None
            while (left := began + PERIOD - time.monotonic()) > 0 and not self._ended.is_set():
                if stopped_at is None and debt + self._used() - used >= share:
                    self._signal(signal.SIGSTOP)
                    stopped_at = time.monotonic()
                time.sleep(left if stopped_at is not None else min(STEP, left))
            spent = self._used() - used
            used += spent
            debt = max(0.0, debt + spent - self._cores * PERIOD)
            self._periods += 1
            if stopped_at is not None:
                self._throttled_periods += 1
                self._throttled += time.monotonic() - stopped_at
                if debt < self._cores * PERIOD:
                    self._signal(signal.SIGCONT)
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._leader, number)
