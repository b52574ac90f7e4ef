"""Capping the CPU of a lab machine: one shape, two ways (a cgroup, or stopping and continuing the process)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from bongsu.core.errors import InvalidInput
from bongsu.lab.cgroup import CpuGroup, Usage, usable_hierarchy
from bongsu.lab.duty import DutyCycle


class Throttle(Protocol):
    """Caps the CPU of one machine and counts what it used."""

    def limit(self, cores: float) -> None:
        """Cap the machine at ``cores``. Call it on transitions only: a cgroup forgives its debt on every write."""
        ...

    def usage(self) -> Usage:
        """CPU used and time throttled since the machine began. Raises OSError when it is gone."""
        ...

    def close(self) -> None:
        """Lift the cap and let go; the machine's processes go on."""
        ...


@dataclass(frozen=True, slots=True)
class Enclosure:
    """How a machine is capped, as the supervisor tells the governor: JSON-able.

    ``kind``: ``cgroup`` with its version and directories, or ``duty`` with the process group in ``leader``.
    """

    kind: str
    version: int = 0
    cpu: str = ""
    accounting: str = ""
    leader: int = 0

    def throttle(self) -> Throttle:
        """The live throttle."""
        if self.kind == "cgroup":
            return CpuGroup(self.version, Path(self.cpu), Path(self.accounting))
        return DutyCycle(self.leader)

    def entrances(self) -> Sequence[Path]:
        """The files a process writes its pid to before it becomes the machine."""
        if self.kind != "cgroup":
            return ()
        return [Path(each) / "cgroup.procs" for each in dict.fromkeys((self.cpu, self.accounting))]


def enclosure_from(data: dict[str, Any]) -> Enclosure:
    """Read back an enclosure from the roster."""
    return Enclosure(**data)


class Enclosures:
    """Makes enclosures for the machines of one lab, in the way this system allows."""

    def __init__(self, mark: str, wanted: str = "auto") -> None:
        """``mark`` keeps labs apart; ``wanted`` is ``auto``, ``cgroup`` or ``duty``. Raises InvalidInput."""
        self._hierarchy = usable_hierarchy(mark)
        self._cgroups = self._hierarchy is not None and wanted != "duty"
        if wanted == "cgroup" and not self._cgroups:
            raise InvalidInput(
                ["this user may not make CPU cgroups here; run the lab as root, or take --throttle duty"]
            )

    @property
    def description(self) -> str:
        """For a person: how machines are capped here."""
        if self._hierarchy is not None and self._cgroups:
            return f"cgroup v{self._hierarchy.version} at {self._hierarchy.cpu}"
        why = "as asked" if self._hierarchy is not None else "no right to make CPU cgroups"
        return f"duty cycle (SIGSTOP and SIGCONT; {why})"

    def sweep(self) -> list[str]:
        """Remove groups that a killed lab of the same directory left; returns their names."""
        return [] if self._hierarchy is None else self._hierarchy.sweep()

    def make(self, machine: str) -> Enclosure:
        """An enclosure for a machine that is about to start; duty cycles get their process with ``begun``."""
        if self._hierarchy is None or not self._cgroups:
            return Enclosure("duty")
        group = self._hierarchy.create(machine)
        return Enclosure("cgroup", group.version, str(group.cpu), str(group.accounting))

    def begun(self, enclosure: Enclosure, leader: int) -> Enclosure:
        """The enclosure once its process group exists."""
        return enclosure if enclosure.kind == "cgroup" else Enclosure("duty", leader=leader)

    def remove(self, enclosure: Enclosure) -> None:
        """Remove what ``make`` made; the machine's processes must have ended."""
        if enclosure.kind == "cgroup":
            CpuGroup(enclosure.version, Path(enclosure.cpu), Path(enclosure.accounting)).remove()
