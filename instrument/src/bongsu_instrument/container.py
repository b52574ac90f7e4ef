"""The CPU limit of the container that this process runs in, and what the container has used of it.

A container sees the ``/proc/stat`` of the whole computer. Its own share, which a JVM tells since version 17, is the CPU
time of its control group, of what the limit allows. The group is the one at the root of the mount, as containers see
theirs; on a host that is the whole computer's, which has no limit.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

MOUNT = Path("/sys/fs/cgroup")


def cpu_limit(mount: Path = MOUNT) -> float | None:
    """Cores that the container may use; None without a limit, and outside Linux."""
    with suppress(OSError, ValueError):  # version 2
        quota, period = (mount / "cpu.max").read_text().split()
        return None if quota == "max" else int(quota) / int(period)
    with suppress(OSError, ValueError):
        quota_us = int((mount / "cpu" / "cpu.cfs_quota_us").read_text())
        period_us = int((mount / "cpu" / "cpu.cfs_period_us").read_text())
        return quota_us / period_us if quota_us > 0 else None
    return None


def cpu_seconds(mount: Path = MOUNT) -> float | None:
    """CPU seconds that the container has used since it began."""
    with suppress(OSError, ValueError, KeyError):
        stat = dict(line.split() for line in (mount / "cpu.stat").read_text().splitlines())
        return int(stat["usage_usec"]) / 1e6
    with suppress(OSError, ValueError):
        return int((mount / "cpuacct" / "cpuacct.usage").read_text()) / 1e9
    return None
