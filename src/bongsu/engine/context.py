"""What every verb of the engine needs at hand, put together once by ``bootstrap``."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from bongsu.core.access import Access
from bongsu.core.contact import Weekly
from bongsu.core.drill import Drilled
from bongsu.core.policy import Policy
from bongsu.core.review import Meeting
from bongsu.core.routing import Routing
from bongsu.core.schedule import Directory
from bongsu.core.service import Service
from bongsu.core.timescale import Timescale
from bongsu.engine.courses import Courses
from bongsu.engine.known import Arriving, Known, Outgoing, Pulse, RelayState, Touched, Traces
from bongsu.engine.tries import Failures
from bongsu.ports import (
    AccessLog,
    Balancer,
    Channel,
    Clock,
    Data,
    Machines,
    Metrics,
    Notifier,
    Pinger,
    Provider,
    SharedTime,
)
from bongsu.store.database import Database


@dataclass(frozen=True, slots=True)
class Integration:
    """Who may send webhooks: in which ``form``, for which service, and when an alert ends that is never resolved."""

    token: str
    form: str
    service: str | None
    times_out: timedelta


@dataclass(frozen=True, slots=True)
class SecondChannel:
    """The channel by name that hears of it when mail has been undeliverable for so long (wall time)."""

    name: str
    after: timedelta
    locale: str


@dataclass(frozen=True, slots=True)
class CareOf:
    """A service's data and how often it is looked after, in service time; ``prove``: each backup is restored."""

    data: Data
    back_up_every: timedelta | None
    verify_every: timedelta | None
    prove: bool


@dataclass(frozen=True, slots=True)
class Owed:
    """A heartbeat that must come every so often (wall time), whom to tell when it does not, and who may send it."""

    every: timedelta
    notify: tuple[str, ...]
    token: str


@dataclass(frozen=True, slots=True)
class Out:
    """Where our own heartbeat goes every so often (wall time)."""

    way: Pinger
    every: timedelta


@dataclass(frozen=True, slots=True)
class Context:
    """``clock`` tells service time, ``wall`` the wall's; they are the same unless this is a lab.

    ``balancers``, ``machines`` and ``logs`` are by service, for the services that have one; ``policies`` are those that
    alerts may be routed to. ``channels`` are ways beside mail, by name; ``senders`` mails are sent at a time; whoever
    gets more than ``digest_over`` in a minute gets a digest of what may wait. ``mail_due`` is set when a message was
    written, so that delivery need not wait for its next look; ``work_due`` likewise for actions.
    ``directory`` is what the configuration says; ``engine.people`` knows who stands in for whom besides. ``verify`` and
    ``readiness`` are mails that come by the calendar of the wall; a round is over after ``answer_within``.
    """

    db: Database
    clock: Clock
    wall: Clock
    services: Mapping[str, Service]
    directory: Directory
    metrics: Metrics
    notifier: Notifier
    link_key: bytes
    api_token: str
    balancers: Mapping[str, Balancer] = field(default_factory=dict)
    machines: Mapping[str, Machines] = field(default_factory=dict)
    providers: Mapping[str, Provider] = field(default_factory=dict)
    logs: Mapping[str, AccessLog] = field(default_factory=dict)
    timescale: Timescale = field(default_factory=Timescale)
    public_url: str = "http://127.0.0.1:8080"
    link_expires: timedelta = timedelta(hours=24)
    sender: str = "bongsu@localhost"
    host: str = "localhost"
    watch_every: timedelta = timedelta(seconds=5)
    started_at: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    routing: Routing = field(default_factory=lambda: Routing({}))
    policies: Mapping[str, Policy] = field(default_factory=dict)
    integrations: Mapping[str, Integration] = field(default_factory=dict)
    verify: Weekly = field(default_factory=Weekly)
    readiness: Weekly = field(default_factory=Weekly)
    answer_within: timedelta = timedelta(days=2)
    arriving: Arriving = field(default_factory=Arriving)
    known: Known = field(default_factory=Known)
    touched: Touched = field(default_factory=Touched)
    channels: Mapping[str, Channel] = field(default_factory=dict)
    second: SecondChannel | None = None
    digest_over: int = 10
    senders: int = 8
    relay: RelayState = field(default_factory=RelayState)
    traces: Traces = field(default_factory=Traces)
    courses: Courses = field(default_factory=Courses)
    outgoing: Outgoing = field(default_factory=Outgoing)
    data: Mapping[str, CareOf] = field(default_factory=dict)
    meeting: Meeting | None = None
    drills: Callable[[], tuple[Drilled, ...]] = tuple
    shared: SharedTime | None = None
    heartbeats: Mapping[str, Owed] = field(default_factory=dict)
    heartbeat_out: Out | None = None
    pulse: Pulse = field(default_factory=Pulse)
    audit_for: timedelta = timedelta(days=400)
    access: Access = field(default_factory=Access)
    failures: Failures = field(default_factory=Failures)
    mail_due: threading.Event = field(default_factory=threading.Event)
    work_due: threading.Event = field(default_factory=threading.Event)

    def page_of(self, incident_id: str) -> str:
        """The address of an incident's page."""
        return f"{self.public_url}/incidents/{incident_id}"


def new_id(now: datetime) -> str:
    """A fresh incident id that sorts by time: ``20260105-0912-1f3a90c2``."""
    return f"{now:%Y%m%d-%H%M}-{secrets.token_hex(4)}"
