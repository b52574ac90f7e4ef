"""Who may do what: rights, the people and programs that have them, and what ends a session or holds off a guesser."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from ipaddress import IPv6Address, ip_address

SHORTEST_PASSWORD, LONGEST_PASSWORD = 12, 256
TOUCH = timedelta(minutes=1)
"""How exactly it is known when a session or a token was last used, so that reading a page writes nothing most times."""
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_LABEL = re.compile(r"[^\x00-\x1f\x7f-\x9f\u2028\u2029]{1,80}")


class Right(StrEnum):
    """What a page or a command asks for, and what a role gives; each holds those before it."""

    PUBLIC = "public"
    VIEWER = "viewer"
    RESPONDER = "responder"
    ADMIN = "admin"

    def covers(self, needed: Right) -> bool:
        """Whether whoever has this may do what needs that."""
        order = tuple(Right)
        return order.index(self) >= order.index(needed)


ROLES = (Right.VIEWER, Right.RESPONDER, Right.ADMIN)


class Via(StrEnum):
    """How somebody was known."""

    NOBODY = "nobody"
    SESSION = "session"
    TOKEN = "token"  # noqa: S105 - a word, not a secret
    LINK = "link"
    COMMAND = "command"


@dataclass(frozen=True, slots=True)
class Who:
    """Who asks. ``csrf``: what the forms of a session carry."""

    name: str = ""
    right: Right = Right.PUBLIC
    via: Via = Via.NOBODY
    csrf: str = ""


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who can log in (times are the wall's)."""

    name: str
    role: Right
    made_at: datetime
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class Session:
    """A browser that is logged in."""

    user: str
    made_at: datetime
    seen_at: datetime
    address: str


@dataclass(frozen=True, slots=True)
class ApiToken:
    """A program that may use the API. ``id`` is no secret."""

    id: str
    name: str
    role: Right
    made_by: str
    made_at: datetime
    used_at: datetime | None = None
    revoked_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Access:
    """What the configuration says: who may look without logging in, which doors are open, when sessions end."""

    anonymous: Right = Right.PUBLIC
    alerts_open: bool = True
    metrics_open: bool = True
    idle: timedelta = timedelta(hours=12)
    longest: timedelta = timedelta(days=7)
    sender_token: str = ""

    def over(self, session: Session, now: datetime) -> bool:
        """Whether a session has ended: nobody used it for ``idle``, or it is ``longest`` old."""
        return now - session.seen_at >= self.idle or now - session.made_at >= self.longest


@dataclass(frozen=True, slots=True)
class Limit:
    """At most so many failures within a span; after that one waits until the oldest of them is forgotten."""

    most: int
    within: timedelta

    def wait(self, failures: Sequence[datetime], now: datetime) -> timedelta:
        """How long to wait before the next try; zero when there is no need. ``failures`` rise."""
        if len(failures) < self.most:
            return timedelta(0)
        return max(timedelta(0), failures[-self.most] + self.within - now)


PER_USER = Limit(10, timedelta(minutes=15))
PER_ADDRESS = Limit(30, timedelta(minutes=15))
"""Higher than a user's: a whole office may share an address."""


def neighbourhood(address: str) -> str:
    """What counts as one address: with IPv6 everybody has 2**64 of them."""
    try:
        found = ip_address(address)
    except ValueError:
        return address
    return f"{int(found) >> 64:x}::/64" if isinstance(found, IPv6Address) else str(found)


def password_faults(password: str) -> list[str]:
    """What is wrong with a new password. Length alone: other rules make people choose worse ones."""
    if len(password) < SHORTEST_PASSWORD:
        return [f"password: has {len(password)} characters; take at least {SHORTEST_PASSWORD}, a few words will do"]
    if len(password) > LONGEST_PASSWORD:
        return [f"password: has {len(password)} characters; take at most {LONGEST_PASSWORD}"]
    return []


def name_faults(name: str) -> list[str]:
    """What is wrong with the name of a user."""
    if _NAME.fullmatch(name):
        return []
    return [f"name: {name!r} does not do; take small letters, digits, dots, - and _, such as jimin"]


def label_faults(label: str) -> list[str]:
    """What is wrong with the name of a token."""
    return [] if _LABEL.fullmatch(label) and label.strip() else ["name: say in 1 to 80 characters who uses the token"]


def role_of(text: str) -> Right | None:
    """A role by its name; None when there is no such role."""
    return next((each for each in ROLES if each == text), None)
