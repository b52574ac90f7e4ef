"""Users, sessions, tokens, set-up links and the audit log on both databases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from bongsu.core.access import Right, Via
from bongsu.core.errors import InvalidInput, NotFound
from bongsu.engine import accounts as engine
from bongsu.engine import audit as acts
from bongsu.store import accounts, audit
from bongsu.store.database import Database

NOW = datetime(2026, 1, 5, 20, 0, tzinfo=UTC)
PASSWORD = "correct horse battery"


def test_a_user_comes_back_and_the_password_is_not_kept(db: Database) -> None:
    engine.add_user(db, "jimin", "responder", PASSWORD, NOW)
    assert [(each.name, each.role) for each in db.read(accounts.every_user)] == [("jimin", Right.RESPONDER)]
    kept = db.read(lambda tx: accounts.password_of(tx, "jimin")) or ""
    assert kept.startswith("$argon2id$")
    assert PASSWORD not in kept
    with pytest.raises(InvalidInput, match="already"):
        engine.add_user(db, "jimin", "viewer", PASSWORD, NOW)
    with pytest.raises(InvalidInput) as refused:
        engine.add_user(db, "Ji Min", "chief", "short", NOW)
    assert len(refused.value.problems) == 3


def test_the_last_admin_stays(db: Database) -> None:
    engine.add_user(db, "sora", "admin", PASSWORD, NOW)
    with pytest.raises(InvalidInput, match="last admin"):
        engine.remove_user(db, "sora")
    with pytest.raises(InvalidInput, match="last admin"):
        engine.change_role(db, "sora", "viewer")
    engine.add_user(db, "jimin", "admin", PASSWORD, NOW)
    engine.change_role(db, "sora", "viewer")
    engine.remove_user(db, "sora")
    with pytest.raises(NotFound):
        engine.remove_user(db, "sora")


def test_a_token_is_kept_as_a_hash_and_revoked_for_good(db: Database) -> None:
    made, secret = engine.new_token(db, "pipeline", "responder", "sora", NOW)
    found = db.read(lambda tx: accounts.token_by_secret(tx, engine.digest(secret)))
    assert found == made
    assert db.read(lambda tx: accounts.token_by_secret(tx, secret)) is None
    revoked = engine.revoke_token(db, made.id, NOW + timedelta(hours=1))
    assert revoked.revoked_at == NOW + timedelta(hours=1)
    assert engine.revoke_token(db, made.id, NOW + timedelta(hours=2)).revoked_at == NOW + timedelta(hours=1)
    assert db.read(lambda tx: accounts.token_by_secret(tx, engine.digest(secret))) is None
    with pytest.raises(NotFound):
        engine.revoke_token(db, "nobody", NOW)


def test_a_set_up_link_works_once_and_for_a_day(db: Database) -> None:
    link = engine.setup_link(db, "https://bongsu.example.com", NOW)
    assert link is not None
    secret = link.rpartition("/")[2]
    late = NOW + engine.SETUP_LASTS
    for wrong, when in (("guess", NOW), (secret, late)):
        with pytest.raises(engine.SetUpAlready):
            engine.set_up(db, wrong, "admin", PASSWORD, when)
    assert engine.set_up(db, secret, "admin", PASSWORD, NOW).role is Right.ADMIN
    with pytest.raises(engine.SetUpAlready):
        engine.set_up(db, secret, "second", PASSWORD, NOW)
    assert engine.setup_link(db, "", NOW) is None


def test_the_log_has_a_line_with_the_change_and_none_without(db: Database) -> None:
    with acts.acting("root", "add_user", "jimin", NOW, role="viewer", password=PASSWORD):
        engine.add_user(db, "jimin", "viewer", PASSWORD, NOW)
        engine.add_user(db, "sora", "admin", PASSWORD, NOW)
    with acts.acting("root", "add_user", "jimin", NOW), pytest.raises(InvalidInput):
        engine.add_user(db, "jimin", "viewer", PASSWORD, NOW)
    engine.add_user(db, "quiet", "viewer", PASSWORD, NOW)
    with acts.acting("root", "change_role", "jimin", NOW, role="responder"):
        engine.change_role(db, "jimin", "responder")
    newer, older = db.read(lambda tx: audit.newest(tx, 10))
    assert (older.who, older.via, older.what, older.about) == ("root", Via.COMMAND, "add_user", "jimin")
    assert older.facts == {"role": "viewer"}
    assert newer.facts == {"role": "responder", "before": "viewer", "after": "responder"}
    assert db.read(lambda tx: audit.newest(tx, 10, before=newer.id)) == [older]
    assert db.read(lambda tx: audit.newest(tx, 10, who="nobody")) == []


def test_a_change_that_is_rolled_back_leaves_no_line_and_the_next_try_does(db: Database) -> None:
    with acts.acting("root", "trying", "x", NOW):
        with pytest.raises(ZeroDivisionError):
            db.write(lambda tx: 1 // 0)
        assert db.read(lambda tx: audit.newest(tx, 10)) == []
        db.write(accounts.end_setup)
    assert len(db.read(lambda tx: audit.newest(tx, 10))) == 1
