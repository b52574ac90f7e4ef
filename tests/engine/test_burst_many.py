"""A look at many machines: few statements for many of them, and nothing is lost when it dies before its commit."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from bongsu.core.breach import Point
from bongsu.core.burst import drain
from bongsu.engine import burst, watch
from bongsu.store import balances
from bongsu.store.database import Transaction
from bongsu.testing import SCRAPE, START, World

MANY = [f"machine-{n}" for n in range(300)]


@pytest.fixture
def world(database_url: str, tmp_path: Path) -> World:
    """One machine, on either database."""
    return World(database_url, tmp_path, machines=1)


def test_statements_do_not_grow_with_the_machines(world: World) -> None:
    context, service = world.context, world.service
    counts = []
    for number, names in enumerate((MANY[:3], MANY), start=1):
        world.clock.advance(SCRAPE)
        points = [Point(START + number * SCRAPE, name, 0.5, balance=100.0) for name in names]
        ran: list[str] = []

        def note(_c: Any, _cursor: Any, statement: str, *_: Any, ran: list[str] = ran) -> None:
            ran.extend([statement] if "balances" in statement else [])

        event.listen(context.db.engine, "before_cursor_execute", note)
        weighed = context.db.write(lambda tx, p=points: burst.weigh(tx, context, service, p))  # type: ignore[misc]
        event.remove(context.db.engine, "before_cursor_execute", note)
        assert [point.balance for point in weighed] == [100.0] * len(names)
        counts.append(len(ran))
    assert counts == [3, 2]
    assert len(context.db.read(lambda tx: balances.of_service(tx, service.name))) == len(MANY)
    world.close()


def test_a_look_that_dies_before_its_commit_is_made_again_from_the_metrics_store(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.balances = {"machine-1": 300.0}
    world.advance(seconds=15)
    world.balances = {"machine-1": None}
    world.cpu(0.7)
    world.advance(minutes=1)
    world.watching = False
    world.advance(minutes=3)  # scrapes that nobody has looked at
    kept = balances.keep

    def dies(tx: Transaction, service: str, ledger: Any) -> None:
        kept(tx, service, ledger)
        raise OSError

    before = world.context.db.read(lambda tx: balances.of_service(tx, "shop"))
    monkeypatch.setattr(balances, "keep", dies)
    with pytest.raises(OSError):
        watch.watch(world.context)
    monkeypatch.undo()
    assert world.context.db.read(lambda tx: balances.of_service(tx, "shop")) == before
    world.restart()
    watch.watch(world.context)
    (after,) = world.context.db.read(lambda tx: balances.of_service(tx, "shop")).values()
    assert after.at == world.clock.now()
    assert after.gaps == 0
    minutes = (after.at - before["machine-1"].at) / timedelta(minutes=1)
    assert minutes > 2.5
    assert after.credits == pytest.approx(drain(before["machine-1"].credits, world.service.machine, 0.7, minutes))
    world.close()
