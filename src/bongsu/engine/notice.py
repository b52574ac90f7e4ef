"""Notices: mails that belong to no incident, through the same outbox as the alarms.

Each kind is one entry of ``deliver.NOTICES``: what makes its words from a row of the outbox, whenever it is sent.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from datetime import datetime

from bongsu.core.incident import Facts
from bongsu.core.schedule import Recipient
from bongsu.engine.context import Context
from bongsu.render.notices import Notice, notice_mail
from bongsu.render.words import Words, spoken
from bongsu.store import outbox
from bongsu.store.database import Transaction
from bongsu.store.outbox import Message

Maker = Callable[[Context, Message, Words], Notice]


def put(
    tx: Transaction, context: Context, kind: str, key: str, to: Iterable[Recipient], facts: Facts, now: datetime
) -> int:
    """Write a notice of this kind to each recipient; their number. ``key``: what it is about; told once."""
    wall, count = context.wall.now(), 0
    for recipient in to:
        reader = hashlib.blake2b(f"{recipient.id} {recipient.address}".encode(), digest_size=6).hexdigest()
        outbox.put(
            tx,
            Message(
                id=0, message_id=f"<{kind}.{key}.{reader}@{context.host}>", incident_id="", kind=kind, level=0,
                occurrence=1, recipient=recipient, facts=facts, decided_at=now, written_at=wall, due_at=wall,
                state="pending", attempts=0, fence=0,
            ),
        )  # fmt: skip
        count += 1
    if count:
        context.mail_due.set()
    return count


def compose(context: Context, message: Message, maker: Maker) -> bytes:
    """A notice as a mail."""
    w = Words(spoken(message.recipient.locale), context.directory.zone_of(message.recipient.id))
    return notice_mail(message, maker(context, message, w), w, sender=context.sender, about={})
