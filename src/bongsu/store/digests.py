"""Digests: messages of the outbox that tell other messages, when one address would get too many mails."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, func, select, update

from bongsu.store.outbox import Message, message_of
from bongsu.store.schema import outbox

DIGEST = "digest"


def recent(tx: Connection, address: str, since: datetime, until: datetime) -> int:
    """How many mails of their own an address was written in a time."""
    then = (outbox.c.written_at > since) & (outbox.c.written_at <= until)
    own = (outbox.c.address == address) & then & (outbox.c.state != "gathered")
    return tx.execute(select(func.count()).where(own)).scalar_one()


def gathering(tx: Connection, address: str, now: datetime) -> Message | None:
    """The digest that an address will get and that still gathers."""
    query = (
        select(outbox)
        .where((outbox.c.address == address) & (outbox.c.kind == DIGEST))
        .where((outbox.c.state == "pending") & (outbox.c.due_at > now) & (outbox.c.attempts == 0))
        .order_by(outbox.c.id)
        .limit(1)
        .with_for_update()
    )
    row = tx.execute(query).first()
    return message_of(row) if row is not None else None


def gather(tx: Connection, messages: Sequence[Message], digest: Message) -> None:
    """These are told by the digest."""
    change = update(outbox).where(outbox.c.id.in_([each.id for each in messages]) & (outbox.c.state == "pending"))
    tx.execute(change.values(state="gathered", digest_id=digest.id, leased_until=0))


def gathered(tx: Connection, digest: Message) -> list[Message]:
    """What a digest tells, in the order decided."""
    query = select(outbox).where(outbox.c.digest_id == digest.id).order_by(outbox.c.decided_at, outbox.c.id)
    return [message_of(row) for row in tx.execute(query)]


def settle(tx: Connection, digest: Message, state: str, at: datetime, answer: str) -> None:
    """What was gathered fares like its digest."""
    change = update(outbox).where((outbox.c.digest_id == digest.id) & (outbox.c.state == "gathered"))
    tx.execute(change.values(state=state, answer=answer, accepted_at=at if state == "accepted" else None))
