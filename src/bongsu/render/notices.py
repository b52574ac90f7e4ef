"""Mails that are no alarm: a notice says one thing in a few paragraphs, with rows of facts and at most one button."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import format_datetime

from bongsu.render import mime
from bongsu.render.words import Words, clean, environment
from bongsu.store.outbox import Message


@dataclass(frozen=True, slots=True)
class Notice:
    """What a notice says, in its reader's language. ``button``: its words, and where it leads."""

    subject: str
    paragraphs: tuple[str, ...]
    rows: tuple[tuple[str, str], ...] = ()
    button: tuple[str, str] | None = None
    grave: bool = False


def notice_mail(message: Message, notice: Notice, w: Words, *, sender: str, about: Mapping[str, str]) -> bytes:
    """The whole mail; the same bytes however often it is made. ``about``: further headers."""
    values = {"n": notice, "w": w}
    templates = environment(w.locale)
    headers = {
        "From": mime.sent_by(sender),
        "To": mime.mailbox(message.recipient.name, message.recipient.address),
        "Subject": clean(notice.subject),
        "Date": format_datetime(message.written_at),
        "Message-ID": message.message_id,
        "Auto-Submitted": "auto-generated",
        "X-Bongsu-Kind": message.kind,
        **about,
    }
    text = templates.get_template("notice.txt").render(values)
    html = templates.get_template("notice.html").render(values)
    return mime.mail(headers, text, html)
