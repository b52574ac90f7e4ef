"""The outbox: one row per message and address, written in the transaction that decided on it.

States: pending, accepted, refused (for good). A row is claimed with a lease on the database's clock and a fencing
token: whoever lost its lease cannot write its result any more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, Row, func, insert, select, update

from bongsu.core.incident import Facts
from bongsu.core.schedule import Recipient
from bongsu.store.columns import pack, unpack
from bongsu.store.database import database_clock
from bongsu.store.schema import attempts, outbox

LEASE = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Message:
    """A row of the outbox. ``decided_at`` is service time; ``written_at`` and ``accepted_at`` are wall time."""

    id: int
    message_id: str
    incident_id: str
    kind: str
    level: int
    occurrence: int
    recipient: Recipient
    facts: Facts
    decided_at: datetime
    written_at: datetime
    due_at: datetime
    state: str
    attempts: int
    fence: int
    accepted_at: datetime | None = None
    answer: str | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try at delivery, with the server's answer."""

    at: datetime
    outcome: str
    answer: str


def put(tx: Connection, message: Message) -> None:
    """Add a message; one with the same Message-ID is there already and stays as it is."""
    known = tx.execute(select(outbox.c.id).where(outbox.c.message_id == message.message_id)).scalar()
    if known is not None:
        return
    to = message.recipient
    tx.execute(
        insert(outbox).values(
            message_id=message.message_id,
            incident_id=message.incident_id,
            kind=message.kind,
            level=message.level,
            occurrence=message.occurrence,
            recipient=to.id,
            name=to.name,
            address=to.address,
            locale=to.locale,
            facts=pack(message.facts),
            decided_at=message.decided_at,
            written_at=message.written_at,
            due_at=message.due_at,
            state="pending",
            attempts=0,
            leased_until=0,
            fence=0,
        )
    )


def claim(tx: Connection, now: datetime, limit: int, lease: timedelta = LEASE) -> list[Message]:
    """Take due messages that nobody holds, for as long as the lease lasts."""
    clock = database_clock(tx)
    free = (
        select(outbox.c.id)
        .where((outbox.c.state == "pending") & (outbox.c.due_at <= now) & (outbox.c.leased_until < clock))
        .order_by(outbox.c.due_at, outbox.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    taken = (
        update(outbox)
        .where(outbox.c.id.in_(free.scalar_subquery()))
        .values(leased_until=clock + lease // timedelta(microseconds=1), fence=outbox.c.fence + 1)
        .returning(outbox)
    )
    return sorted((_message(row) for row in tx.execute(taken)), key=lambda message: message.id)


def finish(
    tx: Connection, message: Message, *, state: str, at: datetime, outcome: str, answer: str, due_at: datetime
) -> bool:
    """Write the result of an attempt; False when the lease was lost to somebody else meanwhile."""
    done = (
        update(outbox)
        .where((outbox.c.id == message.id) & (outbox.c.fence == message.fence) & (outbox.c.state == "pending"))
        .values(
            state=state,
            attempts=outbox.c.attempts + 1,
            leased_until=0,
            due_at=due_at,
            answer=answer,
            accepted_at=at if state == "accepted" else None,
        )
    )
    kept = tx.execute(done).rowcount == 1
    tx.execute(insert(attempts).values(outbox_id=message.id, at=at, outcome=outcome, answer=answer))
    return kept


def release(tx: Connection) -> None:
    """Free every lease; only for whoever knows to be the only process, such as the one that holds the SQLite file."""
    tx.execute(update(outbox).where(outbox.c.state == "pending").values(leased_until=0))


def next_due(tx: Connection) -> datetime | None:
    """When the next message waits to be sent, leased or not."""
    query = select(func.min(outbox.c.due_at)).where(outbox.c.state == "pending")
    due: datetime | None = tx.execute(query).scalar()
    return due


def of(tx: Connection, incident_id: str) -> list[Message]:
    """Every message of an incident, in the order written."""
    query = select(outbox).where(outbox.c.incident_id == incident_id).order_by(outbox.c.id)
    return [_message(row) for row in tx.execute(query)]


def alike(tx: Connection, message: Message) -> list[Message]:
    """The messages that tell the same thing to other addresses, this one included."""
    same = (
        (outbox.c.incident_id == message.incident_id)
        & (outbox.c.kind == message.kind)
        & (outbox.c.level == message.level)
        & (outbox.c.occurrence == message.occurrence)
    )
    return [_message(row) for row in tx.execute(select(outbox).where(same))]


def told(tx: Connection, incident_id: str) -> tuple[Recipient, ...]:
    """Everyone who was told of an incident or may still be: accepted or pending, each address once."""
    reached = [m for m in of(tx, incident_id) if m.state != "refused"]
    return tuple({m.recipient.address: m.recipient for m in reached}.values())


def attempts_of(tx: Connection, message_ids: Sequence[int]) -> dict[int, list[Attempt]]:
    """The attempts of messages, by the message's id."""
    found: dict[int, list[Attempt]] = {each: [] for each in message_ids}
    query = select(attempts).where(attempts.c.outbox_id.in_(message_ids)).order_by(attempts.c.id)
    for row in tx.execute(query):
        found[row.outbox_id].append(Attempt(row.at, row.outcome, row.answer))
    return found


def counts(tx: Connection) -> dict[str, int]:
    """How many messages are in each state."""
    query = select(outbox.c.state, func.count()).group_by(outbox.c.state)
    return {row[0]: row[1] for row in tx.execute(query)}


def _message(row: Row[tuple[object, ...]]) -> Message:
    return Message(
        id=row.id,
        message_id=row.message_id,
        incident_id=row.incident_id,
        kind=row.kind,
        level=row.level,
        occurrence=row.occurrence,
        recipient=Recipient(row.recipient, row.name, row.address, row.locale),
        facts=unpack(row.facts, dict),
        decided_at=row.decided_at,
        written_at=row.written_at,
        due_at=row.due_at,
        state=row.state,
        attempts=row.attempts,
        fence=row.fence,
        accepted_at=row.accepted_at,
        answer=row.answer,
    )
