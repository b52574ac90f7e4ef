"""The outbox: one row per message and address, written in the transaction that decided on it.

States: pending, gathered (into a digest that will tell it), accepted, refused (for good). A row is claimed with a lease
on the database's clock and a fencing token: whoever lost its lease cannot write its result any more. Leases are short,
and renewed while the message is held, so that another process soon sends what a killed one had claimed.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Connection, Row, bindparam, func, insert, select, update

from bongsu.core.delivery import CHANNEL
from bongsu.core.incident import Facts
from bongsu.core.schedule import Recipient
from bongsu.store.columns import pack, unpack
from bongsu.store.database import clock_of, database_clock
from bongsu.store.prepared import Prepared
from bongsu.store.schema import attempts, outbox
from bongsu.store.upsert import upsert

LEASE = timedelta(seconds=10)

# made once: making a statement costs more than running it, and these run at every look
_NOW = bindparam("now", type_=outbox.c.due_at.type)
_PENDING = outbox.c.state == "pending"
_COUNTS = select(outbox.c.state, func.count()).group_by(outbox.c.state)
_OVERDUE = (
    select(outbox)
    .where(_PENDING & (outbox.c.due_at < bindparam("before")))
    .order_by(outbox.c.due_at)
    .limit(bindparam("most"))
)
_NEXT_DUE = select(func.min(outbox.c.due_at)).where(_PENDING)
_OLDEST = select(func.min(outbox.c.due_at)).where(_PENDING & (outbox.c.due_at <= bindparam("now")))


@dataclass(frozen=True, slots=True)
class Message:
    """A row of the outbox. ``decided_at`` is service time; ``written_at`` and ``accepted_at`` are wall time.

    ``written_at`` of what quiet hours hold back is their end.

    ``incident_id`` is empty for what belongs to no incident; ``digest_id`` is the message that tells this one.
    """

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
    digest_id: int | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """How an attempt went, and when to try again if ``state`` is still pending."""

    message: Message
    state: str
    at: datetime
    outcome: str
    answer: str
    due_at: datetime


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try at delivery, with the server's answer."""

    at: datetime
    outcome: str
    answer: str


def fresh(message_id: str, kind: str, to: Recipient, facts: Facts, decided_at: datetime, at: datetime) -> Message:
    """A message that belongs to no incident, to be sent at once."""
    return Message(0, message_id, "", kind, 0, 1, to, facts, decided_at, at, at, "pending", 0, 0)


def _anew(dialect: str) -> Any:
    return upsert(dialect, outbox).on_conflict_do_nothing(index_elements=["message_id"])


@functools.cache
def _put(dialect: str) -> Prepared:
    return Prepared(_anew(dialect))


@functools.cache
def _put_claimed(dialect: str) -> Prepared:
    until = clock_of(dialect) + LEASE // timedelta(microseconds=1)
    return Prepared(_anew(dialect).values(leased_until=until, fence=1).returning(outbox))


def put(tx: Connection, *messages: Message) -> None:
    """Add messages; one with the same Message-ID is there already and stays as it is."""
    _put(tx.dialect.name).run(tx, *map(_row, messages))


def put_claimed(tx: Connection, messages: Sequence[Message]) -> list[Message]:
    """Add messages that the caller sends itself, at once: they are claimed from the beginning."""
    if not messages:
        return []
    rows = [_row(message) for message in messages]
    for row in rows:
        del row["leased_until"], row["fence"]
    put = _put_claimed(tx.dialect.name)
    return [message_of(row) for each in rows for row in put.all(tx, each)]


def claim(tx: Connection, now: datetime, limit: int, *, mail: bool = True, lease: timedelta = LEASE) -> list[Message]:
    """Take due messages that nobody holds, for as long as the lease lasts; without ``mail`` only other channels'."""
    given = {"now": now, "most": limit, "lease": lease // timedelta(microseconds=1)}
    taken = _claim(tx.dialect.name, mail).all(tx, given)
    return sorted(map(message_of, taken), key=lambda message: (message.due_at, message.id))


@functools.cache
def _claim(dialect: str, mail: bool) -> Prepared:
    free = (
        select(outbox.c.id)
        .where(_ready(dialect, _NOW, mail))
        .order_by(outbox.c.due_at, outbox.c.id)
        .limit(bindparam("most"))
        .with_for_update(skip_locked=True)
        .cte("free")
        .prefix_with("MATERIALIZED", dialect="postgresql")  # or the planner may run the LIMIT once for every row
    )
    until = clock_of(dialect) + bindparam("lease", type_=BigInteger)
    return Prepared(
        update(outbox)
        .where(outbox.c.id.in_(select(free.c.id)))
        .values(leased_until=until, fence=outbox.c.fence + 1)
        .returning(outbox)
    )


def is_due(tx: Connection, now: datetime, *, mail: bool = True) -> bool:
    """Whether a claim would find anything; reading it disturbs nobody."""
    return bool(_is_due(tx.dialect.name, mail).column(tx, {"now": now})[0])


@functools.cache
def _is_due(dialect: str, mail: bool) -> Prepared:
    return Prepared(select(select(outbox.c.id).where(_ready(dialect, _NOW, mail)).exists()))


def next_due(tx: Connection) -> datetime | None:
    """When the first message that waits is due, whoever holds it; None when none waits."""
    found: datetime | None = tx.execute(_NEXT_DUE).scalar()
    return found


def renew(tx: Connection, messages: Sequence[Message], lease: timedelta = LEASE) -> None:
    """Hold claimed messages for longer; those lost to somebody else stay lost."""
    _lease(tx, messages, _until(tx, lease))


def redate(tx: Connection, messages: Sequence[Message]) -> None:
    """Write anew when these are due and what they say; one that was tried already stays as it is."""
    untried = (outbox.c.id == bindparam("of_id")) & (outbox.c.state == "pending") & (outbox.c.attempts == 0)
    change = update(outbox).where(untried)
    change = change.values(facts=bindparam("to_facts"), written_at=bindparam("to_at"), due_at=bindparam("to_due_at"))
    anew = [
        {"of_id": each.id, "to_facts": pack(each.facts), "to_at": each.written_at, "to_due_at": each.due_at}
        for each in sorted(messages, key=lambda each: each.id)
    ]
    if anew:
        tx.execute(change, anew)


def let_go(tx: Connection, messages: Sequence[Message]) -> None:
    """Give claimed messages back untried."""
    _lease(tx, messages, 0)


_OURS = (outbox.c.id == bindparam("of_id")) & (outbox.c.fence == bindparam("of_fence")) & (outbox.c.state == "pending")
_HELD = Prepared(
    select(outbox.c.id, outbox.c.fence)
    .where(outbox.c.id.in_(bindparam("these", expanding=True)) & (outbox.c.state == "pending"))
    .order_by(outbox.c.id)
    .with_for_update()
)
_TRIED = Prepared(insert(attempts))
_FINISH = Prepared(
    update(outbox)
    .where(_OURS)
    .values(
        state=bindparam("to_state"),
        attempts=outbox.c.attempts + 1,
        leased_until=0,
        due_at=bindparam("to_due_at"),
        answer=bindparam("to_answer"),
        accepted_at=bindparam("to_accepted_at"),
    )
)


def finish(tx: Connection, results: Sequence[Result]) -> set[int]:
    """Write how attempts went; the ids of those whose lease was not lost to somebody else meanwhile."""
    mine = {(each.message.id, each.message.fence) for each in results}
    held = _HELD.all(tx, {"these": [each[0] for each in mine]})
    kept = {row.id for row in held if (row.id, row.fence) in mine}
    changes = [
        {
            "of_id": each.message.id,
            "of_fence": each.message.fence,
            "to_state": each.state,
            "to_due_at": each.due_at,
            "to_answer": each.answer,
            "to_accepted_at": each.at if each.state == "accepted" else None,
        }
        for each in results
        if each.message.id in kept
    ]
    _FINISH.run(tx, *changes)
    tries = [
        {"outbox_id": each.message.id, "at": each.at, "outcome": each.outcome, "answer": each.answer}
        for each in results
    ]
    _TRIED.run(tx, *tries)
    return kept


def release(tx: Connection) -> None:
    """Free every lease; only for whoever knows to be the only process, such as the one that holds the SQLite file."""
    tx.execute(update(outbox).where(outbox.c.state == "pending").values(leased_until=0))


def of(tx: Connection, incident_id: str) -> list[Message]:
    """Every message of an incident, in the order written."""
    query = select(outbox).where(outbox.c.incident_id == incident_id).order_by(outbox.c.id)
    return [message_of(row) for row in tx.execute(query)]


def by_message_id(tx: Connection, message_ids: Sequence[str]) -> list[Message]:
    """The messages with these Message-IDs, in the order written."""
    query = select(outbox).where(outbox.c.message_id.in_(message_ids)).order_by(outbox.c.id)
    return [message_of(row) for row in tx.execute(query)]


def warned(tx: Connection, incident_ids: Sequence[str]) -> set[str]:
    """Those of the incidents of which something other than an end was accepted, by itself or in a digest."""
    query = (
        select(outbox.c.incident_id)
        .where(outbox.c.accepted_at.is_not(None))
        .where(outbox.c.incident_id.in_(incident_ids) & outbox.c.kind.not_in(("resolved", "over")))
        .distinct()
    )
    return set(tx.execute(query).scalars())


def alike(tx: Connection, message: Message) -> list[Message]:
    """The messages that tell the same thing to other addresses, this one included."""
    same = (
        (outbox.c.incident_id == message.incident_id)
        & (outbox.c.kind == message.kind)
        & (outbox.c.level == message.level)
        & (outbox.c.occurrence == message.occurrence)
    )
    return [message_of(row) for row in tx.execute(select(outbox).where(same))]


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


def search(
    tx: Connection,
    *,
    ids: Sequence[int] | None = None,
    incident: str | None = None,
    recipient: str | None = None,
    state: str | None = None,
    limit: int = 100,
) -> list[Message]:
    """Messages, the newest first. ``recipient``: person:x or team:x."""
    query = select(outbox).order_by(outbox.c.id.desc()).limit(limit)
    if ids is not None:
        query = query.where(outbox.c.id.in_(ids))
    if incident is not None:
        query = query.where(outbox.c.incident_id == incident)
    if recipient is not None:
        query = query.where(outbox.c.recipient == recipient)
    if state is not None:
        query = query.where(outbox.c.state == state)
    return [message_of(row) for row in tx.execute(query)]


def counts(tx: Connection) -> dict[str, int]:
    """How many messages are in each state."""
    return {row[0]: row[1] for row in tx.execute(_COUNTS)}


def overdue(tx: Connection, before: datetime, limit: int = 1000) -> list[Message]:
    """Messages that were due before a time and are not sent, the longest overdue first."""
    return [message_of(row) for row in tx.execute(_OVERDUE, {"before": before, "most": limit})]


def oldest_due(tx: Connection, now: datetime) -> datetime | None:
    """Since when the message that has waited longest has been due."""
    return tx.execute(_OLDEST, {"now": now}).scalar()


def recipients_of(tx: Connection, beginning: str) -> tuple[Recipient, ...]:
    """Whom the messages are for whose Message-ID begins so."""
    query = select(outbox).where(outbox.c.message_id.startswith(beginning, autoescape=True)).order_by(outbox.c.id)
    return tuple(message_of(row).recipient for row in tx.execute(query))


def _ready(dialect: str, now: ColumnElement[datetime], mail: bool) -> ColumnElement[bool]:
    ready = (outbox.c.state == "pending") & (outbox.c.due_at <= now) & (outbox.c.leased_until < clock_of(dialect))
    return ready if mail else ready & outbox.c.address.startswith(CHANNEL, autoescape=True)


def _until(tx: Connection, lease: timedelta) -> ColumnElement[int]:
    return database_clock(tx) + lease // timedelta(microseconds=1)


def _lease(tx: Connection, messages: Sequence[Message], until: ColumnElement[int] | int) -> None:
    ours = [{"of_id": each.id, "of_fence": each.fence} for each in sorted(messages, key=lambda each: each.id)]
    if ours:
        tx.execute(update(outbox).where(_OURS).values(leased_until=until), ours)


def _row(message: Message) -> dict[str, object]:
    to = message.recipient
    return {
        "message_id": message.message_id,
        "incident_id": message.incident_id,
        "kind": message.kind,
        "level": message.level,
        "occurrence": message.occurrence,
        "recipient": to.id,
        "name": to.name,
        "address": to.address,
        "locale": to.locale,
        "facts": pack(message.facts),
        "decided_at": message.decided_at,
        "written_at": message.written_at,
        "due_at": message.due_at,
        "state": "pending",
        "attempts": 0,
        "leased_until": 0,
        "fence": 0,
    }


def message_of(row: Row[tuple[object, ...]]) -> Message:
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
        digest_id=row.digest_id,
    )
