"""Everything about one lab that is settled before its first process starts: plan, directory, programs, ports."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from datetime import datetime

from bongsu.lab.directory import LabDirectory
from bongsu.lab.loopback import HOST, free_ports
from bongsu.lab.plan import LabPlan
from bongsu.lab.programs import Programs


@dataclass(frozen=True, slots=True)
class Ports:
    """Loopback ports of the parts; ``edge`` is the shop's public one."""

    edge: int
    bongsu: int
    prometheus: int
    control: int
    postgres: int
    smtp: int
    governor: int
    haproxy: int


@dataclass(frozen=True, slots=True)
class Site:
    """What every part's definition is made from. ``origin``: the wall time at which lab time equals wall time."""

    plan: LabPlan
    directory: LabDirectory
    programs: Programs
    origin: datetime
    ports: Ports
    _more_ports: Iterator[int] = field(repr=False, compare=False)

    def next_port(self) -> int:
        """A port for one more machine."""
        return next(self._more_ports)

    @property
    def database_url(self) -> str:
        """The shop's database."""
        password = self.directory.secret("postgres_password").read_text(encoding="ascii").strip()
        return f"postgresql://shop:{password}@{HOST}:{self.ports.postgres}/shop"

    def url(self, port: int) -> str:
        """A loopback address."""
        return f"http://{HOST}:{port}"

    def endpoints(self) -> dict[str, str]:
        """Where a drill finds everything."""
        return {
            "shop": self.url(self.ports.edge),
            "bongsu": self.url(self.ports.bongsu),
            "prometheus": self.url(self.ports.prometheus),
            "governor": self.url(self.ports.governor),
            "control": self.url(self.ports.control),
            "haproxy_metrics": f"{self.url(self.ports.haproxy)}/metrics",
            "haproxy_socket": str(self.directory.socket),
            "smtp": f"{HOST}:{self.ports.smtp}",
            "postgres": self.database_url,
            "edge_log": str(self.directory.edge_log),
            "inbox": str(self.directory.inbox),
            "machines_log_dir": str(self.directory.root / "machines"),
            "governor_records": str(self.directory.records),
        }


def settle(plan: LabPlan, directory: LabDirectory, programs: Programs, origin: datetime) -> Site:
    """Choose the ports."""
    ports = free_ports(directory.mark)
    return Site(plan, directory, programs, origin, Ports(*(next(ports) for _ in fields(Ports))), ports)
