"""A watched service: what it runs on, whose policy guards it, and where its signals live."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from bongsu.core.burst import MachineType
from bongsu.core.impact import Sales
from bongsu.core.policy import Policy

BLIND = "blind"
"""The name of the policy under which a service without samples has an incident of its own."""
SOURCE = "prometheus"
"""The name under which the metrics store itself has an incident when it does not answer."""


@dataclass(frozen=True, slots=True)
class Service:
    """What the watch needs to know. ``signals`` are PromQL, ``by_machine`` the same with sums made for each machine.

    ``stale`` is three scrapes (service time); ``sales``: the counters of its orders; ``owner``: the owning team.
    """

    name: str
    machine: MachineType
    policy: Policy
    blind: Policy
    signals: Mapping[str, str] = field(default_factory=dict)
    by_machine: Mapping[str, str] = field(default_factory=dict)
    stale: timedelta = timedelta(seconds=15)
    look_back: timedelta = timedelta(hours=6)
    most_machines: int = 4
    sales: Sales | None = None
    owner: str | None = None
