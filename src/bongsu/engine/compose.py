"""A message of the outbox in words: a mail, or what a channel says. The kind decides who writes it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import tzinfo
from email.utils import format_datetime

from bongsu.core.incident import Kind
from bongsu.engine import relay
from bongsu.engine.context import Context
from bongsu.render import links, mails, mime, notices
from bongsu.render.notices import Notice
from bongsu.render.words import Words, spoken
from bongsu.store import digests
from bongsu.store.outbox import Message

Writer = Callable[[Context, Message, Words], Notice]


def compose(context: Context, message: Message) -> bytes:
    """The whole mail; the same bytes however often it is tried."""
    if message.kind not in _BY_INCIDENT:
        return _notice_mail(context, message)
    return mails.letter(
        message,
        sender=context.sender,
        host=context.host,
        link=link_of(context, message),
        page=context.page_of(message.incident_id),
        speed=context.timescale.speed,
        zone=_zone(context, message),
    )


def brief(context: Context, message: Message) -> tuple[str, str]:
    """What a channel says: a title, and a few lines of text."""
    if message.kind not in _BY_INCIDENT:
        notice = _notice(context, message)
        return notice.subject, notices.plain(notice)
    return mails.brief(
        message,
        link=link_of(context, message),
        page=context.page_of(message.incident_id),
        speed=context.timescale.speed,
        zone=_zone(context, message),
    )


def link_of(context: Context, message: Message) -> str:
    """Where this recipient acknowledges this incident."""
    token = links.sign(context.link_key, message.incident_id, message.recipient.id, at=message.written_at)
    return f"{context.public_url}/a/{token}"


def _notice_mail(context: Context, message: Message) -> bytes:
    notice = _notice(context, message)
    headers = {
        "From": mime.sent_by(context.sender),
        "To": mime.mailbox(message.recipient.name, message.recipient.address),
        "Subject": notice.subject,
        "Date": format_datetime(message.written_at),
        "Message-ID": message.message_id,
        "Auto-Submitted": "auto-generated",
        "X-Bongsu-Kind": message.kind,
    }
    return mime.mail(headers, notices.text(notice), notices.html(notice, message.recipient.locale))


def _notice(context: Context, message: Message) -> Notice:
    w = Words(spoken(message.recipient.locale), _zone(context, message))
    return WRITERS[message.kind](context, message, w)


def _zone(context: Context, message: Message) -> tzinfo:
    return context.directory.zone_of(message.recipient.id)


def _digest(context: Context, message: Message, w: Words) -> Notice:
    told = context.db.read(lambda tx: digests.gathered(tx, message))
    return notices.digest(told, w, page_of=context.page_of, all_of=f"{context.public_url}/incidents")


_BY_INCIDENT = frozenset(Kind)
WRITERS: dict[str, Writer] = {
    digests.DIGEST: _digest,
    relay.DOWN: lambda _, message, w: notices.relay_down(message, w),
    relay.UP: lambda _, message, w: notices.relay_up(message, w),
    notices.TEST: lambda context, message, w: notices.test(message, w, page=f"{context.public_url}/incidents"),
}
"""Who writes a message that belongs to no incident, by its kind."""
