"""Two servers on one PostgreSQL do the same at the same time: one of them is first, and the other sees it."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from bongsu.core.alert import Alert
from bongsu.core.routing import Destination
from bongsu.engine import command, respond, watch
from bongsu.store import actions, alerts, breaches, incidents, outbox, timeline
from bongsu.store.columns import microseconds
from bongsu.store.database import Database, Transaction
from bongsu.store.migrate import migrate
from bongsu.testing import START, World
from tests.support import wait_for

pytestmark = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


@pytest.fixture
def pair(database_url: str, tmp_path: Path) -> Iterator[tuple[World, World]]:
    """Two servers with one clock and one metrics store."""
    first, second = World(database_url, tmp_path), World(database_url, tmp_path)
    second.clock, second.metrics, second.balancer, second.provider = (
        first.clock, first.metrics, first.balancer, first.provider,
    )  # fmt: skip
    second.restart()
    yield first, second
    first.close()
    second.close()


def at_once(*jobs: Callable[[], object]) -> None:
    """All begin together; the first failure is raised."""
    gate = threading.Barrier(len(jobs))

    def run(job: Callable[[], object]) -> None:
        gate.wait(10)
        job()

    with ThreadPoolExecutor(len(jobs)) as pool:
        for each in [pool.submit(run, job) for job in jobs]:
            each.result(30)


def test_two_watches_in_step_make_one_incident_and_tell_each_tier_once(pair: tuple[World, World]) -> None:
    first, second = pair
    first.cpu(0.42)
    first.stop()
    for _ in range(45 * 4):
        first.advance(seconds=15)
        if first.clock.now() - START > timedelta(minutes=4.5):  # the calm before goes in one look of both
            at_once(
                lambda: watch.watch(first.context), lambda: watch.watch(second.context),
                lambda: command.due(first.context), lambda: command.due(second.context),
            )  # fmt: skip
    found = first.context.db.read(incidents.search)
    assert [(each.policy.name, each.open) for each in found] == [("burst", True)]
    told = first.context.db.read(lambda tx: outbox.of(tx, found[0].id))
    tiers = Counter((each.level, each.recipient.address) for each in told if each.kind == "tier")
    assert tiers == {(1, "jimin@example.com"): 1, (2, "commerce@example.com"): 1, (3, "hq@example.com"): 1}
    lines = first.context.db.read(lambda tx: timeline.of(tx, found[0].id))
    assert [line.what for line in lines].count("told") == 3


def test_scaling_out_beside_the_watch_waits_for_nobody_for_ever(pair: tuple[World, World]) -> None:
    first, second = pair
    first.cpu(0.42)
    first.advance(minutes=6)
    incident = first.incident().id
    for _ in range(10):
        first.stop()
        first.advance(seconds=15)
        at_once(
            lambda: watch.watch(first.context), lambda: watch.watch(second.context),
            lambda: command.scale_out(first.context, incident, "a"),
            lambda: command.scale_out(second.context, incident, "b"),
        )  # fmt: skip
    asked = first.context.db.read(lambda tx: actions.of(tx, incident))
    assert len(asked) == len({each.machine for each in asked}) == 4


def test_two_servers_never_start_the_same_machine_at_a_time(pair: tuple[World, World]) -> None:
    first, second = pair
    first.cpu(0.42)
    first.advance(minutes=6)
    command.scale_out(first.context, first.incident().id, "Kim Jimin")
    calls: list[str] = []
    busy = threading.Lock()

    class Slow:
        """Says who was asked while another is."""

        def start(self, name: str) -> None:
            assert busy.acquire(blocking=False), f"{name} while another server works on the same actions"
            calls.append(name)
            busy.release()

        def answers(self, name: str) -> str | None:
            return "127.0.0.1:1"

    machines: Any = Slow()
    for world in pair:
        object.__setattr__(world.context, "machines", {"shop": machines})
    at_once(lambda: respond.respond(first.context), lambda: respond.respond(second.context))
    assert Counter(calls) == {f"machine-{n}": 1 for n in range(3, 7)}


def test_whoever_lost_an_action_cannot_finish_it(database_url: str) -> None:
    db = Database(database_url)
    migrate(db)
    db.write(lambda tx: actions.request(tx, "i1", "shop", "add", ["machine-3"], "Kim Jimin", START))
    (late,) = db.write(actions.claim)
    assert db.write(actions.claim) == []
    db.write(lambda tx: tx.execute(text("UPDATE actions SET leased_until = 1")))  # the lease runs out
    (new,) = db.write(actions.claim)
    assert not db.write(lambda tx: actions.change(tx, late, "done", "", START))
    db.write(lambda tx: actions.let_go(tx, [late]))
    assert db.write(actions.claim) == [], "the other still holds it"
    assert db.write(lambda tx: actions.change(tx, new, "done", "", START))
    db.close()


def test_alerts_that_arrive_while_their_destination_is_decided_on_wait_for_nobody_and_are_decided_on(
    pair: tuple[World, World],
) -> None:
    world, other = pair
    now = world.clock.now()
    to = Destination("shop", "at-once", "")
    early, late = (
        alerts.row_of(alert, alerts.identity(alert.labels), microseconds(now), to)
        for name in ("early", "late")
        for alert in [Alert({"alertname": name}, now, now + timedelta(minutes=5))]
    )
    world.context.db.write(lambda tx: alerts.put(tx, [early]), one_statement=True)

    def decide(tx: Transaction) -> None:
        assert set(alerts.take(tx, [to])) == {to}
        other.context.db.write(lambda its: alerts.put(its, [late, early]), one_statement=True)

    world.context.db.write(decide)
    assert world.context.db.read(lambda tx: alerts.undecided(tx, now)) == {to}
    assert len(world.context.db.read(lambda tx: alerts.firing(tx, now, to))) == 2


def test_two_servers_that_would_decide_on_the_same_take_turns(pair: tuple[World, World]) -> None:
    """Whatever the order in which each names them."""
    world, other = pair
    now = world.clock.now()
    to = [Destination("shop", "at-once", group) for group in ("first", "second")]
    rows = [
        alerts.row_of(alert, alerts.identity(alert.labels), 1, each)
        for each in to
        for alert in [Alert({"alertname": each.group}, now, now + timedelta(minutes=5))]
    ]
    world.context.db.write(lambda tx: alerts.put(tx, rows))
    holds = threading.Event()
    found: list[set[Destination]] = []

    def first(tx: Transaction) -> None:
        found.append(set(alerts.take(tx, to)))
        holds.set()
        waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
        wait_for("the other to wait", lambda: tx.execute(waiting).scalar_one())

    def second() -> None:
        holds.wait(10)
        found.append(set(other.context.db.write(lambda tx: alerts.take(tx, to[::-1]))))

    at_once(lambda: world.context.db.write(first), second)
    assert found == [set(to), set()]


def test_a_transaction_that_meets_another_is_run_again(database_url: str) -> None:
    """Each locks a row and then the other's: PostgreSQL ends one of them, which begins anew."""
    db = Database(database_url)
    migrate(db)
    for name in ("a", "b"):
        db.write(lambda tx, n=name: breaches.save(tx, n, "burst", breaches.load(tx, n, "burst")))  # type: ignore[misc]
    both, tries = threading.Barrier(2), Counter[str]()

    def job(mine: str, other: str) -> None:
        def cross(tx: Transaction) -> None:
            tries[mine] += 1
            breaches.load(tx, mine, "burst")
            if tries[mine] == 1:
                both.wait(10)
            breaches.load(tx, other, "burst")

        db.write(cross)

    at_once(lambda: job("a", "b"), lambda: job("b", "a"))
    assert max(tries.values()) > 1, "PostgreSQL may end both, one after the other"
    db.close()


def test_a_fault_that_is_no_race_is_raised_in_the_end(database_url: str) -> None:
    db = Database(database_url)
    migrate(db)
    tries: list[int] = []

    def job(tx: Transaction) -> None:
        tries.append(1)
        tx.execute(text("INSERT INTO suspects VALUES ('x', 1, ''), ('x', 1, '')"))

    with pytest.raises(DBAPIError, match="unique"):
        db.write(job)
    assert len(tries) == 4, "bounded"
    db.close()
