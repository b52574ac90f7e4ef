"""Deliver the outbox: claim with a lease, send, write the answer. At least once, never lost (rules 13 and 14)."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from bongsu.core.delivery import AGAIN, channel_of, next_attempt
from bongsu.core.escalation import Unreachable
from bongsu.core.incident import Kind
from bongsu.engine import announce, auditor, contacts, digest, followup, heartbeat, notice, readiness, relay, review
from bongsu.engine.apply import apply
from bongsu.engine.context import Context
from bongsu.ports import Down, Envelope, Letter, Reason, Rejected, Retryable
from bongsu.render import links, mails, postal
from bongsu.store import digests, incidents, outbox, suspects
from bongsu.store.database import Transaction
from bongsu.store.outbox import Message, Result

log = logging.getLogger("bongsu.deliver")
NOTICES: Mapping[str, notice.Maker] = {
    announce.KIND: announce.words,
    digests.DIGEST: digest.words,
    relay.DOWN: lambda _, message, w: postal.relay_down(message, w),
    relay.UP: lambda _, message, w: postal.relay_up(message, w),
    postal.TEST: lambda context, message, w: postal.test(message, w, page=f"{context.public_url}/incidents"),
    contacts.ASK: contacts.question,
    contacts.REPORT: contacts.outcome,
    readiness.MAIL: readiness.told,
    auditor.LATE_NOW: auditor.words_late,
    auditor.LATE_OVER: auditor.words_over,
    heartbeat.MISSING: heartbeat.words_missing,
    heartbeat.BACK: heartbeat.words_back,
    "item": followup.item_notice,
    "report": followup.report_notice,
    "review": review.review_notice,
}
"""What makes the words of each kind of mail that is no alarm."""


def claim(context: Context, limit: int = 16) -> list[Message]:
    """Take messages that are due; no mail while the relay is away."""
    mail, now = not context.relay.down, context.wall.now()
    return context.db.write(lambda tx: digest.sort_out(tx, context, outbox.claim(tx, now, limit, mail=mail)))


@dataclass(slots=True)
class Ready:
    """A mail, once its words are found, and the envelope that is being opened for it, if one is."""

    body: bytes | None = None
    envelope: Envelope | None = None
    posted: bool = False

    def post_at_once(self) -> None:
        """Put it into its envelope if that is open by now. Never waits."""
        if self.envelope is not None and self.envelope.heard():
            self.post()

    def post(self) -> Envelope | None:
        """Put it into its envelope once that is open; None when it does not open."""
        if self.envelope is not None and self.body is not None and not self.posted:
            if self.envelope.accepted():
                self.posted = True
                self.envelope.post(self.body)
            else:
                self.envelope = None
        return self.envelope

    def discard(self) -> None:
        """Throw the envelope away, unless the mail is in it."""
        if self.envelope is not None and not self.posted:
            self.envelope.discard()
            self.envelope = None


def attempt(context: Context, message: Message, ready: Ready | None = None) -> Result:
    """Try one message once, and say how it went; nothing is written yet."""
    again = timedelta(0)
    state, outcome = "accepted", "accepted"
    mail = channel_of(message.recipient.address) is None
    try:
        answer = _hand_over(context, message, ready)
        if mail:
            relay.works(context)
    except Down as error:
        state, outcome, answer, again = "pending", f"retry:{error.reason}", error.answer, AGAIN
        relay.failed(context, error.answer)
    except Retryable as error:
        state, outcome, answer = "pending", f"retry:{error.reason}", error.answer
        again = next_attempt(message.attempts + 1, message.message_id)
    except Rejected as error:
        state, outcome, answer = "refused", f"refused:{error.reason}", error.answer
    now = context.wall.now()
    log.info("delivery", extra={"message_id": message.message_id, "outcome": outcome, "answer": answer})
    return Result(message, state, now, outcome, answer, now + again)


def _hand_over(context: Context, message: Message, ready: Ready | None) -> str:
    channel = channel_of(message.recipient.address)
    if channel is None:
        envelope = None if ready is None else ready.post()
        if envelope is not None:
            return envelope.answer()
        body = None if ready is None else ready.body
        return context.notifier.send(Letter(message.recipient.address, body or compose(context, message)))
    if channel not in context.channels:
        raise Rejected(Reason.REFUSED, f"there is no channel {channel!r} in the configuration any more")
    return context.channels[channel].say(*brief(context, message))


def compose(context: Context, message: Message) -> bytes:
    """The whole mail; the same bytes however often it is tried."""
    if message.kind in NOTICES:
        return notice.compose(context, message, NOTICES[message.kind])
    return mails.letter(
        message,
        sender=context.sender,
        host=context.host,
        link=link_of(context, message),
        page=context.page_of(message.incident_id),
        speed=context.timescale.speed,
        zone=context.directory.zone_of(message.recipient.id),
    )


def brief(context: Context, message: Message) -> tuple[str, str]:
    """What a channel says: a title, and a few lines of text."""
    if message.kind in NOTICES:
        return notice.brief(context, message, NOTICES[message.kind])
    return mails.brief(
        message,
        link=link_of(context, message),
        page=context.page_of(message.incident_id),
        speed=context.timescale.speed,
        zone=context.directory.zone_of(message.recipient.id),
    )


def link_of(context: Context, message: Message) -> str:
    """Where this recipient acknowledges this incident."""
    token = links.sign(context.link_key, message.incident_id, message.recipient.id, at=message.written_at)
    return f"{context.public_url}/a/{token}"


def deliver(context: Context, message: Message) -> str:
    """Try one message once and write down how it went: accepted, retry or refused."""
    result = attempt(context, message)
    context.db.write(lambda tx: finish(tx, context, [result]))
    return result.outcome


def finish(tx: Transaction, context: Context, results: Sequence[Result]) -> None:
    """Write how attempts went, and what follows from a refusal."""
    kept = outbox.finish(tx, results)
    suspects.clear(tx, [each.message.recipient.address for each in results if each.state == "accepted"])
    for each in results:
        if each.message.id not in kept or each.state == "pending":
            continue
        told = [each.message]
        if each.message.kind == digests.DIGEST:
            told = digests.gathered(tx, each.message)
            digests.settle(tx, each.message, each.state, each.at, each.answer)
        if each.state == "refused":
            suspects.mark(tx, each.message.recipient.address, each.at, each.answer)
            for message in told:
                _refused(tx, context, message, each.answer)


def _refused(tx: Transaction, context: Context, message: Message, answer: str) -> None:
    """When every address that should hear this has refused it, the next tier hears it (rule 8)."""
    if not message.incident_id or message.kind == Kind.RESOLVED:
        return
    if any(each.state != "refused" for each in outbox.alike(tx, message)):
        return
    incident = incidents.load(tx, message.incident_id)
    why = f"refused: {message.recipient.address} ({answer})"
    event = Unreachable(Kind(message.kind), message.level, message.occurrence, why)
    apply(tx, context, incident.id, event, context.clock.now())
