"""Deliver the outbox: claim with a lease, send, write the answer. At least once, never lost (rules 13 and 14)."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import timedelta

from bongsu.core.delivery import next_attempt
from bongsu.core.escalation import Unreachable
from bongsu.core.incident import Kind
from bongsu.engine import announce, notice
from bongsu.engine.apply import apply
from bongsu.engine.context import Context
from bongsu.ports import Letter, Rejected, Retryable
from bongsu.render import links
from bongsu.render.mails import letter
from bongsu.store import incidents, outbox
from bongsu.store.database import Transaction
from bongsu.store.outbox import Message

log = logging.getLogger("bongsu.deliver")
NOTICES: Mapping[str, notice.Maker] = {announce.KIND: announce.words}
"""What makes the words of each kind of mail that is no alarm."""


def claim(context: Context, limit: int = 16) -> list[Message]:
    """Take messages that are due."""
    return context.db.write(lambda tx: outbox.claim(tx, context.wall.now(), limit))


def deliver(context: Context, message: Message) -> str:
    """Try one message once and write down how it went: accepted, retry or refused."""
    body = compose(context, message)
    try:
        answer = context.notifier.send(Letter(message.recipient.address, body))
        outcome, state = "accepted", "accepted"
    except Retryable as error:
        outcome, state, answer = f"retry:{error.reason}", "pending", error.answer
    except Rejected as error:
        outcome, state, answer = f"refused:{error.reason}", "refused", error.answer
    context.db.write(lambda tx: _finish(tx, context, message, state, outcome, answer))
    log.info("delivery", extra={"message_id": message.message_id, "outcome": outcome, "answer": answer})
    return outcome


def compose(context: Context, message: Message) -> bytes:
    """The whole mail; the same bytes however often it is tried."""
    if message.kind in NOTICES:
        return notice.compose(context, message, NOTICES[message.kind])
    token = links.sign(context.link_key, message.incident_id, message.recipient.id, at=message.written_at)
    return letter(
        message,
        sender=context.sender,
        host=context.host,
        link=f"{context.public_url}/a/{token}",
        page=context.page_of(message.incident_id),
        speed=context.timescale.speed,
        zone=context.directory.zone_of(message.recipient.id),
    )


def _finish(tx: Transaction, context: Context, message: Message, state: str, outcome: str, answer: str) -> None:
    wall = context.wall.now()
    wait = next_attempt(message.attempts + 1, message.message_id) if state == "pending" else timedelta(0)
    kept = outbox.finish(tx, message, state=state, at=wall, outcome=outcome, answer=answer, due_at=wall + wait)
    if kept and state == "refused" and message.kind != Kind.RESOLVED and message.kind not in NOTICES:
        _refused(tx, context, message, answer)


def _refused(tx: Transaction, context: Context, message: Message, answer: str) -> None:
    """When every address that should hear this has refused it, the next tier hears it (rule 8)."""
    if any(each.state != "refused" for each in outbox.alike(tx, message)):
        return
    incident = incidents.load(tx, message.incident_id)
    why = f"refused: {message.recipient.address} ({answer})"
    event = Unreachable(Kind(message.kind), message.level, message.occurrence, why)
    apply(tx, context, incident.id, event, context.clock.now())
