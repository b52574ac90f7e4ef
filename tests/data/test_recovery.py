"""The shop's data is damaged, and put right: what was lost comes back, and what customers did since stays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from bench.damage import KINDS, Untouched, Vandal, found, repaired
from bongsu.adapters import postgres
from bongsu.adapters.postgres import Conflict, PlanRefused
from bongsu.adapters.servicedata import ServiceData
from bongsu.core.backups import Backup
from bongsu.core.errors import InvalidInput
from bongsu.core.recovery_plan import Step, parse, render

Sql = Callable[..., list[Any]]


def test_the_shops_own_data_is_sound(data: ServiceData) -> None:
    found = data.verify()
    assert [(each.name, each.fault, each.rows) for each in found.verdicts if not each.holds] == []
    assert found.good
    assert found.holding == len(data.invariants) == 13


@pytest.mark.parametrize("seed", [1, 2])
def test_five_kinds_of_damage_are_found_and_put_right(data: ServiceData, backup: Backup, seed: int) -> None:
    vandal = Vandal(data.dsn, seed)
    damaged = vandal.strike(3)
    assert {each.kind for each in damaged} == set(KINDS)
    before = Untouched(data.dsn)
    assert not data.verify().good
    made = data.plan(backup)
    assert [each for each in damaged if each not in found(damaged, [step.why for step in made.plan.steps])] == []
    assert made.after.good
    assert not data.verify().good, "planning touches nothing"
    done = data.apply(parse("plan.sql", render(made.plan)))
    assert done.after.good
    assert [each for each in damaged if each not in repaired(data.dsn, damaged)] == []
    prices = {each.values[0] for each in damaged if each.kind == "wrong bulk update"}
    assert before.harmed(data.dsn, prices) == []
    assert data.verify().good
    assert data.plan(backup).plan.steps == (), "a second plan has nothing to do"


def test_a_comparison_tells_lost_from_damaged_from_business(data: ServiceData, backup: Backup, sql: Sql) -> None:
    (old,) = sql("SELECT min(id) FROM orders WHERE status = 'paid'")[0]
    sql("DELETE FROM point_ledger WHERE order_id = %s", old)
    began = datetime.now(UTC)  # noqa: TID251 - the wall's time, as the server stamps rows
    sql("UPDATE users SET name = 'Nobody' WHERE id = 3")
    compared = data.compare(backup)
    kinds = {(each.table, each.kind) for each in compared.changes}
    assert ("point_ledger", "lost") in kinds
    assert ("users", "damaged") in kinds
    assert ("products", "changed") in kinds, "sales since the backup"
    assert ("orders", "lost") not in kinds
    (name,) = [each for each in compared.changes if each.kind == "damaged"]
    (cell,) = [each for each in name.cells if each.damaged]
    assert (name.key, cell.column, cell.now) == ((3,), "name", "Nobody")
    assert compared.dated
    assert name.written is not None
    assert name.written > began
    assert compared.tallies["orders"].new == 30


def test_a_sale_after_the_plan_is_kept(data: ServiceData, backup: Backup, sql: Sql) -> None:
    sql("UPDATE products SET stock = stock + 1000 WHERE id = 5")
    plan = data.plan(backup).plan
    sql("UPDATE products SET stock = stock - 2 WHERE id = 5")
    sql("INSERT INTO stock_history (product_id, delta, stock_after, reason) SELECT 5, -2, stock, 'seed' FROM products "
        "WHERE id = 5")  # fmt: skip
    assert data.apply(plan).after.good
    assert sql(
        "SELECT stock - (SELECT sum(delta) FROM stock_history WHERE product_id = 5) FROM products WHERE id = 5"
    ) == [(0,)]


def test_a_row_that_was_put_right_meanwhile_is_not_overwritten(data: ServiceData, backup: Backup, sql: Sql) -> None:
    sql("UPDATE products SET price = 1 WHERE id IN (4, 5)")
    plan = data.plan(backup).plan
    sql("UPDATE products SET price = 777 WHERE id = 4")
    sql("INSERT INTO price_history (product_id, price) VALUES (4, 777)")
    with pytest.raises(Conflict, match=r"prices-are-their-history, id 4.*has changed since"):
        data.apply(plan)
    assert sql("SELECT id, price FROM products WHERE id IN (4, 5) ORDER BY id") == [(4, 777), (5, 1)], (
        "nothing was done"
    )
    again = data.plan(backup).plan
    assert [step.why for step in again.steps] == ["prices-are-their-history, id 5"]
    data.apply(again)
    assert sql("SELECT price FROM products WHERE id = 4") == [(777,)]


def test_a_changed_line_of_a_guarded_history_comes_back_and_the_guard_stands(
    data: ServiceData, backup: Backup, sql: Sql
) -> None:
    number, delta = sql("SELECT id, delta FROM point_ledger WHERE reason = 'payment' ORDER BY id LIMIT 1")[0]
    sql("UPDATE point_ledger SET delta = delta - 5 WHERE id = %s", number)
    plan = data.plan(backup).plan
    assert plan.quiet == ("point_ledger",)
    assert data.apply(plan).after.good
    assert sql("SELECT delta FROM point_ledger WHERE id = %s", number) == [(delta,)]
    with psycopg.connect(data.dsn) as connection, pytest.raises(psycopg.errors.RaiseException):
        connection.execute("UPDATE point_ledger SET delta = 0")


def test_what_nobody_can_know_is_said_and_left(data: ServiceData, backup: Backup, sql: Sql) -> None:
    (order,) = sql("INSERT INTO orders (user_id, status, total) VALUES (1, 'pending', 500) RETURNING id")[0]
    sql("UPDATE products SET price = 1 WHERE id = 4")
    made = data.plan(backup)
    assert made.plan.leaves == {"totals-are-their-lines": 1}, f"order {order} has no line, and no answer tells which"
    done = data.apply(parse("plan.sql", render(made.plan)))
    assert [each.name for each in done.after.verdicts if not each.holds] == ["totals-are-their-lines"]


def test_a_plan_after_which_an_invariant_fails_is_undone(data: ServiceData, backup: Backup, sql: Sql) -> None:
    sql("UPDATE products SET price = 1 WHERE id IN (4, 5)")
    plan = data.plan(backup).plan
    half = replace(plan, steps=plan.steps[:1])
    with pytest.raises(PlanRefused, match=r"prices-are-their-history: 1 damaged rows after the plan \(id 5\)"):
        data.apply(half)
    assert sql("SELECT count(*) FROM products WHERE price = 1") == [(2,)]
    wrong = replace(plan, steps=(*plan.steps, Step("a slip", "UPDATE users SET points = points + 1")))
    with pytest.raises(Conflict, match=r"a slip.*20 rows"):
        data.apply(wrong)
    assert sql("SELECT count(*) FROM products WHERE price = 1") == [(2,)]


def test_a_table_that_others_hold_is_waited_for_and_then_given_up(
    data: ServiceData, backup: Backup, sql: Sql, monkeypatch: pytest.MonkeyPatch
) -> None:
    sql("UPDATE products SET price = 1 WHERE id = 4")
    plan = data.plan(backup).plan
    monkeypatch.setattr(postgres, "TRIES", 2)
    with psycopg.connect(data.dsn) as busy:
        busy.execute("UPDATE users SET name = name WHERE id = 1")
        with pytest.raises(PlanRefused, match="held by others"):
            data.apply(plan)
    assert sql("SELECT price FROM products WHERE id = 4") == [(1,)]
    data.apply(plan)


def test_a_plan_for_other_data_or_without_steps_is_refused(data: ServiceData, backup: Backup, tmp_path: Path) -> None:
    plan = data.plan(backup).plan
    with pytest.raises(InvalidInput, match="no step"):
        data.apply(plan)
    with pytest.raises(InvalidInput, match="for 'other'"):
        data.apply(replace(plan, database="other"))
