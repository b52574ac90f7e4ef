"""Logging in and out, and who it is that asks: by a session's cookie or by a token."""

from __future__ import annotations

import hmac
import logging
import secrets

from bongsu.core.access import TOUCH, Access, Right, Session, Via, Who
from bongsu.core.errors import BongsuError
from bongsu.engine.accounts import digest
from bongsu.engine.context import Context
from bongsu.engine.passwords import fits
from bongsu.store import accounts
from bongsu.store.database import Transaction

log = logging.getLogger("bongsu.access")


class WrongLogin(BongsuError):
    """This name and this password do not belong together."""


def log_in(context: Context, name: str, password: str, address: str) -> str:
    """Begin a session; the secret for its cookie. Raises WrongLogin or TooManyTries."""
    now = context.wall.now()
    context.failures.begin(name, address, now)
    if not fits(context.db.read(lambda tx: accounts.password_of(tx, name)), password):
        # the name is not logged: people type passwords into the wrong field
        log.warning("log-in failed", extra={"address": address})
        raise WrongLogin
    context.failures.succeeded(name, address, now)
    return begin(context, name, address)


def begin(context: Context, name: str, address: str) -> str:
    """A new session of somebody whose password was right; the secret for its cookie."""
    secret, now = secrets.token_urlsafe(32), context.wall.now()
    session = Session(name, now, now, address)
    dead_before = now - context.access.idle
    context.db.write(lambda tx: accounts.begin_session(tx, digest(secret), session, dead_before))
    return secret


def log_out(context: Context, secret: str) -> None:
    """End a session."""
    context.db.write(lambda tx: accounts.end_session(tx, digest(secret)))


def by_session(context: Context, secret: str) -> Who | None:
    """Whose session this is; None when there is none, or it is over."""
    key, now = digest(secret), context.wall.now()
    found = context.db.read(lambda tx: accounts.session(tx, key))
    if found is None:
        return None
    session, user = found
    if context.access.over(session, now):
        context.db.write(lambda tx: accounts.end_session(tx, key))
        return None
    if now - session.seen_at >= TOUCH:
        context.db.write(lambda tx: accounts.touch_session(tx, key, now))
    return Who(user.name, user.role, Via.SESSION, csrf_of(context, secret))


def csrf_of(context: Context, secret: str) -> str:
    """What the forms of a session carry: another site does not know it, and it tells nothing of the cookie."""
    return hmac.new(context.link_key, b"bongsu.csrf:" + secret.encode(), "sha256").hexdigest()


def by_token(context: Context, secret: str) -> Who | None:
    """Whose token this is: this computer's own, or one that somebody made."""
    if hmac.compare_digest(secret.encode(), context.api_token.encode()):
        return Who("api_token", Right.ADMIN, Via.TOKEN)
    found = context.db.read(lambda tx: accounts.token_by_secret(tx, digest(secret)))
    if found is None:
        return None
    now = context.wall.now()
    if found.used_at is None or now - found.used_at >= TOUCH:
        context.db.write(lambda tx: accounts.touch_token(tx, found.id, now))
    return Who(found.name, found.role, Via.TOKEN)


def sends_alerts(access: Access, secret: str) -> bool:
    """Whether this is the token with which Prometheus sends alerts, good for nothing else."""
    return bool(access.sender_token) and hmac.compare_digest(secret.encode(), access.sender_token.encode())


def nobody_can_log_in(tx: Transaction) -> bool:
    """Whether there is no user at all."""
    return not accounts.every_user(tx)
