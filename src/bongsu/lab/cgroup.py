"""CPU cgroups, version 1 and 2: found in mountinfo, created, limited, read, swept.

In version 1 the ``cpu`` and ``cpuacct`` controllers may be one mount or two; in version 2 both are one.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

PERIOD_US = 100_000
"""The kernel's default period: a machine of 0.4 core may run 40 ms of every 100 ms."""
PREFIX = "bongsu"


@dataclass(frozen=True, slots=True)
class Usage:
    """What a machine used since it began: CPU seconds, periods, and how much of them it was held back."""

    cpu_seconds: float
    periods: int = 0
    throttled_periods: int = 0
    throttled_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Mounts:
    """Where groups can be made: candidates for the parent directory, the nearest first.

    ``accounting`` runs parallel to ``cpu``; in version 2 both are the same.
    """

    version: int
    cpu: tuple[Path, ...]
    accounting: tuple[Path, ...]


def find_mounts(mountinfo: str, membership: str) -> Mounts | None:
    """Find the CPU controllers from the texts of /proc/self/mountinfo and /proc/self/cgroup.

    A hybrid system has a version 2 mount without the CPU controller beside version 1: version 1 is looked for first.
    """
    mine = dict(_memberships(membership))
    first: dict[str, tuple[Path, ...]] = {}
    second: tuple[Path, ...] | None = None
    for line in mountinfo.splitlines():
        left, _, right = line.partition(" - ")
        fields, (kind, _, options) = left.split(), right.split(" ", 2)
        root, point = fields[3], Path(_unescape(fields[4]))
        if kind == "cgroup":
            for controller in {"cpu", "cpuacct"} & set(options.split(",")):
                first.setdefault(controller, _candidates(point, root, mine.get(controller, "/")))
        elif kind == "cgroup2" and second is None:
            second = _candidates(point, root, mine.get("", "/"))
    if "cpu" in first and "cpuacct" in first:
        return Mounts(1, first["cpu"], first["cpuacct"])
    return Mounts(2, second, second) if second is not None else None


def _memberships(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        _, controllers, path = line.split(":", 2)
        for controller in controllers.split(","):
            yield controller, path


def _candidates(point: Path, root: str, own: str) -> tuple[Path, ...]:
    """Our own group and its ancestors, as directories below the mount point (which shows ``root``)."""
    path = PurePosixPath(own)
    if ".." in path.parts or not path.is_relative_to(root):
        return (point,)
    relative = path.relative_to(root)
    return tuple(dict.fromkeys([point / relative, *(point / parent for parent in relative.parents)]))


def _unescape(text: str) -> str:
    for code, sign in (("\\040", " "), ("\\011", "\t"), ("\\134", "\\")):
        text = text.replace(code, sign)
    return text


@dataclass(frozen=True, slots=True)
class CpuGroup:
    """One CPU cgroup."""

    version: int
    cpu: Path
    accounting: Path

    def limit(self, cores: float) -> None:
        """Cap the group at ``cores``. Every write lifts a throttle that is on, so write on transitions only."""
        quota = max(1000, round(cores * PERIOD_US))  # the kernel takes no quota under 1 ms
        if self.version == 2:
            (self.cpu / "cpu.max").write_text(f"{quota} {PERIOD_US}")
            return
        (self.cpu / "cpu.cfs_period_us").write_text(str(PERIOD_US))
        (self.cpu / "cpu.cfs_quota_us").write_text(str(quota))

    def usage(self) -> Usage:
        """CPU seconds, periods, throttled periods and seconds since the group was made."""
        stat = dict(line.split() for line in (self.cpu / "cpu.stat").read_text().splitlines())
        if self.version == 2:
            cpu = int(stat["usage_usec"]) / 1e6
            throttled = int(stat.get("throttled_usec", 0)) / 1e6
        else:
            cpu = int((self.accounting / "cpuacct.usage").read_text()) / 1e9
            throttled = int(stat.get("throttled_time", 0)) / 1e9
        return Usage(cpu, int(stat.get("nr_periods", 0)), int(stat.get("nr_throttled", 0)), throttled)

    def close(self) -> None:
        """Lift the cap."""
        with suppress(OSError):
            if self.version == 2:
                (self.cpu / "cpu.max").write_text(f"max {PERIOD_US}")
            else:
                (self.cpu / "cpu.cfs_quota_us").write_text("-1")

    def members(self) -> list[int]:
        """The pids in the group."""
        pids: set[int] = set()
        for directory in {self.cpu, self.accounting}:
            with suppress(FileNotFoundError):
                pids.update(int(pid) for pid in (directory / "cgroup.procs").read_text().split())
        return sorted(pids)

    def remove(self, patience: float = 3.0) -> None:
        """Kill what is still inside and remove the group; a group that is gone is no error."""
        self.close()
        deadline = time.monotonic() + patience
        for directory in dict.fromkeys((self.cpu, self.accounting)):
            while directory.is_dir():
                for pid in self.members():
                    with suppress(ProcessLookupError, PermissionError):
                        os.kill(pid, signal.SIGKILL)
                try:
                    directory.rmdir()
                except OSError:  # busy until the last process is really gone
                    if time.monotonic() > deadline:
                        raise
                    time.sleep(0.01)


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """A place where groups of one lab can be made; ``mark`` is part of every name."""

    version: int
    cpu: Path
    accounting: Path
    mark: str

    def create(self, machine: str) -> CpuGroup:
        """Make a machine's group; an old one of the same name is removed first."""
        group = self._group(f"{PREFIX}-{self.mark}-{machine}")
        if group.cpu.is_dir() or group.accounting.is_dir():
            group.remove()
        group.cpu.mkdir()
        if group.accounting != group.cpu:
            group.accounting.mkdir()
        return group

    def sweep(self) -> list[str]:
        """Remove this lab's groups, with whatever still runs in them; never those of another lab."""
        names = {
            path.name
            for parent in {self.cpu, self.accounting}
            for path in parent.glob(f"{PREFIX}-{self.mark}-*")
            if path.is_dir()
        }
        for name in names:
            self._group(name).remove()
        return sorted(names)

    def _group(self, name: str) -> CpuGroup:
        return CpuGroup(self.version, self.cpu / name, self.accounting / name)


def usable_hierarchy(mark: str, mounts: Mounts | None = None) -> Hierarchy | None:
    """The nearest place where a group can really be made, limited and entered; None when there is none."""
    if mounts is None:
        mounts = find_mounts(Path("/proc/self/mountinfo").read_text(), Path("/proc/self/cgroup").read_text())
    if mounts is None:
        return None
    # The last pair is both mount points: where the own groups of the two controllers differ, pairs may end early.
    pairs = [*zip(mounts.cpu, mounts.accounting, strict=False), (mounts.cpu[-1], mounts.accounting[-1])]
    for cpu, accounting in dict.fromkeys(pairs):
        hierarchy = Hierarchy(mounts.version, cpu, accounting, mark)
        if _works(hierarchy):
            return hierarchy
    return None


def _works(hierarchy: Hierarchy) -> bool:
    try:
        if hierarchy.version == 2 and not _delegates(hierarchy.cpu):
            return False
        group = hierarchy.create("probe")
    except OSError:
        return False
    try:
        group.limit(0.5)
        group.usage()
        script = 'for file; do echo $$ > "$file" || exit 1; done'
        entrances = [str(path / "cgroup.procs") for path in (group.cpu, group.accounting)]
        entered = subprocess.run(["/bin/sh", "-c", script, "sh", *entrances], capture_output=True, check=False)
        return entered.returncode == 0
    except (OSError, KeyError):
        return False
    finally:
        with suppress(OSError):
            group.remove()


def _delegates(parent: Path) -> bool:
    """Whether children of a version 2 group get the CPU controller; switches it on where we may."""
    if "cpu" not in (parent / "cgroup.controllers").read_text().split():
        return False
    switch = parent / "cgroup.subtree_control"
    if "cpu" not in switch.read_text().split():
        switch.write_text("+cpu")  # refused (EBUSY) where the group itself holds processes
    return True
