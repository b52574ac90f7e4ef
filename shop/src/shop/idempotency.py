"""A request that is sent twice is done once.

The answer is stored in the transaction that does the work, so there is no moment at which one exists without the
other, and a crash leaves nothing behind that would block a retry. Refusals change nothing and are not stored: after
charging points, the payment may be tried again with the same key.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sqlalchemy import BigInteger, bindparam, func, insert, select

from shop import refusals
from shop.database import Database, Query, Session
from shop.schema import idempotency_keys as keys

LONGEST_KEY = 128

_LOCK = Query(select(func.pg_try_advisory_xact_lock(bindparam("lock", type_=BigInteger)).label("got")))
_FIND = Query(
    select(keys.c.digest, keys.c.status, keys.c.body).where(
        keys.c.user_id == bindparam("user_id"), keys.c.key == bindparam("key")
    )
)
_STORE = Query(insert(keys).values({each: bindparam(each) for each in ("user_id", "key", "digest", "status", "body")}))


@dataclass(frozen=True, slots=True)
class Wish:
    """Who wants what, under which key."""

    user_id: int
    key: str
    operation: str
    digest: str


@dataclass(frozen=True, slots=True)
class Answer:
    """A status and a JSON text."""

    status: int
    body: str
    replayed: bool = False


def wish(user_id: int, key: str | None, operation: str, body: Mapping[str, object]) -> Wish:
    """Bind a key to a request. ``body`` holds all that makes one request differ from another. Raises Refusal."""
    if key is None or not 1 <= len(key) <= LONGEST_KEY or not key.isprintable():
        raise refusals.key_missing()
    canonical = json.dumps([operation, body], sort_keys=True, separators=(",", ":"))
    return Wish(user_id, key, operation, hashlib.sha256(canonical.encode()).hexdigest())


def once(database: Database, wish: Wish, work: Callable[[Session], Answer]) -> Answer:
    """Do ``work`` in one transaction, or give the answer it gave before.

    Raises Refusal: I002 when the key belongs to another request, I003 when the same is being worked on, or what
    ``work`` raises, which undoes everything.
    """
    with database.transaction() as session:
        # Held until the transaction ends, however it ends. Must be a statement of its own before the look-up: within
        # one statement the look-up could see the table as it was before the lock was free.
        locked = session.row(_LOCK, lock=_lock_number(wish))
        if locked is None or not locked["got"]:
            raise refusals.in_progress()
        found = session.row(_FIND, user_id=wish.user_id, key=wish.key)
        if found is not None:
            if found["digest"] != wish.digest:
                raise refusals.key_reused()
            return Answer(found["status"], found["body"], replayed=True)
        answer = work(session)
        session.do(
            _STORE, user_id=wish.user_id, key=wish.key, digest=wish.digest, status=answer.status, body=answer.body
        )
        return answer


def _lock_number(wish: Wish) -> int:
    """A signed number of 64 bits. Two keys with the same one would only refuse each other while both run."""
    text = f"{wish.user_id}:{wish.key}".encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), signed=True)
