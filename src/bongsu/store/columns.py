"""Column types that are the same on SQLite and PostgreSQL."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import msgspec
from sqlalchemy import BigInteger, Dialect
from sqlalchemy.types import TypeDecorator

T = TypeVar("T")
_DECODERS: dict[Any, msgspec.json.Decoder[Any]] = {}
_MAKING = threading.Lock()
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def microseconds(at: datetime) -> int:
    """Whole microseconds since 1970."""
    span = at - _EPOCH
    return (span.days * 86_400 + span.seconds) * 1_000_000 + span.microseconds


def instant(since: int) -> datetime:
    """The time so many microseconds after 1970 began, in UTC."""
    return _EPOCH + timedelta(microseconds=since)


class Instant(TypeDecorator[datetime]):
    """An aware time as whole microseconds since 1970, so that both databases compare it alike."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:  # noqa: ARG002 - the signature is SQLAlchemy's
        """To microseconds."""
        return None if value is None else microseconds(value)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """From microseconds, in UTC."""
        return None if value is None else instant(value)


def pack(value: Any) -> str:
    """A core value as JSON text."""
    return msgspec.json.encode(value).decode()


def decoder(kind: type[T]) -> msgspec.json.Decoder[T]:
    """What reads this kind of value, made once.

    One at a time: msgspec 0.22 ends the process by a segmentation fault when two threads meet a dataclass for the first
    time together. So decoders of types are made here, or when a module is loaded.
    """
    known = _DECODERS.get(kind)
    if known is None:
        with _MAKING:
            known = _DECODERS.setdefault(kind, msgspec.json.Decoder(kind))
    return known


def unpack(text: str, kind: type[T]) -> T:
    """A core value from JSON text."""
    return decoder(kind).decode(text)
