"""Invariants, rules, comparisons, plans and retention, without a database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bongsu.core.backups import Backup, expired
from bongsu.core.comparing import Layout, Line, Tally, compare
from bongsu.core.errors import InvalidInput
from bongsu.core.recovery import Rule, Verdict, read_invariant, read_rules
from bongsu.core.recovery_plan import FIRST, Plan, Step, corrected, filled, literal, parse, put_back, render

AT = datetime(2026, 1, 5, 12, tzinfo=UTC)
LAYOUT = Layout("t", ("id", "a", "b"), ("integer", "text", "text"), ("id",))
rows = st.dictionaries(
    st.integers(0, 9), st.tuples(st.sampled_from("xyz"), st.sampled_from(["p", "q", None])), max_size=8
)


def line(key: int, values: tuple[str, str | None]) -> Line:
    return Line((key,), (str(key), *values))


@given(rows, rows, st.sampled_from([Rule("t"), Rule("t", "stays", ("a",), ("b",)), Rule("t", "grows")]))
def test_a_comparison_is_what_a_look_at_every_row_says(
    before: dict[int, tuple[str, str | None]], now: dict[int, tuple[str, str | None]], rule: Rule
) -> None:
    tally = Tally()
    sides = [iter([line(key, side[key]) for key in sorted(side)]) for side in (before, now)]
    changes = {each.key[0]: each for each in compare(LAYOUT, rule, sides[0], sides[1], tally)}
    both = before.keys() & now.keys()
    assert {key for key, each in changes.items() if each.lost} == before.keys() - now.keys()
    assert {key for key, each in changes.items() if not each.lost} == {key for key in both if before[key] != now[key]}
    assert (tally.new, tally.same) == (len(now.keys() - before.keys()), sum(before[key] == now[key] for key in both))
    for number, each in changes.items():
        key = int(number)
        if each.lost:
            assert each.damaged is (rule.rows != "free")
        else:
            a, b = (was != new for was, new in zip(before[key], now[key], strict=True))
            expected = {"free": False, "grows": True, "stays": a or (b and before[key][1] is not None)}[rule.rows]
            assert each.damaged is expected


texts = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=30)


@given(texts, texts, st.dictionaries(st.sampled_from(["one", "two"]), st.integers(0, 99)))
def test_a_plan_is_read_as_it_was_written(name: str, value: str, leaves: dict[str, int]) -> None:
    change = next(compare(LAYOUT, Rule("t", "grows"), iter([Line((7,), ("7", value, None))]), iter([]), Tally()))
    steps = (put_back(LAYOUT, change), Step("why", f"UPDATE t SET a = {literal(name)}"))
    plan = Plan("shop", "shop-1.dump", AT, AT, ("t", "u"), ("u",), steps, leaves)
    assert parse("plan.sql", render(plan)) == plan
    assert all("\n" not in step.sql and step.sql.isprintable() for step in plan.steps)


def test_a_correction_is_guarded_by_what_was_seen() -> None:
    sides = [iter([line(7, ("x", None))]), iter([line(7, ("it's", "q"))])]
    change = next(compare(LAYOUT, Rule("t", "stays", ("a",)), sides[0], sides[1], Tally()))
    assert corrected(LAYOUT, change).sql == (
        "UPDATE \"t\" SET \"a\" = 'x'::text WHERE \"id\" = '7'::integer AND \"a\" IS NOT DISTINCT FROM 'it''s'::text"
    )


def test_a_repair_takes_the_values_of_the_row_and_leaves_casts_alone() -> None:
    sql = filled("UPDATE t SET a = :b WHERE at = :at::date AND id=:id", ("id", "b", "at"), (-5, "x:id", AT))
    assert sql == "UPDATE t SET a = 'x:id' WHERE at = '2026-01-05T12:00:00+00:00'::timestamptz::date AND id=(-5)"


def test_every_fault_of_a_plan_is_found() -> None:
    headers = ["-- backup: x", "-- recovery point: noon", f"-- begun: {AT.isoformat()}", "-- leaves: a b"]
    text = "\n".join([FIRST, *headers, "COMMIT;", "DELETE FROM t"])
    with pytest.raises(InvalidInput) as error:
        parse("p.sql", text)
    assert error.value.problems == [
        "p.sql:6: a line must be one INSERT, UPDATE or DELETE that ends with ; (or a comment)",
        "p.sql:7: a line must be one INSERT, UPDATE or DELETE that ends with ; (or a comment)",
        "p.sql: the line `-- database: ...` is missing; make the plan anew",
        "p.sql: recovery point: 'noon' is not a time",
        "p.sql: leaves: 'a' has no number",
    ]
    with pytest.raises(InvalidInput, match="not a recovery plan"):
        parse("p.sql", "SELECT 1")


def test_every_fault_of_an_invariant_is_found() -> None:
    with pytest.raises(InvalidInput) as error:
        read_invariant("x.sql", "-- name: Bad Name\n-- key: id\n-- key: id\nDELETE FROM t")
    assert error.value.problems == [
        "x.sql: key is given twice; keep one line",
        "x.sql: no line `-- means: ...`; add it",
        "x.sql: 'Bad Name' is no name; use small letters, digits and -",
        "x.sql: must be one SELECT that returns the damaged rows",
    ]


def test_every_fault_of_the_rules_is_found() -> None:
    data = {"a": {"rows": "shrinks", "fix": []}, "b": {"fixed": "id"}, "c": 1}
    with pytest.raises(InvalidInput) as error:
        read_rules("t.toml", data)
    assert error.value.problems == [
        "t.toml: a.fix: unknown key; use rows, fixed or once",
        "t.toml: a.rows: 'shrinks' is none of grows, stays, free",
        "t.toml: b.fixed: must be a list of columns",
        "t.toml: c must be a table: [c]",
    ]
    assert read_rules("t.toml", {"a": {"rows": "stays", "once": ["x"]}}) == (Rule("a", "stays", (), ("x",)),)


def test_a_damaged_row_is_named_by_its_key() -> None:
    verdict = Verdict("a", "b", ("x", "y"), ("y", "z", "x"), ((1, 2, 3),))
    assert verdict.keys() == ["x 3, y 1"]
    assert not verdict.holds
    assert not Verdict("a", "b", fault="no").holds


def a_backup(age_h: int, verified: bool) -> Backup:
    taken = AT - timedelta(hours=age_h)
    return Backup(f"{age_h}.dump", "shop", taken, 1, 1, "x", 150000, "0/0", verified_at=taken if verified else None)


@given(
    st.lists(st.tuples(st.integers(0, 500), st.booleans()), max_size=12, unique_by=lambda each: each[0]),
    st.integers(1, 5),
    st.integers(0, 300),
)
def test_what_may_go_is_old_and_many_and_not_the_last_good_one(
    given_: list[tuple[int, bool]], keep: int, hours: int
) -> None:
    every = [a_backup(*each) for each in given_]
    gone = expired(every, AT, keep, timedelta(hours=hours))
    left = [each for each in every if each not in gone]
    assert len(left) >= min(keep, len(every))
    assert all(AT - each.taken_at > timedelta(hours=hours) for each in gone)
    assert any(each.verified_at for each in every) == any(each.verified_at for each in left)
    newest = sorted(every, key=lambda each: each.taken_at, reverse=True)[:keep]
    assert not [each for each in gone if each in newest]
