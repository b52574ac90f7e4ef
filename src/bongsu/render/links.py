"""Signed links in mails: who may take which incident, until when (wall time)."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime, timedelta
from typing import Any

from itsdangerous import BadData, Signer, URLSafeTimedSerializer, base64_encode, want_bytes
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


class _Serializer(URLSafeTimedSerializer):
    """Does not try to make so short a text shorter: that took longer than all else about a mail."""

    def dump_payload(self, obj: Any) -> bytes:
        return base64_encode(want_bytes(self.serializer.dumps(obj)))


def _serializer(key: bytes, at: datetime, purpose: str = _PURPOSE) -> URLSafeTimedSerializer:
    return _Serializer(key, salt=purpose, signer=_At, signer_kwargs={"key_derivation": "hmac", "at": at})


def sign(key: bytes, incident_id: str, recipient_id: str, at: datetime) -> str:
    """A token for one recipient of one incident, valid from ``at`` (wall time)."""
    token = _serializer(key, at).dumps([incident_id, recipient_id])
    return token if isinstance(token, str) else token.decode("ascii")


def read(key: bytes, token: str, max_age: timedelta, now: datetime) -> tuple[str, str]:
    """The incident's and the recipient's id, if the token is younger than ``max_age``. Raises Expired or Forged."""
    match _content(_serializer(key, now), token, max_age, now):
        case [str(incident_id), str(recipient_id)]:
            return incident_id, recipient_id
    raise Forged


def sign_for(key: bytes, purpose: str, about: str, at: datetime) -> str:
    """A token for one thing and one purpose, valid from ``at`` (wall time)."""
    token = _serializer(key, at, f"bongsu.{purpose}").dumps(about)
    return token if isinstance(token, str) else token.decode("ascii")


def read_for(key: bytes, purpose: str, token: str, max_age: timedelta, now: datetime) -> str:
    """What a token for this purpose is about. Raises Expired or Forged."""
    about = _content(_serializer(key, now, f"bongsu.{purpose}"), token, max_age, now)
    if not isinstance(about, str):
        raise Forged
    return about


def _content(serializer: URLSafeTimedSerializer, token: str, max_age: timedelta, now: datetime) -> object:
    if not _TOKEN.fullmatch(token):
        raise Forged  # the decoder skips signs it does not know
    try:
        content, made = serializer.loads(token, return_timestamp=True)
    except BadData:
        raise Forged from None
    if now - made.astimezone(UTC) > max_age:
        raise Expired
    return content


def feed_token(key: bytes, kind: str, name: str) -> str:
    """What opens one calendar feed. It does not expire, for a calendar goes on asking for years."""
    return _feeds(key).get_signature(f"{kind}/{name}").decode("ascii")


def opens_feed(key: bytes, kind: str, name: str, token: str) -> bool:
    """Whether a token opens this feed."""
    return token.isascii() and _feeds(key).verify_signature(f"{kind}/{name}", token)


def _feeds(key: bytes) -> Signer:
    return Signer(key, salt="bongsu.feed", key_derivation="hmac", digest_method=hashlib.sha256)
