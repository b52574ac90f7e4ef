"""What the files are made from: services with their policies, people with their addresses, and durations."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from bongsu.config import Config, Service
from bongsu.core.burst import MachineType
from bongsu.core.delivery import channel_of
from bongsu.core.errors import InvalidInput
from bongsu.core.policy import Policy
from bongsu.core.profile import Profile
from bongsu.core.schedule import Directory, Recipient

SCRAPES_UNTIL_MISSING = 3
HEARTBEAT_AGE = timedelta(minutes=1)
"""A heartbeat of Bongsu's older than this is missing."""
PATIENCE = timedelta(minutes=1)
"""How long a machine must be down, blind or waiting before the second line of defence says so."""
_UNFIT = re.compile(r'["\\$\x00-\x1f]|\{\{')
_ANY_TIME = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Guarded:
    """A service, and what its policy and its machines' type say."""

    name: str
    section: Service
    policy: Policy
    machine: MachineType
    profile: Profile

    @property
    def limit(self) -> float:
        """The level that a breach exceeds."""
        return self.machine.baseline if self.policy.over is None else self.policy.over

    def has(self, signal: str) -> bool:
        """Whether its profile, or the service itself, knows how to get a signal."""
        source = self.profile.signals.get(signal)
        return signal in self.section.signals or (source is not None and bool(source.readings))


@dataclass(frozen=True, slots=True)
class Setup:
    """Everything that the files say. ``services`` are in the order of their names, whatever the file's order was."""

    services: tuple[Guarded, ...]
    directory: Directory
    config: Config

    def wall(self, span: timedelta) -> timedelta:
        """A span of service time on the clock of Prometheus, which knows only the wall's."""
        return span / self.config.timescale.speed

    @property
    def scrape(self) -> timedelta:
        """The scrape interval, which is also how often rules are evaluated (wall time)."""
        return self.wall(self.config.prometheus.scrape)

    @property
    def missing_after(self) -> timedelta:
        """A sample older than this is missing (wall time)."""
        return SCRAPES_UNTIL_MISSING * self.scrape

    @property
    def heartbeat_age(self) -> timedelta:
        """How old Bongsu's heartbeat may be: a minute, and three looks where it looks more rarely (wall time)."""
        return max(HEARTBEAT_AGE, 3 * self.wall(self.config.watch.every))

    @property
    def bongsu(self) -> str:
        """Where Prometheus reaches Bongsu, as host:port."""
        web = self.config.web
        return web.address or f"{web.host}:{web.port}"

    @property
    def console(self) -> str:
        """The address of the console, without a slash at its end; links in mails begin with it."""
        return (self.config.web.public_url or f"http://{self.bongsu}").rstrip("/")

    def recipients(self, targets: Iterable[str]) -> tuple[Recipient, ...]:
        """Every address behind some targets, once. Files cannot take turns: on-call is everybody in the rotation."""
        found: dict[str, Recipient] = {}
        for target in targets:
            kind, _, name = target.partition(":")
            people = self.directory.schedules[name].people if kind == "on-call" else ()
            for each in [f"person:{person}" for person in people] or [target]:
                mail = [r for r in self.directory.resolve(each, _ANY_TIME) if channel_of(r.address) is None]
                found |= {r.address: r for r in mail if r.address not in found}
        return tuple(found.values())

    def everybody(self) -> tuple[str, ...]:
        """Whom to tell about Bongsu and Prometheus themselves: everyone who is told when a service is blind."""
        return tuple(dict.fromkeys(target for each in self.services for target in each.policy.blind))


def duration(span: timedelta) -> str:
    """A span in the form that Prometheus, Alertmanager and Grafana read: ``2m2s500ms``."""
    left = round(span.total_seconds() * 1000)
    text = ""
    for unit, size in (("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)):
        count, left = divmod(left, size)
        text += f"{count}{unit}" if count else ""
    return text or "0s"


def refuse_unfit_names(config: Config) -> None:
    """Names become labels, templates and PromQL strings. Raises InvalidInput with each that cannot."""
    sections: dict[str, Mapping[str, object]] = {
        "service": config.service, "policy": config.policy, "person": config.person,
        "team": config.team, "schedule": config.schedule,
    }  # fmt: skip
    problems = [
        f"{key}.{name}: this name has a quote, a backslash, a dollar sign or braces in it, which files for Grafana "
        "cannot carry; rename it"
        for key, section in sections.items()
        for name in section
        if _UNFIT.search(name)
    ]
    problems += [
        f"service.{name}.job: {each.job!r} has a quote, a backslash, a dollar sign or braces in it; rename the job"
        for name, each in config.service.items()
        if _UNFIT.search(each.job)
    ]
    if not config.service:
        problems.append("service: there is none, so there is nothing to generate; add a [service.NAME]")
    if problems:
        raise InvalidInput(problems)
