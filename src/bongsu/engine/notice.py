"""Notices: mails that belong to no incident, through the same outbox as the alarms.

Each kind is one entry of ``deliver.NOTICES``: what makes its words from a row of the outbox, whenever it is sent.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from datetime import datetime

from bongsu.core.incident import Facts
from bongsu.core.schedule import Recipient
from bongsu.engine import quiet
from bongsu.engine.context import Context
from bongsu.render.notices import Notice, notice_mail
from bongsu.render.postal import plain
from bongsu.render.words import Words, spoken
from bongsu.store import outbox
from bongsu.store.database import Transaction, after_commit
from bongsu.store.outbox import Message

Maker = Callable[[Context, Message, Words], Notice]


def put(
    tx: Transaction,
    context: Context,
    kind: str,
    key: str,
    to: Iterable[Recipient],
    facts: Facts,
    now: datetime,
    *,
    wakes: bool = True,
) -> int:
    """Write a notice of this kind to each recipient; their number. ``key``: what it is about; told once.

    ``wakes`` false: it waits for the end of its reader's quiet hours.
    """
    wall, messages = context.wall.now(), list[Message]()
    for recipient in to:
        reader = hashlib.blake2b(f"{recipient.id} {recipient.address}".encode(), digest_size=6).hexdigest()
        message_id = f"<{kind}.{key}.{reader}@{context.host}>"
        message = outbox.fresh(message_id, kind, recipient, facts, now, wall)
        messages.append(message if wakes else quiet.hold_news(context, message))
    outbox.put(tx, *messages)
    if messages:
        after_commit(tx, context.mail_due.set)
    return len(messages)


def compose(context: Context, message: Message, maker: Maker) -> bytes:
    """A notice as a mail."""
    w = _words(context, message)
    return notice_mail(message, maker(context, message, w), w, sender=context.sender, about={})


def brief(context: Context, message: Message, maker: Maker) -> tuple[str, str]:
    """A notice for a channel: its title and its text."""
    notice = maker(context, message, _words(context, message))
    return notice.subject, plain(notice)


def _words(context: Context, message: Message) -> Words:
    return Words(spoken(message.recipient.locale), context.directory.zone_of(message.recipient.id))
