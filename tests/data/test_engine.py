"""Jobs on a service's data: due once, kept, verified when an incident closes, and in the incident's timeline."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bongsu.adapters.servicedata import ServiceData
from bongsu.core.incident import Status
from bongsu.core.recovery import Check
from bongsu.engine import data as engine
from bongsu.engine.context import CareOf
from bongsu.render.timeline import timeline_words
from bongsu.store import data as store
from bongsu.store import timeline
from bongsu.store.database import Database
from bongsu.testing import START, World

Sql = Callable[..., list[Any]]
HOUR = timedelta(hours=1)


def test_of_several_one_does_a_job_that_is_due(db: Database) -> None:
    def claim(hours: float, every: timedelta = 6 * HOUR) -> bool:
        return db.write(lambda tx: store.claim(tx, "shop", "backup", every, START + hours * HOUR))

    assert claim(0), "a new job is due at once"
    assert [claim(hours) for hours in (0, 1, 5.9)] == [False] * 3
    assert [claim(6), claim(6), claim(30), claim(30)] == [True, False, True, False], "what was missed is done once"
    assert [claim(31, every=HOUR), claim(32, every=HOUR)] == [False, True], "made due more often"
    db.write(lambda tx: store.ran(tx, "shop", "backup", START, "no room"))
    (job,) = db.read(store.jobs)
    assert (job.name, job.kind, job.ran_at, job.fault) == ("shop", "backup", START, "no room")


def test_results_are_kept_by_incident_and_the_newest_of_the_rest(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "KEPT_PER_NAME", 2)
    for number in range(5):
        check = Check("shop", START + number * HOUR, 13, 13, {})
        db.write(lambda tx, it=check: store.add(tx, it))  # type: ignore[misc]
    mine = Check("shop", START, 12, 13, {"stock-is-its-history": 2}, ("why",))
    db.write(lambda tx: store.add(tx, mine, "i1"))
    assert db.read(lambda tx: store.of_incident(tx, "i1")) == mine
    assert db.read(lambda tx: store.of_incident(tx, "i2")) is None
    assert db.read(lambda tx: store.latest(tx, "shop")) == mine
    assert db.read(lambda tx: tx.exec_driver_sql("SELECT count(*) FROM data_checks").scalar()) == 3


@pytest.fixture
def cared(world: World, data: ServiceData) -> World:
    """A world whose shop has real data in care."""
    world.context = replace(world.context, data={"shop": CareOf(data, 6 * HOUR, HOUR, prove=True)})
    return world


def closed(world: World) -> str:
    """An incident that opened and was resolved."""
    world.cpu(0.42)
    world.advance(minutes=6)
    world.cpu(0.05)
    world.advance(minutes=20)
    assert world.incident().status is Status.RESOLVED
    return world.incident().id


def lines(world: World, incident_id: str) -> list[Any]:
    found = world.context.db.read(lambda tx: timeline.of(tx, incident_id))
    return [each for each in found if each.what.startswith("data_")]


def test_the_data_is_verified_once_when_an_incident_closes(cared: World) -> None:
    incident = closed(cared)
    assert engine.at_close(cared.context) == 1
    assert engine.at_close(cared.context) == 0
    (line,) = lines(cared, incident)
    assert line.what == "data_verified"
    assert timeline_words(line, "en") == "Data verified: 13 of 13 invariants hold."
    assert timeline_words(line, "ko") == "데이터 검증: 불변 조건 13개 중 13개가 성립합니다."
    check = cared.context.db.read(lambda tx: store.of_incident(tx, incident))
    assert check is not None
    assert (check.holding, check.of, check.damaged) == (13, 13, {})


def test_damage_stands_in_the_timeline(cared: World, sql: Sql) -> None:
    sql("UPDATE products SET stock = stock + 1 WHERE id IN (3, 4)")
    incident = closed(cared)
    engine.at_close(cared.context)
    (line,) = lines(cared, incident)
    assert timeline_words(line, "en") == (
        "Data verified: 12 of 13 invariants hold. Damaged rows: stock-is-its-history 2."
    )


def test_data_that_does_not_answer_is_said_too(cared: World, data: ServiceData) -> None:
    gone = replace(data, dsn=data.dsn + "&user=nobody")
    cared.context = replace(cared.context, data={"shop": CareOf(gone, None, None, prove=False)})
    incident = closed(cared)
    engine.at_close(cared.context)
    (line,) = lines(cared, incident)
    assert "could not be verified: the database does not answer" in timeline_words(line, "en")


def test_backups_and_verifications_come_by_schedule(cared: World, sql: Sql, tmp_path: Path) -> None:
    assert engine.look_after(cared.context) == 2, "a backup and a verification, both due at once"
    assert engine.look_after(cared.context) == 0
    data = cared.context.data["shop"].data
    assert isinstance(data, ServiceData)
    newest, _ = data.backups()
    assert newest.verified_at is not None
    sql("UPDATE products SET price = 1 WHERE id = 4")
    cared.clock.advance(HOUR)
    assert engine.look_after(cared.context) == 1
    jobs = {each.kind: each for each in cared.context.db.read(store.jobs)}
    assert (jobs["backup"].fault, jobs["verify"].fault) == (None, "prices-are-their-history: 1 damaged")
    latest = cared.context.db.read(lambda tx: store.latest(tx, "shop"))
    assert latest is not None
    assert latest.damaged == {"prices-are-their-history": 1}
