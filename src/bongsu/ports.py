"""What Bongsu asks of the outside, in core values. Adapters fit by shape; there is nothing to inherit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from bongsu.core.backups import Backup
from bongsu.core.errors import BongsuError
from bongsu.core.impact import Arrivals, Traffic
from bongsu.core.recovery import Verification

Samples = tuple[tuple[datetime, float], ...]
"""Samples of one series in the order of time (service time)."""


class Reason(StrEnum):
    """Why a delivery failed, as a metric label."""

    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    REFUSED = "refused"
    BUSY = "busy"
    AUTH = "auth"
    TLS = "tls"
    SECRET = "secret"  # noqa: S105 - a reason, not a password
    """Our own password file cannot be read."""


class Retryable(BongsuError):
    """It failed and may work later."""

    def __init__(self, reason: Reason, answer: str) -> None:
        super().__init__(answer)
        self.reason = reason
        self.answer = answer


class Down(Retryable):
    """The way itself is closed: no other message would have got through either."""


class Rejected(BongsuError):
    """It failed for good."""

    def __init__(self, reason: Reason, answer: str) -> None:
        super().__init__(answer)
        self.reason = reason
        self.answer = answer


class Unavailable(BongsuError):
    """An outside system does not answer."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A message ready to go to one address; ``body`` is the whole message as bytes (RFC 5322)."""

    to: str
    body: bytes


class Clock(Protocol):
    """Where time comes from."""

    def now(self) -> datetime:
        """The time, aware, UTC."""
        ...


class Pinger(Protocol):
    """Whoever waits for our heartbeat."""

    def beat(self) -> None:
        """Let it be heard. Raises Unavailable."""
        ...


class SharedTime(Protocol):
    """The clock that the servers on one database go by."""

    def synchronise(self) -> timedelta:
        """Compare this computer's clock with the database's, correct ours, and say how far it runs ahead."""
        ...


class Metrics(Protocol):
    """A server of the Prometheus HTTP API. Raises Unavailable."""

    def samples(self, expression: str, since: datetime, until: datetime) -> Mapping[str, Samples]:
        """The raw samples of a selector by their ``instance`` label, with the store's own timestamps."""
        ...

    def values(self, expression: str, since: datetime, until: datetime, step: timedelta) -> Mapping[str, Samples]:
        """An expression evaluated every ``step``, by ``instance`` (or "" without one)."""
        ...

    def skew(self) -> timedelta:
        """How far the store's clock is ahead of ours, in wall time."""
        ...


class Envelope(Protocol):
    """An SMTP transaction that is open before it is certain that there will be a mail."""

    def heard(self) -> bool:
        """Whether the relay has answered. Never waits."""
        ...

    def accepted(self) -> bool:
        """Whether the relay takes mail from us to this address, once it has answered; if not, the envelope is gone."""
        ...

    def post(self, body: bytes) -> None:
        """Put the mail in; never waits."""
        ...

    def answer(self) -> str:
        """The relay's answer to what was posted. Raises Retryable, Down or Rejected."""
        ...

    def discard(self) -> None:
        """There will be no mail."""
        ...


class Notifier(Protocol):
    """A mail relay."""

    def open(self, to: str) -> Envelope | None:
        """An envelope for one address, where that can be begun without waiting."""
        ...

    def send(self, letter: Letter) -> str:
        """Hand it over and return the other side's answer. Raises Retryable, Down or Rejected."""
        ...

    def ping(self) -> str:
        """Whether it would take mail from us now: its answer. Raises Down."""
        ...


class Channel(Protocol):
    """Another way to reach people, such as a chat room. It knows where; we only say what."""

    def say(self, title: str, text: str) -> str:
        """Hand it over and return what is known of how it went. Raises Retryable or Rejected."""
        ...


class Balancer(Protocol):
    """A load balancer with named machines. Raises Unavailable."""

    def members(self) -> frozenset[str]:
        """The machines it sends traffic to or checks, without those being drained."""
        ...

    def add(self, name: str, address: str) -> None:
        """Give a machine traffic, one that is being drained too."""
        ...

    def drain(self, name: str) -> None:
        """Give a machine no new traffic; what it is doing it may finish."""
        ...

    def remove(self, name: str) -> None:
        """Take a drained machine out once it is idle; nothing happens when it is gone. Raises Unavailable if busy."""
        ...


class Provider(Protocol):
    """Who sells a service's machines and knows their credits. Raises Unavailable."""

    def balances(self) -> Mapping[str, Samples]:
        """The newest balances in credits, by machine, in wall time; what is owed lies below zero."""
        ...

    def doubts(self) -> Mapping[str, str]:
        """Where a machine is not what was configured, a sentence each."""
        ...


class Machines(Protocol):
    """Whoever starts and stops machines. Raises Unavailable."""

    def start(self, name: str) -> None:
        """Ask for a machine by name; asking twice gives one machine."""
        ...

    def answers(self, name: str) -> str | None:
        """The machine's address once its service really answers, else None."""
        ...

    def stop(self, name: str) -> None:
        """Stop and remove a machine; nothing happens when it is gone."""
        ...


class AccessLog(Protocol):
    """The log of every request that reached the edge. Raises Unavailable."""

    @property
    def grace(self) -> timedelta:
        """How long after a time its users may still reach their goal."""
        ...

    def traffic(self, calm: tuple[datetime, datetime], window: tuple[datetime, datetime]) -> Traffic:
        """Impact in ``window``, and what rose against ``calm``."""
        ...

    def arrivals(self, window: tuple[datetime, datetime], step: timedelta) -> tuple[Arrivals, ...]:
        """Users' requests in each ``step`` of a time, in its order."""
        ...


class Data(Protocol):
    """A service's data in our care. Raises BongsuError when it cannot be reached or something is in the way."""

    def verify(self) -> Verification:
        """Ask every invariant, at one moment of the data."""
        ...

    def backups(self) -> list[Backup]:
        """The newest first."""
        ...

    def back_up(self) -> Backup:
        """Make a backup; old ones go that are due."""
        ...

    def prove(self, backup: Backup) -> Backup:
        """Restore it elsewhere and verify what is there; the backup with the result."""
        ...
