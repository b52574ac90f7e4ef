"""When to try a message again, and what makes it the same message."""

from __future__ import annotations

import hashlib
from datetime import timedelta

from bongsu.core.incident import Kind

CHANNEL = "channel:"
"""What an address begins with that is no mail address but a channel by its name in the configuration."""
AGAIN = timedelta(seconds=1)
"""When a message is tried again that only failed because the whole relay was away; the relay is asked for itself."""
GATHERS = timedelta(minutes=1)
"""For how long what may wait is gathered into one digest, and the time in which too many mails are counted."""

FIRST = timedelta(seconds=1)
LONGEST = timedelta(minutes=2)


def message_id(incident: str, kind: str, level: int, occurrence: int, recipient: str, address: str, host: str) -> str:
    """A Message-ID that every retry of the same message to the same address keeps (rule 13)."""
    reader = hashlib.blake2b(f"{recipient} {address}".encode(), digest_size=6).hexdigest()
    return f"<{incident}.{kind}{level}.{occurrence}.{reader}@{host}>"


def thread_id(incident: str, host: str) -> str:
    """The Message-ID that all mails of an incident refer to, so that mail programs thread them."""
    return f"<{incident}@{host}>"


def next_attempt(attempts: int, key: str) -> timedelta:
    """How long to wait after so many failures: doubling from 1 s to 2 min, spread by up to a quarter by ``key``."""
    wait = min(LONGEST, FIRST * 2 ** min(attempts - 1, 16)) if attempts > 0 else timedelta(0)
    spread = int.from_bytes(hashlib.blake2b(f"{key} {attempts}".encode(), digest_size=2).digest()) / 65535
    return wait * (1 + 0.25 * spread)


def channel_of(address: str) -> str | None:
    """The channel that an address names; None for a mail address."""
    return address.removeprefix(CHANNEL) if address.startswith(CHANNEL) else None


def may_wait(kind: str, level: int) -> bool:
    """Whether a message may be gathered into a digest (rule 15).

    Never the first tier, nor what calls at once: ceiling, throttling, exhaustion and blindness.
    """
    return kind in (Kind.RESOLVED, Kind.OVER) or (kind == Kind.TIER and level > 1)
