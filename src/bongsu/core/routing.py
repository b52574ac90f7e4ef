"""Routing: which service's incident an alert belongs to."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from bongsu.core.alert import POLICY_LABEL, SERVICE_LABEL
from bongsu.core.matcher import Matcher, all_match
from bongsu.core.policy import ON_CALL_ALONE

ALERTS = "alerts"
"""The name of the policy under which a service's alerts from outside have their incident."""


class Destination(NamedTuple):
    """Where alerts go: one incident for each (service, policy, group)."""

    service: str
    policy: str = ALERTS
    group: str = ""


@dataclass(frozen=True, slots=True)
class Route:
    """Alerts for which every matcher holds go to ``service`` under ``policy``.

    ``group_by``: an incident for each combination of these labels' values.
    """

    matchers: tuple[Matcher, ...]
    service: str
    policy: str = ALERTS
    group_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Routing:
    """Labels decide first (``bongsu_service``, ``service``), then the routes in their order, then the default.

    ``watched``: by service, the policies that the watch itself guards; an alert about one of them joins its incident.
    """

    watched: Mapping[str, Collection[str]]
    routes: tuple[Route, ...] = ()
    default: str | None = None

    def of(self, labels: Mapping[str, str]) -> Destination | None:
        """The destination; None when nobody is responsible for such an alert."""
        named = labels.get(SERVICE_LABEL, "")
        if named in self.watched:
            about = labels.get(POLICY_LABEL)
            if about is None:
                return _alerts_of(named)
            return Destination(named, about if about in (*self.watched[named], *ON_CALL_ALONE) else ALERTS)
        for route in self.routes:
            if all_match(route.matchers, labels):
                return Destination(route.service, route.policy, _group(route.group_by, labels))
        named = labels.get("service", "")
        if named in self.watched:
            return Destination(named)
        return Destination(self.default) if self.default is not None else None


@lru_cache(maxsize=1024)
def _alerts_of(service: str) -> Destination:
    """Where most alerts go; made once for each service."""
    return Destination(service)


def _group(names: Iterable[str], labels: Mapping[str, str]) -> str:
    return ", ".join(f"{name}={labels.get(name, '')}" for name in names)
