"""Rounds of mails that ask whether people can be reached, their answers, and which weekly mails were written."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, Row, func, insert, select, update

from bongsu.core.contact import Ask, Round
from bongsu.core.errors import NotFound
from bongsu.core.schedule import Recipient
from bongsu.store.schema import contact_asks, contact_rounds, outbox, weeklies


def begin(tx: Connection, round_: Round, asks: Sequence[Ask]) -> None:
    """Keep a new round with whom it asks."""
    tx.execute(
        insert(contact_rounds).values(
            id=round_.id, started_at=round_.started_at, ends_at=round_.ends_at, started_by=round_.started_by
        )
    )
    for ask in asks:
        to = ask.recipient
        tx.execute(
            insert(contact_asks).values(
                id=ask.id, round_id=round_.id, recipient=to.id, name=to.name, address=to.address, locale=to.locale,
                asked_at=ask.asked_at,
            )
        )  # fmt: skip


def load(tx: Connection, round_id: str) -> Round:
    """One round. Raises NotFound."""
    row = tx.execute(select(contact_rounds).where(contact_rounds.c.id == round_id)).first()
    if row is None:
        raise NotFound(f"There is no round {round_id!r}.")
    return _round(row)


def latest(tx: Connection) -> Round | None:
    """The newest round."""
    newest = contact_rounds.c.started_at.desc(), contact_rounds.c.id.desc()
    row = tx.execute(select(contact_rounds).order_by(*newest).limit(1)).first()
    return None if row is None else _round(row)


def unreported(tx: Connection) -> list[Round]:
    """Rounds whose end was not told yet."""
    query = select(contact_rounds).where(contact_rounds.c.reported_at.is_(None)).order_by(contact_rounds.c.started_at)
    return [_round(row) for row in tx.execute(query)]


def report(tx: Connection, round_id: str, now: datetime) -> bool:
    """Note that a round's end is told; False when somebody else did so already."""
    fresh = (contact_rounds.c.id == round_id) & contact_rounds.c.reported_at.is_(None)
    return tx.execute(update(contact_rounds).where(fresh).values(reported_at=now)).rowcount == 1


def asks_of(tx: Connection, round_id: str) -> list[Ask]:
    """Whom a round asked, in the order of their names."""
    query = select(contact_asks).where(contact_asks.c.round_id == round_id)
    return [_ask(row) for row in tx.execute(query.order_by(contact_asks.c.name, contact_asks.c.address))]


def ask(tx: Connection, ask_id: str) -> Ask:
    """One question. Raises NotFound."""
    row = tx.execute(select(contact_asks).where(contact_asks.c.id == ask_id)).first()
    if row is None:
        raise NotFound("Nobody was asked this; open the newest mail.")
    return _ask(row)


def answer(tx: Connection, ask_id: str, now: datetime) -> Ask:
    """Keep an answer; the first one counts. Raises NotFound."""
    open_ = (contact_asks.c.id == ask_id) & contact_asks.c.answered_at.is_(None)
    tx.execute(update(contact_asks).where(open_).values(answered_at=now))
    return ask(tx, ask_id)


def newest_asks(tx: Connection) -> dict[tuple[str, str], tuple[datetime, datetime | None]]:
    """When each recipient's address was last asked, and when it last answered any question."""
    who = contact_asks.c.recipient, contact_asks.c.address
    query = select(*who, func.max(contact_asks.c.asked_at), func.max(contact_asks.c.answered_at)).group_by(*who)
    return {(row[0], row[1]): (row[2], row[3]) for row in tx.execute(query)}


def delivered(tx: Connection, round_id: str) -> dict[str, tuple[str, str]]:
    """How the mail of a round fared at each address: its state, and the server's answer."""
    mine = (outbox.c.kind == "contact") & outbox.c.message_id.startswith(f"<contact.{round_id}.", autoescape=True)
    query = select(outbox.c.address, outbox.c.state, outbox.c.answer).where(mine)
    return {row[0]: (row[1], row[2] or "") for row in tx.execute(query)}


def take_slot(tx: Connection, name: str, slot: datetime) -> bool:
    """Claim a moment of a weekly mail; False when it was claimed before, by whomever."""
    last = tx.execute(select(weeklies.c.slot).where(weeklies.c.name == name).with_for_update()).scalar()
    if last is None:
        tx.execute(insert(weeklies).values(name=name, slot=slot))
        return True
    if last >= slot:
        return False
    return tx.execute(update(weeklies).where(weeklies.c.name == name).values(slot=slot)).rowcount == 1


def _round(row: Row[tuple[object, ...]]) -> Round:
    return Round(row.id, row.started_at, row.ends_at, row.started_by, row.reported_at)


def _ask(row: Row[tuple[object, ...]]) -> Ask:
    to = Recipient(row.recipient, row.name, row.address, row.locale)
    return Ask(row.id, row.round_id, to, row.asked_at, row.answered_at)
