"""An alert has one row on SQLite, whoever fails, deletes or writes beside: no index sees to it there."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, text

from bongsu.core.alert import Alert
from bongsu.store import alerts
from bongsu.store.columns import microseconds
from bongsu.store.database import Database
from bongsu.store.migrate import migrate
from bongsu.store.turns import _Asked

T0 = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
NAMES = st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=4)


@dataclass(frozen=True)
class Put:
    """One transaction's jobs: the names that each puts, whether it forgets what ended before, and fails after."""

    jobs: Sequence[tuple[Sequence[str], bool, bool]]

    @property
    def forgets(self) -> bool:
        """Whether something may be forgotten."""
        return any(prunes and not fails for _, prunes, fails in self.jobs)


@dataclass(frozen=True)
class Elsewhere:
    """Another process puts these, as none should."""

    names: Sequence[str]


STEPS = st.one_of(
    st.builds(Put, st.lists(st.tuples(NAMES, st.booleans(), st.booleans()), min_size=1, max_size=3)),
    st.builds(Elsewhere, NAMES),
)


class Fails(Exception):
    """A job that ends so."""


def putting(
    names: Sequence[str], step: int, *, prunes: bool = False, fails: bool = False
) -> Callable[[Connection], None]:
    at = T0 + timedelta(hours=step)
    made = [Alert({"alertname": each}, at, at + timedelta(minutes=5), {"summary": str(step)}) for each in names]
    rows = [alerts.row_of(each, alerts.identity(each.labels), microseconds(at), None) for each in made]

    def job(tx: Connection) -> None:
        if prunes:
            alerts.prune(tx, at, 2)
        alerts.put(tx, rows)
        if fails:
            raise Fails

    return job


@contextmanager
def databases() -> Iterator[tuple[Database, Database]]:
    """One file, opened twice."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder, 'places.db')}"
        ours, other = Database(url), Database(url)
        migrate(ours)
        yield ours, other
        ours.close()
        other.close()


def take(step: int, doing: Put | Elsewhere, ours: Database, other: Database) -> dict[str, int]:
    """Do it; what each alert was told in it."""
    if isinstance(doing, Elsewhere):
        other.write(putting(doing.names, step))
        return dict.fromkeys(doing.names, step)
    asked = [
        _Asked(putting(names, step, prunes=prunes, fails=fails), nothing_follows=False)
        for names, prunes, fails in doing.jobs
    ]
    assert ours._turns
    ours._turns._commit(asked)
    assert [isinstance(each.failed, Fails) for each in asked] == [fails for *_, fails in doing.jobs]
    return {name: step for names, _, fails in doing.jobs if not fails for name in names}


@settings(max_examples=60, deadline=None)
@given(st.lists(STEPS, max_size=12))
def test_an_alert_has_one_row_and_it_says_what_came_last(steps: Sequence[Put | Elsewhere]) -> None:
    told: dict[str, int] = {}
    with databases() as (ours, other):
        for step, doing in enumerate(steps):
            fresh = take(step, doing, ours, other)
            kept = ours.read(lambda tx: alerts.firing(tx, T0 - timedelta(days=1)))
            found = [(each.alert.name, int(each.alert.annotations["summary"])) for each in kept]
            assert len({name for name, _ in found}) == len(found)
            assert fresh.items() <= set(found) <= {**told, **fresh}.items()
            assert (isinstance(doing, Put) and doing.forgets) or len(found) == len({**told, **fresh})
            told = dict(found)


def test_numbers_go_on_where_they_ended(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/places.db"
    for step, name in enumerate("ab"):
        db = Database(url)
        migrate(db)
        db.write(putting([name], step))
        db.close()
    db = Database(url)
    assert db.read(lambda tx: tx.execute(text("SELECT id FROM alerts ORDER BY id")).scalars().all()) == [1, 2]
    db.close()
