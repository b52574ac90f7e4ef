"""Who may log in: users and their passwords, tokens of programs, and the first admin.

Everything takes the database and the wall's time, so that commands work in place, without a server.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta

from bongsu.core.access import (
    ROLES,
    ApiToken,
    Right,
    User,
    label_faults,
    name_faults,
    password_faults,
    role_of,
)
from bongsu.core.errors import BongsuError, InvalidInput
from bongsu.engine import audit
from bongsu.engine.passwords import fits, hashed
from bongsu.store import accounts
from bongsu.store.database import Database, Transaction

SETUP_LASTS = timedelta(hours=24)
TOKEN_PREFIX = "bongsu_"  # noqa: S105 - it lets scanners of repositories know a token when they see one


class SetUpAlready(BongsuError):
    """This set-up link is not good any more: it was used, it is a day old, or there is an admin already."""


def digest(secret: str) -> str:
    """What is kept of a random secret; a plain hash is enough, for nobody guesses 256 bits."""
    return hashlib.sha256(secret.encode()).hexdigest()


def add_user(db: Database, name: str, role: str, password: str, now: datetime) -> User:
    """A new user. Raises InvalidInput with every fault."""
    given = role_of(role)
    problems = name_faults(name) + password_faults(password)
    problems += [f"role: {role!r} is none of {', '.join(ROLES)}"] * (given is None)
    if problems or given is None:
        raise InvalidInput(problems)
    user, kept = User(name, given, now, now), hashed(password)

    def add(tx: Transaction) -> None:
        if accounts.password_of(tx, name) is not None:
            raise InvalidInput([f"name: there is a user {name!r} already"])
        accounts.add_user(tx, user, kept)

    db.write(add)
    return user


def change_password(db: Database, name: str, password: str, now: datetime, *, present: str | None = None) -> None:
    """Give a user another password and end every session. ``present``: the old one, where it must be known.

    Raises NotFound or InvalidInput.
    """
    problems = password_faults(password)
    if present is not None and not fits(db.read(lambda tx: accounts.password_of(tx, name)), present):
        problems.append("present password: it is another one")
    if problems:
        raise InvalidInput(problems)
    kept = hashed(password)

    def change(tx: Transaction) -> None:
        accounts.user(tx, name)
        accounts.set_password(tx, name, kept, now)

    db.write(change)


def change_role(db: Database, name: str, role: str) -> None:
    """Give a user another role. Raises NotFound, or InvalidInput for the last admin."""
    given = role_of(role)
    if given is None:
        raise InvalidInput([f"role: {role!r} is none of {', '.join(ROLES)}"])
    audit.tell(before=db.read(lambda tx: accounts.user(tx, name)).role.value, after=given.value)

    def change(tx: Transaction) -> None:
        _keep_an_admin(tx, accounts.user(tx, name), given)
        accounts.set_role(tx, name, given)

    db.write(change)


def remove_user(db: Database, name: str) -> None:
    """Nobody logs in by this name any more. Raises NotFound, or InvalidInput for the last admin."""
    audit.tell(before=db.read(lambda tx: accounts.user(tx, name)).role.value)

    def remove(tx: Transaction) -> None:
        _keep_an_admin(tx, accounts.user(tx, name), None)
        accounts.remove_user(tx, name)

    db.write(remove)


def _keep_an_admin(tx: Transaction, user: User, becomes: Right | None) -> None:
    if user.role is Right.ADMIN and becomes is not Right.ADMIN and accounts.admins(tx) == 1:
        raise InvalidInput([f"{user.name} is the last admin; make somebody else one first"])


def new_token(db: Database, name: str, role: str, by: str, now: datetime) -> tuple[ApiToken, str]:
    """A token for a program, and its secret, which is never shown again. Raises InvalidInput."""
    given = role_of(role)
    problems = label_faults(name) + [f"role: {role!r} is none of {', '.join(ROLES)}"] * (given is None)
    if problems or given is None:
        raise InvalidInput(problems)
    secret = TOKEN_PREFIX + secrets.token_urlsafe(32)
    made = ApiToken(secrets.token_hex(4), name.strip(), given, by, now)
    audit.tell(about=made.id)
    db.write(lambda tx: accounts.add_token(tx, made, digest(secret)))
    return made, secret


def revoke_token(db: Database, token_id: str, now: datetime) -> ApiToken:
    """A token opens nothing from now on. Raises NotFound."""

    def revoke(tx: Transaction) -> ApiToken:
        accounts.revoke_token(tx, token_id, now)
        return accounts.token(tx, token_id)

    return db.write(revoke)


def setup_link(db: Database, public_url: str, now: datetime) -> str | None:
    """A link with which the first admin is made, good once and for a day; None when there is an admin already."""
    secret = secrets.token_urlsafe(32)

    def add(tx: Transaction) -> bool:
        if accounts.admins(tx):
            return False
        accounts.add_setup_link(tx, digest(secret), now + SETUP_LASTS, now)
        return True

    return f"{public_url}/setup/{secret}" if db.write(add) else None


def may_set_up(db: Database, secret: str, now: datetime) -> None:
    """Whether a set-up link is still good. Raises SetUpAlready."""
    db.read(lambda tx: _may_set_up(tx, secret, now))


def _may_set_up(tx: Transaction, secret: str, now: datetime) -> None:
    if accounts.admins(tx) or not accounts.opens_setup(tx, digest(secret), now):
        raise SetUpAlready


def set_up(db: Database, secret: str, name: str, password: str, now: datetime) -> User:
    """The first admin. Raises SetUpAlready, or InvalidInput with every fault."""
    may_set_up(db, secret, now)
    problems = name_faults(name) + password_faults(password)
    if problems:
        raise InvalidInput(problems)
    user, kept = User(name, Right.ADMIN, now, now), hashed(password)

    def make(tx: Transaction) -> None:
        _may_set_up(tx, secret, now)
        if accounts.password_of(tx, name) is not None:
            raise InvalidInput([f"name: there is a user {name!r} already; take another name for the admin"])
        accounts.add_user(tx, user, kept)
        accounts.end_setup(tx)

    db.write(make)
    return user
