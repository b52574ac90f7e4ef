"""Columns as PostgreSQL's arrays, packed at once: psycopg packs them value by value, in Python."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg.abc import Buffer
from psycopg.adapt import Dumper
from psycopg.pq import Format

_NUMBER = struct.Struct("!iq").pack
_LENGTH = struct.Struct("!i").pack
_HEAD = struct.Struct("!iiIii").pack
"""Dimensions, whether there are NULLs, the type's OID, length, first index: array_send of PostgreSQL."""
_TEXT, _BIGINT = 25, 20


class Packed(bytes):
    """An array as it goes to PostgreSQL; the statement says of what."""


class _AsItIs(Dumper):
    format = Format.BINARY

    def dump(self, obj: Buffer) -> Buffer:
        return obj


def packed(values: Sequence[Any]) -> Packed:
    """A column of texts or of whole numbers (bigint), none of them NULL."""
    first, count = values[0], len(values)
    of, one = (_BIGINT, _number) if isinstance(first, int) else (_TEXT, _text)
    # of most columns all values are the same
    body = one(first) * count if values.count(first) == count else b"".join(map(one, values))
    return Packed(_HEAD(1, 0, of, count, 1) + body)


def _number(value: int) -> bytes:
    return _NUMBER(8, value)


def _text(value: str) -> bytes:
    data = value.encode()
    return _LENGTH(len(data)) + data


psycopg.adapters.register_dumper(Packed, _AsItIs)
