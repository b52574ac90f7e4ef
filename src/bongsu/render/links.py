"""Signed links in mails: who may take which incident, until when (wall time)."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from itsdangerous import BadData, URLSafeTimedSerializer
from itsdangerous.timed import TimestampSigner

from bongsu.core.errors import BongsuError

_PURPOSE = "bongsu.link"
_TOKEN = re.compile(r"[A-Za-z0-9_.-]+")


class Expired(BongsuError):
    """This link is too old; open the newest mail of the incident, or the incident on the console."""


class Forged(BongsuError):
    """This link is not one that Bongsu made; copy it whole from the mail, without a line break."""


class _At(TimestampSigner):
    """Stamps a given time, so that a mail that is tried again has the same bytes."""

    def __init__(self, *given: Any, at: datetime, **named: Any) -> None:
        super().__init__(*given, **named)
        self._at = int(at.timestamp())

    def get_timestamp(self) -> int:
        return self._at


def _serializer(key: bytes, at: datetime) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(key, salt=_PURPOSE, signer=_At, signer_kwargs={"key_derivation": "hmac", "at": at})


def sign(key: bytes, incident_id: str, recipient_id: str, at: datetime) -> str:
    """A token for one recipient of one incident, valid from ``at`` (wall time)."""
    token = _serializer(key, at).dumps([incident_id, recipient_id])
    return token if isinstance(token, str) else token.decode("ascii")


def read(key: bytes, token: str, max_age: timedelta, now: datetime) -> tuple[str, str]:
    """The incident's and the recipient's id, if the token is younger than ``max_age``. Raises Expired or Forged."""
    if not _TOKEN.fullmatch(token):
        raise Forged  # the decoder skips signs it does not know
    try:
        content, made = _serializer(key, now).loads(token, return_timestamp=True)
    except BadData:
        raise Forged from None
    if now - made.astimezone(UTC) > max_age:
        raise Expired
    match content:
        case [str(incident_id), str(recipient_id)]:
            return incident_id, recipient_id
    raise Forged
