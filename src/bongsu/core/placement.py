"""Where the watchers run, against where they look: a watcher on a machine that it watches is throttled with it."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta

from bongsu.core.checkup import Finding, Level

_AWAY = (
    "put them on a machine that is not burstable, or at least not one of these: they use up the credits they guard, "
    "and are throttled when you need them (docs/install.md)"
)


@dataclass(frozen=True, slots=True)
class Places:
    """What is known of hosts. ``addresses`` (IP) by host name, missing where a name means nothing here; ``ours`` are
    those of them that belong to the computer that Bongsu runs on; ``prometheus`` is the host of its address."""

    addresses: Mapping[str, frozenset[str]]
    ours: frozenset[str]
    prometheus: str

    def of(self, host: str) -> frozenset[str]:
        """The addresses of a host that mean the same to everybody."""
        return frozenset(each for each in self.addresses.get(host, ()) if not _is_loopback(each))

    def loops(self, host: str) -> bool:
        """Whether a host means whoever asks for it."""
        return any(_is_loopback(each) for each in self.addresses.get(host, ()))

    @property
    def together(self) -> bool:
        """Whether Prometheus runs on Bongsu's computer."""
        return self.loops(self.prometheus) or bool(self.of(self.prometheus) & self.ours)


def of_placement(service: str, machines: Mapping[str, str], places: Places) -> list[Finding]:
    """Whether Bongsu or Prometheus run on a machine of a service; ``machines`` are the targets' hosts by instance."""
    bongsu, prometheus = set(), set()
    for machine, host in machines.items():
        # a target on loopback is on Prometheus' own computer, for it is Prometheus that asks
        if places.loops(host) or places.of(host) & places.of(places.prometheus):
            prometheus.add(machine)
            if places.together:
                bongsu.add(machine)
        if places.of(host) & places.ours:
            bongsu.add(machine)
            if places.together:
                prometheus.add(machine)
    found = []
    for watcher, shared in (("Bongsu", bongsu), ("Prometheus", prometheus)):
        if shared:
            named = ", ".join(sorted(shared))
            what = f"{watcher} runs on a machine that it watches: {named}"
            found.append(Finding(Level.WARNING, what, f"service {service}", _AWAY))
    return found


def of_heartbeat(job: str, jobs: Collection[str], last_look: timedelta | None, *, sent: bool) -> Finding:
    """Who would notice that Bongsu itself has stopped.

    ``last_look``: how old its heartbeat in Prometheus is. ``sent``: whether it also sends one to somebody outside.
    """
    where = "heartbeat"
    if sent:
        return Finding(Level.OK, "Bongsu sends one to a service outside, for as long as it does its work", where)
    outside = "let a service outside wait for a heartbeat: [heartbeat_out] (docs/watching-the-watcher.md)"
    if job not in jobs:
        what = "nobody outside notices when Bongsu itself stops, and Prometheus does not scrape it"
        do = f"{outside}; add the job bongsu and Grafana's rules, both written by bongsu generate"
        return Finding(Level.WARNING, what, where, do)
    seen = f", last {last_look.total_seconds():.0f} s ago" if last_look is not None else ""
    what = f"nobody outside notices when this computer is gone; only Prometheus sees Bongsu's heartbeat{seen}"
    do = f"{outside}; Grafana's rules of bongsu generate mail while the heartbeat is missing, if they are loaded"
    return Finding(Level.WARNING, what, where, do)


def _is_loopback(address: str) -> bool:
    parsed = ipaddress.ip_address(address)
    return parsed.is_loopback or parsed.is_unspecified
