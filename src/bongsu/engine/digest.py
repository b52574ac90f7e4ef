"""When one address would get too many mails in a minute, what may wait is told in one (rule 15)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bongsu.core.delivery import GATHERS, may_wait
from bongsu.core.quiet import UNTIL
from bongsu.engine.context import Context
from bongsu.render import postal
from bongsu.render.notices import Notice
from bongsu.render.words import Words
from bongsu.store import digests, outbox
from bongsu.store.database import Transaction
from bongsu.store.outbox import Message


def sort_out(tx: Transaction, context: Context, claimed: Sequence[Message]) -> list[Message]:
    """Those of the claimed messages that go out by themselves; the others are gathered into their address's digest."""
    waiting: dict[str, list[Message]] = {}
    for each in claimed:
        if each.attempts == 0 and may_wait(each.kind, each.level):
            waiting.setdefault(each.recipient.address, []).append(each)
    now = context.wall.now()
    gathered: set[int] = set()
    for address, messages in waiting.items():
        digest = digests.gathering(tx, address, now)
        held = sum(UNTIL in each.facts for each in messages) > 1  # what waited for the end of quiet hours comes in one
        if digest is None and (held or digests.recent(tx, address, now - GATHERS, now) > context.digest_over):
            digest = _begin(tx, context, messages[0])
        if digest is not None:
            digests.gather(tx, messages, digest)
            gathered |= {each.id for each in messages}
    return [each for each in claimed if each.id not in gathered]


def _begin(tx: Transaction, context: Context, first: Message) -> Message:
    now = context.wall.now()
    message_id = f"<{digests.DIGEST}.{first.id}.{first.fence}@{context.host}>"
    begun = outbox.fresh(message_id, digests.DIGEST, first.recipient, {}, context.clock.now(), now)
    outbox.put(tx, replace(begun, due_at=now + GATHERS))
    made = digests.gathering(tx, first.recipient.address, now)
    assert made is not None
    return made


def words(context: Context, message: Message, w: Words) -> Notice:
    """What a digest says."""
    told = context.db.read(lambda tx: digests.gathered(tx, message))
    return postal.digest(told, w, page=f"{context.public_url}/incidents")
