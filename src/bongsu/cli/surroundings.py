"""What there is to watch: which Prometheus answers, its jobs, and what their metrics tell of the machines."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from bongsu.adapters.clock import SystemClock
from bongsu.adapters.fetch import address
from bongsu.adapters.prometheus_status import PrometheusStatus
from bongsu.core.errors import InvalidInput
from bongsu.core.profile import Profile, recognise
from bongsu.core.scraping import Target
from bongsu.core.setup import LabSite, slug
from bongsu.lab.directory import LabDirectory
from bongsu.ports import Unavailable
from bongsu.profiles import shipped

USUAL = ("http://127.0.0.1:9090", "http://localhost:9090", "http://prometheus:9090")
_ASKED = re.compile(r"/api/v1/query\?\S*?(?=[: ])")
"""What was asked of an address, which nobody typed."""
_GLANCE = 1.5
"""Seconds for each of the usual addresses."""
_NOT_SERVICES = ("node-exporter",)
"""Profiles of machines, not of services."""
_MOST_JOBS = 20
_OWN_NAMES = {
    "burst_credit_balance": ("balance", 'burst_credit_balance{job="$job"}'),
    "burst_throttled_ratio": ("throttled", 'burst_throttled_ratio{job="$job"}'),
}
"""Metrics that no profile knows, for they are the machine's: the signal, and how to ask for it."""


@dataclass(frozen=True, slots=True)
class Lab:
    """A lab that runs on this computer."""

    prometheus: str
    smtp: str
    machine: str
    site: LabSite


@dataclass(frozen=True, slots=True)
class Job:
    """A job of Prometheus, with the profile that its metrics fit."""

    name: str
    targets: tuple[Target, ...]
    names: frozenset[str]
    profile: Profile | None

    @property
    def answering(self) -> int:
        """How many targets answer."""
        return sum(each.health == "up" for each in self.targets)

    @property
    def is_service(self) -> bool:
        """Whether it looks like something to watch."""
        return self.profile is not None and self.profile.name not in _NOT_SERVICES

    @property
    def interval(self) -> timedelta | None:
        """How often it is scraped, on the wall; None where Prometheus does not tell."""
        return max((each.interval for each in self.targets if each.interval), default=None)

    def signals(self) -> dict[str, str]:
        """Signals beside the profile's own."""
        return dict(_OWN_NAMES[name] for name in sorted(self.names & _OWN_NAMES.keys()))

    def missing(self, *signals: str) -> list[tuple[str, str]]:
        """Those signals that neither the profile nor its own metrics give, with what to add."""
        if self.profile is None:
            return []
        own = self.signals()
        sources = {name: self.profile.signals.get(name) for name in signals if name not in own}
        return [
            (name, each.add if each else "") for name, each in sources.items() if not each or not each.best(self.names)
        ]


def running_lab(directory: Path = Path("var/lab")) -> Lab | None:
    """The lab below this folder, if one runs."""
    lab = LabDirectory(directory.resolve())
    state = lab.read_state() if lab.holder() is not None else None
    if state is None:
        return None
    ends = state["endpoints"]
    site = LabSite(datetime.fromisoformat(state["origin"]), float(state["speed"]), ends["control"])
    return Lab(ends["prometheus"], ends["smtp"], str(state["plan"]["machine_type"]), site)


def first_answering(more: Sequence[str] = ()) -> str | None:
    """The first of the usual addresses at which a Prometheus answers."""
    for url in (*more, *USUAL):
        try:
            PrometheusStatus(url, SystemClock(), _GLANCE).ahead()
        except Unavailable:
            continue
        return url
    return None


def reach(text: str) -> PrometheusStatus:
    """The Prometheus at an address. Raises InvalidInput that says why there is none, and what can be done."""
    url = address(text)
    status = PrometheusStatus(url, SystemClock())
    try:
        status.ahead()
    except Unavailable as error:
        why = _ASKED.sub("", str(error))
        raise InvalidInput([f"{why} (to go on without it: bongsu init --offline, and name the job yourself)"]) from None
    return status


def jobs(status: PrometheusStatus) -> list[Job]:
    """The jobs, those that look like a service first. Raises Unavailable."""
    targets = status.targets()
    found = []
    for name in sorted({each.job for each in targets} - {""})[:_MOST_JOBS]:
        names = frozenset(status.names(name))
        mine = tuple(each for each in targets if each.job == name)
        found.append(Job(name, mine, names, recognise(shipped().values(), names)))
    return sorted(found, key=lambda job: (not job.is_service, -_fit(job), job.name))


def _fit(job: Job) -> float:
    return job.profile.fit(job.names) if job.profile is not None else 0.0


def machine_marks(status: PrometheusStatus, job: Job) -> tuple[set[str], int | None]:
    """What the metrics say of the machines: names that may be a type's, and how many vCPUs they have at most."""
    try:
        labels = [set(labels.values()) for labels, _ in status.values(f'up{{job="{job.name}"}}')]
        hosts = {_host(each.url or f"//{each.instance}") for each in job.targets}
        for told, _ in status.values("node_dmi_info"):  # a node exporter on an EC2 machine: product_name="t3.small"
            if _host(f"//{told.get('instance', '')}") in hosts:
                labels.append(set(told.values()))
        counts = [value for _, value in status.values(f'max(system_cpu_count{{job="{job.name}"}})')]
        if not counts:
            each_node = status.values('count by (instance) (node_cpu_seconds_total{mode="idle"})')
            counts = [value for told, value in each_node if _host(f"//{told.get('instance', '')}") in hosts]
    except Unavailable:
        return set(), None
    return set().union(*labels), round(max(counts)) if counts else None


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def own_zone() -> str:
    """The time zone that this computer is set to; UTC where it does not say."""
    named = os.environ.get("TZ", "").removeprefix(":")
    if named:
        return named
    parts = Path("/etc/localtime").resolve().parts
    name = "/".join(parts[parts.index("zoneinfo") + 1 :]) if "zoneinfo" in parts else "UTC"
    return "UTC" if name == "Etc/UTC" else name


def own_locale() -> str:
    """The language that this computer speaks, as far as we do."""
    spoken = os.environ.get("LC_ALL") or os.environ.get("LC_MESSAGES") or os.environ.get("LANG") or ""
    return "ko" if spoken.startswith("ko") else "en"


def service_name(job: str) -> str:
    """A job's name as a service's."""
    return slug(job, "service")
