"""Signed links in mails: who may take which incident, until when (wall time)."""

from __future__ import annotations

import hashlib
import hmac
import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

import msgspec
from itsdangerous import BadData, Signer, URLSafeTimedSerializer, base64_encode
from itsdangerous.encoding import int_to_bytes
from itsdangerous.signer import SigningAlgorithm

from bongsu.core.errors import BongsuError

_PURPOSE = "bongsu.link"
_TOKEN = re.compile(r"[A-Za-z0-9_.-]+")


class Expired(BongsuError):
    """This link is too old; open the newest mail of the incident, or the incident on the console."""


class Forged(BongsuError):
    """This link is not one that Bongsu made; copy it whole from the mail, without a line break."""


class _AtOnce(SigningAlgorithm):
    """The library's HMAC in one call: a mail waits for it."""

    def get_signature(self, key: bytes, value: bytes) -> bytes:
        return hmac.digest(key, value, "sha1")


@lru_cache(maxsize=16)
def _reader(key: bytes, purpose: str) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(key, salt=purpose, signer_kwargs={"key_derivation": "hmac"})


@lru_cache(maxsize=16)
def _signer(key: bytes, purpose: str) -> Signer:
    derived = Signer(key, salt=purpose, key_derivation="hmac").derive_key()
    return Signer(derived, key_derivation="none", algorithm=_AtOnce())


def _signed(key: bytes, purpose: str, content: object, at: datetime) -> str:
    """What the reader reads, stamped with a given time: a mail that is tried again has the same bytes.

    It is not compressed, for so short a text does not get shorter.
    """
    said, stamp = base64_encode(msgspec.json.encode(content)), base64_encode(int_to_bytes(int(at.timestamp())))
    return _signer(key, purpose).sign(b"%s.%s" % (said, stamp)).decode("ascii")


def sign(key: bytes, incident_id: str, recipient_id: str, at: datetime) -> str:
    """A token for one recipient of one incident, valid from ``at`` (wall time)."""
    return _signed(key, _PURPOSE, [incident_id, recipient_id], at)


def read(key: bytes, token: str, max_age: timedelta, now: datetime) -> tuple[str, str]:
    """The incident's and the recipient's id, if the token is younger than ``max_age``. Raises Expired or Forged."""
    match _content(_reader(key, _PURPOSE), token, max_age, now):
        case [str(incident_id), str(recipient_id)]:
            return incident_id, recipient_id
    raise Forged


def sign_for(key: bytes, purpose: str, about: str, at: datetime) -> str:
    """A token for one thing and one purpose, valid from ``at`` (wall time)."""
    return _signed(key, f"bongsu.{purpose}", about, at)


def read_for(key: bytes, purpose: str, token: str, max_age: timedelta, now: datetime) -> str:
    """What a token for this purpose is about. Raises Expired or Forged."""
    about = _content(_reader(key, f"bongsu.{purpose}"), token, max_age, now)
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
