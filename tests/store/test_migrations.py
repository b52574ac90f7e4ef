"""Forward only, from what the last release left behind, with rows in every table, on both databases."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, inspect, text

from bongsu.core.breach import BreachClock
from bongsu.core.incident import Incident, Seen
from bongsu.core.policy import Policy, Tier
from bongsu.store import actions, alerts, breaches, incidents, migrate, outbox, timeline
from bongsu.store.columns import microseconds, pack
from bongsu.store.database import Database
from bongsu.store.schema import metadata

RELEASED = 2
"""The last migration of the last release."""
T0 = datetime(2026, 1, 5, 20, 0, tzinfo=UTC)
AT = microseconds(T0)
POLICY = Policy("burst", (Tier(timedelta(minutes=5), ("on-call:shop",)),))
INCIDENT = Incident("i1", "shop", POLICY, T0, Seen(T0, True, timedelta(minutes=5), T0), due_at=T0, version=1)


def as_released(incident: Incident) -> str:
    """The body without what later versions put into it."""
    body: dict[str, Any] = json.loads(pack(incident))
    for key in ("triage", "handed"):
        body.pop(key, None)
    for key in ("muted", "counts_from"):
        body["seen"].pop(key, None)
    return json.dumps(body)


ROWS: dict[str, dict[str, object]] = {
    "breaches": {"service": "shop", "policy": "burst", "body": pack(BreachClock(since=T0))},
    "incidents": {
        "id": "i1", "service": "shop", "policy": "burst", "status": "triggered", "is_open": 1, "opened_at": AT,
        "due_at": AT, "version": 1, "body": as_released(INCIDENT), "group_key": "",
    },
    "timeline": {"incident_id": "i1", "at": AT, "what": "opened", "facts": "{}"},
    "outbox": {
        "message_id": "<m1@example.com>", "incident_id": "i1", "kind": "tier", "level": 1, "occurrence": 1,
        "recipient": "person:jimin", "name": "Kim Jimin", "address": "jimin@example.com", "locale": "ko", "facts": "{}",
        "decided_at": AT, "written_at": AT, "due_at": AT, "state": "pending", "attempts": 1, "leased_until": 0,
        "fence": 1,
    },
    "attempts": {"outbox_id": 1, "at": AT, "outcome": "retry:busy", "answer": "451 later"},
    "alerts": {
        "fingerprint": "f1", "body": '[{"alertname":"A"},{},""]', "starts_at": AT, "ends_at": AT + 60_000_000,
        "received_at": AT, "service": "shop", "policy": "alerts", "group_key": "", "incident_id": "i1",
    },
    "silences": {"id": "s1", "ends_at": AT + 60_000_000, "body": ""},
    "actions": {
        "incident_id": "i1", "service": "shop", "kind": "add", "machine": "machine-3", "requested_by": "Kim Jimin",
        "requested_at": AT, "state": "requested",
    },
    "reports": {"incident_id": "i1", "made_at": AT, "body": "{}"},
}  # fmt: skip


@pytest.fixture
def released(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Database:
    """A database as the last release left it."""
    known = migrate.migrations()
    with monkeypatch.context() as then:
        then.setattr(migrate, "migrations", lambda: [each for each in known if each[0] <= RELEASED])
        db = Database(database_url)
        assert migrate.migrate(db) == [1, 2]

    def fill(tx: Connection) -> None:
        for table, row in ROWS.items():
            places = ", ".join(f":{key}" for key in row)
            tx.execute(text(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({places})"), row)

    db.write(fill)
    return db


def test_every_table_of_the_last_release_has_a_row_here(released: Database) -> None:
    assert set(inspect(released.engine).get_table_names()) - {"migrations"} == set(ROWS)
    released.close()


def test_nothing_of_the_last_release_is_lost(released: Database) -> None:
    numbers = [number for number, *_ in migrate.migrations()]
    assert migrate.migrate(released) == numbers[RELEASED:]
    made = inspect(released.engine)
    assert set(made.get_table_names()) - {"migrations"} == set(metadata.tables)
    for table in ROWS:
        count = released.read(lambda tx, t=table: tx.execute(text(f"SELECT count(*) FROM {t}")).scalar_one())  # type: ignore[misc]
        assert count == 1, table
    read = released.read
    assert read(lambda tx: breaches.load(tx, "shop", "burst")) == BreachClock(since=T0)
    assert read(lambda tx: incidents.load(tx, "i1")) == INCIDENT
    assert [each.what for each in read(lambda tx: timeline.of(tx, "i1"))] == ["opened"]
    assert [each.alert.name for each in read(lambda tx: alerts.firing(tx, T0))] == ["A"]
    (message,) = released.write(lambda tx: outbox.claim(tx, T0, 10))
    assert (message.recipient.address, message.fence) == ("jimin@example.com", 2)
    (action,) = released.write(actions.claim)
    assert (action.machine, action.fence) == ("machine-3", 1)
    assert migrate.migrate(released) == []
    released.close()


def test_an_older_version_refuses_a_newer_database(released: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    migrate.migrate(released)
    known = migrate.migrations()
    monkeypatch.setattr(migrate, "migrations", lambda: known[:RELEASED])
    with pytest.raises(migrate.TooNew):
        migrate.migrate(released)
    released.close()
