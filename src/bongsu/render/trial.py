"""The mail that tries an address out before it is needed."""

from __future__ import annotations

import email.policy
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime, formataddr

from bongsu.core.setup import Contact
from bongsu.render.words import Words, clean, spoken

_POLICY = email.policy.SMTP.clone(cte_type="7bit")
"""7 bit, because not every relay on the way takes 8."""


def trial_mail(to: Contact, *, service: str, sender: str, locale: str, message_id: str, at: datetime) -> bytes:
    """The whole mail. ``sender`` is an address."""
    w = Words(spoken(locale))
    mail = EmailMessage(policy=_POLICY)
    mail["From"] = formataddr(("Bongsu", sender))
    mail["To"] = formataddr((clean(to.name), to.email))
    mail["Subject"] = w.gettext("[%(service)s] A test: Bongsu reaches you here", service=clean(service))
    mail["Date"] = format_datetime(at)
    mail["Message-ID"] = message_id
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Bongsu-Kind"] = "test"
    mail.set_content(
        w.gettext(
            "Nothing is wrong. Bongsu was set up to watch %(service)s, and will write to you at this address when you "
            "are on call and something is wrong.\n\n"
            "Did this mail go to the spam folder? Then allow its sender, or an alarm will go there too.",
            service=clean(service),
        )
        + "\n"
    )
    return mail.as_bytes()
