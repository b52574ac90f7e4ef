"""Users, their sessions, tokens of programs, and set-up links. What opens a door is kept as its hash alone."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from bongsu.core.access import ApiToken, Right, Session, User
from bongsu.core.errors import NotFound
from bongsu.store.schema import sessions, setup_links, tokens, users


def add_user(tx: Connection, user: User, password: str) -> None:
    """Keep a new one; ``password`` is a hash."""
    values = {"name": user.name, "role": user.role, "made_at": user.made_at, "changed_at": user.changed_at}
    tx.execute(insert(users).values(password=password, **values))


def user(tx: Connection, name: str) -> User:
    """One user. Raises NotFound."""
    row = tx.execute(select(users).where(users.c.name == name)).first()
    if row is None:
        raise NotFound(f"There is no user {name!r}; look at: bongsu user list")
    return _user(row)


def every_user(tx: Connection) -> list[User]:
    """All of them, by name."""
    return [_user(row) for row in tx.execute(select(users).order_by(users.c.name))]


def password_of(tx: Connection, name: str) -> str | None:
    """The hash of somebody's password; None when there is no such user."""
    found: str | None = tx.execute(select(users.c.password).where(users.c.name == name)).scalar()
    return found


def set_password(tx: Connection, name: str, password: str, now: datetime) -> None:
    """Change the hash; every session of this user ends."""
    tx.execute(update(users).where(users.c.name == name).values(password=password, changed_at=now))
    end_sessions(tx, name)


def set_role(tx: Connection, name: str, role: Right) -> None:
    """Give a user another role; it holds for the sessions that are there too."""
    tx.execute(update(users).where(users.c.name == name).values(role=role))


def remove_user(tx: Connection, name: str) -> None:
    """Forget a user and end the sessions."""
    end_sessions(tx, name)
    tx.execute(delete(users).where(users.c.name == name))


def admins(tx: Connection) -> int:
    """How many users may do everything."""
    return tx.execute(select(func.count()).select_from(users).where(users.c.role == Right.ADMIN)).scalar_one()


def begin_session(tx: Connection, session_id: str, session: Session, dead_before: datetime) -> None:
    """Keep a new session, and forget those that nobody has used since ``dead_before``."""
    tx.execute(delete(sessions).where(sessions.c.seen_at < dead_before))
    values = {"made_at": session.made_at, "seen_at": session.seen_at, "address": session.address}
    tx.execute(insert(sessions).values(id=session_id, user_name=session.user, **values))


def session(tx: Connection, session_id: str) -> tuple[Session, User] | None:
    """A session and whose it is."""
    theirs = (users.c.name, users.c.role, users.c.made_at.label("user_made_at"), users.c.changed_at)
    query = select(sessions, *theirs).join(users, users.c.name == sessions.c.user_name)
    row = tx.execute(query.where(sessions.c.id == session_id)).first()
    if row is None:
        return None
    owner = User(row.name, Right(row.role), row.user_made_at, row.changed_at)
    return Session(owner.name, row.made_at, row.seen_at, row.address), owner


def touch_session(tx: Connection, session_id: str, now: datetime) -> None:
    """It was used."""
    tx.execute(update(sessions).where(sessions.c.id == session_id).values(seen_at=now))


def end_session(tx: Connection, session_id: str) -> None:
    """It is over."""
    tx.execute(delete(sessions).where(sessions.c.id == session_id))


def end_sessions(tx: Connection, name: str) -> None:
    """All of a user's are over."""
    tx.execute(delete(sessions).where(sessions.c.user_name == name))


def add_token(tx: Connection, token: ApiToken, secret: str) -> None:
    """Keep a new token; ``secret`` is a hash."""
    values = {"name": token.name, "role": token.role, "made_by": token.made_by, "made_at": token.made_at}
    tx.execute(insert(tokens).values(id=token.id, secret=secret, **values))


def token(tx: Connection, token_id: str) -> ApiToken:
    """One token. Raises NotFound."""
    row = tx.execute(select(tokens).where(tokens.c.id == token_id)).first()
    if row is None:
        raise NotFound(f"There is no token {token_id!r}; look at: bongsu token list")
    return _token(row)


def token_by_secret(tx: Connection, secret: str) -> ApiToken | None:
    """The token that is in force and has this hash."""
    row = tx.execute(select(tokens).where(tokens.c.secret == secret, tokens.c.revoked_at.is_(None))).first()
    return None if row is None else _token(row)


def every_token(tx: Connection) -> list[ApiToken]:
    """All of them, the newest first; revoked ones too."""
    query = select(tokens).order_by(tokens.c.made_at.desc(), tokens.c.id)
    return [_token(row) for row in tx.execute(query)]


def touch_token(tx: Connection, token_id: str, now: datetime) -> None:
    """It was used."""
    tx.execute(update(tokens).where(tokens.c.id == token_id).values(used_at=now))


def revoke_token(tx: Connection, token_id: str, now: datetime) -> None:
    """It opens nothing from now on."""
    tx.execute(update(tokens).where(tokens.c.id == token_id, tokens.c.revoked_at.is_(None)).values(revoked_at=now))


def add_setup_link(tx: Connection, link_id: str, ends_at: datetime, now: datetime) -> None:
    """Keep a new set-up link, and forget those that are too old."""
    tx.execute(delete(setup_links).where(setup_links.c.ends_at <= now))
    tx.execute(insert(setup_links).values(id=link_id, ends_at=ends_at))


def opens_setup(tx: Connection, link_id: str, now: datetime) -> bool:
    """Whether a set-up link is still good."""
    query = select(setup_links.c.id).where(setup_links.c.id == link_id, setup_links.c.ends_at > now)
    return tx.execute(query).first() is not None


def end_setup(tx: Connection) -> None:
    """No set-up link is good any more."""
    tx.execute(delete(setup_links))


def _user(row: Row[tuple[object, ...]]) -> User:
    return User(row.name, Right(row.role), row.made_at, row.changed_at)


def _token(row: Row[tuple[object, ...]]) -> ApiToken:
    return ApiToken(row.id, row.name, Right(row.role), row.made_by, row.made_at, row.used_at, row.revoked_at)
