"""Affected users: DuckDB over the edge log against counting by hand, on random logs."""

from __future__ import annotations

import gzip
import json
import os
import random
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bongsu.adapters.accesslog import EdgeLog, Reading
from bongsu.adapters.counting import Counted, Task, count
from bongsu.adapters.counting_sql import FIGURES, spans_of
from bongsu.core.impact import Rules, Traffic, Users
from bongsu.core.missed import Method
from bongsu.core.timescale import Timescale
from bongsu.ports import Unavailable
from tests.adapters.by_hand import MINUTE, Line, impact_by_hand

T0 = datetime(2026, 1, 5, 20, 0, tzinfo=UTC)
CALM, WINDOW = (T0, T0 + 30 * MINUTE), (T0 + 30 * MINUTE, T0 + 60 * MINUTE)
PATHS = ["/products", "/products/7", "/products/12", "/p/red-shoes", "/orders", "/orders/9/payment", "/healthz/live"]
AGENTS = ["Mozilla/5.0", "Mozilla/5.0 (compatible; Googlebot/2.1)", "k6/0.5", "lab-visitor"]
RULES = Rules(
    slow_over={"/orders/{id}/payment": timedelta(seconds=2)}, synthetic=("^k6/",), staff=("u3",), routes=("/p/{slug}",)
)


def line(chance: random.Random, at: datetime) -> Line:
    slow = at >= WINDOW[0] and chance.random() < 0.2
    user = f"u{chance.randint(1, 40)}" if chance.random() < 0.5 else ""
    return {
        "ts": at.isoformat(timespec="milliseconds"),
        "request_id": f"{chance.getrandbits(64):x}",
        "method": chance.choice(["GET", "GET", "POST", "PUT"]),
        "path": chance.choice(PATHS),
        "server": f"machine-{chance.randint(1, 3)}",
        "status": chance.choice([200] * 12 + [404, 409, 499, 500, 503, 504, -1]),
        "duration_ms": round(chance.uniform(900, 6000) if slow else chance.uniform(2, 300), 3),
        "user": user,
        "visitor": chance.choice([f"v{chance.randint(1, 90)}", f"v{chance.randint(1, 90)}", ""]),
        "synthetic": "1" if chance.random() < 0.05 else "",
        "agent": chance.choice([AGENTS[0]] * 20 + AGENTS),
        "termination": chance.choice(["--"] * 20 + ["SD", "CD"]),
    }


def random_log(seed: int, lines: int = 2500) -> list[Line]:
    chance = random.Random(seed)
    return [line(chance, T0 + timedelta(minutes=chance.uniform(-5, 75))) for _ in range(lines)]


def write(file: Path, log: Sequence[Line]) -> Path:
    text = "".join(json.dumps(each) + "\n" for each in log)
    if file.suffix == ".gz":
        file.write_bytes(gzip.compress(text.encode()))
    else:
        file.write_text(text)
    return file


def counted(file: Path, *, rules: Rules = Rules(), **more: Any) -> Traffic:  # noqa: B008
    return EdgeLog((file,), Timescale(), rules, **more).traffic(CALM, WINDOW)


@pytest.mark.parametrize("rules", [Rules(), RULES])
def test_the_count_is_exact(tmp_path: Path, rules: Rules) -> None:
    log = random_log(1)
    found = counted(write(tmp_path / "edge.jsonl", log), rules=rules)
    assert found.impact == impact_by_hand(log, CALM, WINDOW, rules)
    by = found.impact
    assert by.blocked is not None
    assert 0 < by.blocked.identified <= by.failed.identified <= by.affected.identified <= by.active.identified
    assert by.affected.identified < by.affected.upper <= by.active.upper
    assert min(by.left_early, by.nobody, by.left_out_by.bots, by.left_out_by.monitoring, by.left_out_by.synthetic) > 0
    assert sum(each.requests for each in found.by_route) == by.requests
    assert sum(each.failed_requests for each in found.by_route) == by.failed_requests


def with_refusals(seed: int, *, calm: float, now: float) -> list[Line]:
    """Some of the orders and products are refused, in the calm time and in the window."""
    chance, log = random.Random(seed), random_log(seed)
    refusals = {"/orders": 409, "/products": 429, "/p/red-shoes": 404}
    for each in log:
        likely = now if each["ts"] >= WINDOW[0].isoformat() else calm
        each["status"] = 200 if each["status"] in (404, 409) else each["status"]
        each["user"] = each["user"] and f"u{chance.randint(1, 400)}"  # so many that not everybody is hurt otherwise
        if each["path"] in refusals and chance.random() < likely:
            each["status"] = refusals[each["path"]]
    return log


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_burst_of_refusals_is_counted_apart(tmp_path: Path, seed: int) -> None:
    log = with_refusals(seed, calm=0.05, now=0.5)
    found = counted(write(tmp_path / "edge.jsonl", log), rules=RULES)
    assert found.impact == impact_by_hand(log, CALM, WINDOW, RULES)
    assert 0 < found.impact.refused.identified < found.impact.refused.upper
    assert {(each.route, each.status) for each in found.refusals} == {
        ("/orders", 409), ("/products", 429), ("/p/{slug}", 404),
    }  # fmt: skip
    assert all(each.requests >= 20 and each.users.upper <= found.impact.refused.upper for each in found.refusals)
    assert sum(each.users.upper for each in found.refusals) >= found.impact.refused.upper


def test_refusals_that_rise_with_the_traffic_or_are_few_are_no_burst(tmp_path: Path) -> None:
    for name, calm, now in (("same", 0.3, 0.5), ("few", 0.0, 0.04)):
        log = with_refusals(4, calm=calm, now=now)
        found = counted(write(tmp_path / f"{name}.jsonl", log), rules=RULES)
        assert found.impact == impact_by_hand(log, CALM, WINDOW, RULES)
        assert (found.impact.refused.upper, found.refusals) == (0, ())


few = st.fixed_dictionaries(
    {
        "minute": st.integers(-1, 75),
        "second": st.integers(0, 59),
        "method": st.sampled_from(["GET", "POST", ""]),
        "path": st.sampled_from(PATHS),
        "status": st.sampled_from([200, 302, 409, 499, 500, -1]),
        "duration_ms": st.sampled_from([0.0, 3.5, 250.0, 1000.0, 1000.001, 5000.0]),
        "user": st.sampled_from(["", "", "u1", "u2", "u3"]),
        "visitor": st.sampled_from(["", "v1", "v2", "v3"]),
        "synthetic": st.sampled_from(["", "", "1"]),
        "agent": st.sampled_from(AGENTS),
        "termination": st.sampled_from(["--", "SD", "CD"]),
    }
)


@settings(max_examples=40, deadline=None)
@given(st.lists(few, min_size=1, max_size=40), st.sampled_from([Rules(), RULES]))
def test_the_count_is_exact_on_any_log(lines: list[Line], rules: Rules) -> None:
    log = [
        {**each, "ts": (T0 + timedelta(minutes=each["minute"], seconds=each["second"])).isoformat()} for each in lines
    ]
    with tempfile.TemporaryDirectory() as folder:
        file = write(Path(folder, "edge.jsonl"), log)
        task = Task(spans=spans_of(CALM, WINDOW, rules.grace, timedelta(days=1)), rules=rules, edge=(str(file),))
        answer = count(task)
        assert isinstance(answer, Counted)
        assert Reading(task, answer, Timescale()).traffic().impact == impact_by_hand(log, CALM, WINDOW, rules)


def test_the_script_that_is_shown_gives_the_same_figures_again(tmp_path: Path) -> None:
    found = counted(write(tmp_path / "edge.jsonl", random_log(3)))
    db = duckdb.connect()
    db.execute(found.query)
    again = db.execute(FIGURES["all"]).fetchone()
    db.close()
    assert again is not None
    assert Users(again[0], again[1]) == found.impact.affected


def test_rotated_zipped_and_parquet_files_are_one_log(tmp_path: Path) -> None:
    log = sorted(random_log(2), key=lambda each: each["ts"])
    write(tmp_path / "edge.jsonl.2.gz", log[:700])
    write(tmp_path / "edge.jsonl.1", log[700:1400])
    write(tmp_path / "edge.jsonl", log[1400:1800])
    write(tmp_path / "rest.json", log[1800:])
    duckdb.sql(
        f"COPY (SELECT * REPLACE (CAST(ts AS TIMESTAMP) AS ts) FROM read_json('{tmp_path}/rest.json')) "
        f"TO '{tmp_path}/rest.parquet'"
    )
    edge = EdgeLog((tmp_path / "edge.jsonl*", tmp_path / "*.parquet"), Timescale())
    found = edge.traffic(CALM, WINDOW)
    assert found.impact == impact_by_hand(log, CALM, WINDOW)
    assert len(found.coverage.files) == 4


def test_the_order_of_lines_and_repeated_requests_change_no_user(tmp_path: Path) -> None:
    log = random_log(1)
    before = counted(write(tmp_path / "edge.jsonl", log)).impact
    again = [*log, *(each for each in log if each["ts"] >= WINDOW[0].isoformat())]
    random.Random(7).shuffle(again)
    after = counted(write(tmp_path / "edge.jsonl", again)).impact
    for figure in ("affected", "failed", "slowed", "blocked", "active"):
        assert getattr(after, figure) == getattr(before, figure)
    assert after.requests == 2 * before.requests


def test_in_a_fast_lab_times_are_translated(tmp_path: Path) -> None:
    log = random_log(2)
    file = write(tmp_path / "edge.jsonl", log)
    scale = Timescale(T0, 60.0)
    calm = (scale.to_service(CALM[0]), scale.to_service(CALM[1]))
    window = (scale.to_service(WINDOW[0]), scale.to_service(WINDOW[1]))
    rules = Rules(grace=timedelta(hours=10))
    found = EdgeLog((file,), scale, rules).traffic(calm, window)
    assert found.impact == impact_by_hand(log, CALM, WINDOW)
    assert found.coverage.first_at is not None
    assert calm[0] <= found.coverage.first_at < window[0]


def test_what_rose_is_told_by_route_client_and_machine(tmp_path: Path) -> None:
    chance = random.Random(3)
    same = {"synthetic": "", "agent": "", "user": ""}
    calm = [{**line(chance, T0 + MINUTE * m / 10), **same, "path": "/products", "visitor": "v1"} for m in range(300)]
    sale = [
        {**line(chance, WINDOW[0] + MINUTE * m / 100), **same, "path": "/products/7", "visitor": f"v{m % 4}"}
        for m in range(3000)
    ]
    found = counted(write(tmp_path / "edge.jsonl", calm + sale))
    assert (found.routes[0].name, found.routes[0].share) == ("/products/{id}", 1.0)
    assert {each.name for each in found.machines} == {"machine-1", "machine-2", "machine-3"}
    assert [each.name for each in found.clients] == ["v:v0", "v:v2", "v:v3", "v:v1"]


# what the log lacks


def test_a_missing_log_is_unavailable_and_an_empty_one_is_a_gap(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=r"there is no access log at .*edge.jsonl"):
        counted(tmp_path / "edge.jsonl")
    (tmp_path / "edge.jsonl").write_text("")
    found = counted(tmp_path / "edge.jsonl")
    assert found.impact.affected == Users()
    assert found.coverage.gaps == ((CALM[0], WINDOW[1]),)


def test_half_lines_and_lines_of_another_kind_are_counted_apart(tmp_path: Path) -> None:
    log = random_log(5, 300)
    file = write(tmp_path / "edge.jsonl", log)
    with file.open("a") as more:
        more.write('{"ts": "2026-01-05T20:40:00.000+00:00", "path": "/pro\n')
        more.write('127.0.0.1 - - [05/Jan/2026] "GET /"\n\n')
        more.write('{"ts": "2026-01-05T20:40:00Z", "status": 200}\n')
        more.write('{"ts": "2026-01-05T20:40:00Z", "path": "/products", "status": "many"}\n')
        more.write('{"ts": "2026-01-05T20:40')
    found = counted(file)
    assert found.impact == impact_by_hand(log, CALM, WINDOW)
    assert found.coverage.unusable == 5


def test_a_file_that_is_not_json_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "access.log"
    file.write_text('127.0.0.1 - - [05/Jan/2026:20:00:00 +0000] "GET / HTTP/1.1" 200 5\n' * 20)
    with pytest.raises(
        Unavailable, match=r"none of the 20 lines .*access\.log is a JSON object with ts, path and status"
    ):
        counted(file)
    file.write_bytes(random.Random(1).randbytes(4000))
    with pytest.raises(Unavailable, match="none of the"):
        counted(file)
    damaged = tmp_path / "edge.jsonl.gz"
    damaged.write_bytes(gzip.compress(b'{"ts": 1}\n' * 5000)[:-20])
    with pytest.raises(Unavailable, match=r"counting .*edge.jsonl.gz"):
        counted(damaged)


@contextmanager
def as_nobody() -> Iterator[None]:
    """Without the rights of root, where the tests have them."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_folder_or_file_without_read_right_is_named() -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as root:
        Path(root).chmod(0o755)
        folder, file = Path(root, "haproxy"), Path(root, "edge.jsonl")
        folder.mkdir()
        write(folder / "edge.jsonl", random_log(1, 5))
        write(file, random_log(1, 5)).chmod(0)
        folder.chmod(0)
        try:
            with as_nobody(), pytest.raises(Unavailable) as refused:
                EdgeLog((folder / "edge.jsonl*", file, Path(root, "gone")), Timescale()).traffic(CALM, WINDOW)
        finally:
            folder.chmod(0o755)
    said = str(refused.value)
    assert f"{folder}: no right to read this folder" in said
    assert f"{file}: no right to read it" in said
    assert f"there is no access log at {root}/gone" in said


def test_a_stretch_without_lines_is_a_gap_and_a_quiet_night_is_none(tmp_path: Path) -> None:
    chance = random.Random(4)
    busy = [line(chance, T0 + timedelta(seconds=s)) for s in range(0, 3600, 2)]
    lost = (T0 + 40 * MINUTE, T0 + 45 * MINUTE)
    file = write(tmp_path / "edge.jsonl", [x for x in busy if not lost[0] <= datetime.fromisoformat(x["ts"]) < lost[1]])
    (gap,) = counted(file).coverage.gaps
    assert abs(gap[0] - lost[0]) <= timedelta(seconds=2)
    assert abs(gap[1] - lost[1]) <= timedelta(seconds=2)
    quiet = [line(chance, T0 + timedelta(minutes=m)) for m in range(0, 60, 6)]
    assert counted(write(tmp_path / "edge.jsonl", quiet)).coverage.gaps == ()


# the application's own log beside the edge's


def app_lines(log: Sequence[Line], ahead: float = 0.0, every: int = 1) -> list[Line]:
    return [
        {
            "ts": (datetime.fromisoformat(x["ts"]) + timedelta(seconds=ahead + x["duration_ms"] / 1000)).isoformat(),
            "request_id": x["request_id"], "path": x["path"], "status": x["status"], "synthetic": bool(x["synthetic"]),
            "route": x["path"].replace("/p/red-shoes", "/p/{slug}").replace("/7", "/{no}").replace("/12", "/{no}"),
            "user": x["user"] or None,
        }
        for x in log[::every]
    ]  # fmt: skip


def test_the_applications_log_gives_routes_and_users_and_its_clock_is_measured(tmp_path: Path) -> None:
    log = random_log(6)
    edge = write(tmp_path / "edge.jsonl", [{**x, "user": ""} for x in log])
    shop = write(tmp_path / "shop.jsonl", app_lines(log, ahead=37.5))
    with shop.open("a") as more:
        more.write('{"ts": "2026-01-05T20:40:00Z", "event": "message", "message": "no request"}\n{"half')
    found = counted(edge, shop=(shop,))
    assert found.impact == impact_by_hand(log, CALM, WINDOW, Rules(routes=("/p/{slug}", "/products/{no}")))
    assert "/products/{no}" in {each.route for each in found.by_route}
    joined = found.coverage.joined
    assert joined is not None
    assert joined.skew_s == pytest.approx(37.5, abs=0.3)
    assert (joined.matched, joined.not_in_shop, joined.unusable) == (found.impact.requests, 0, 1)


def test_what_only_one_of_the_logs_holds_is_counted(tmp_path: Path) -> None:
    log = [{**x, "synthetic": "", "path": "/products", "agent": ""} for x in random_log(8, 1000)]
    now = [x for x in log if WINDOW[0] <= datetime.fromisoformat(x["ts"]) < WINDOW[1] - MINUTE]
    edge = write(tmp_path / "edge.jsonl", [x for n, x in enumerate(now) if n % 10])
    shop = write(tmp_path / "shop.jsonl", [x for n, x in enumerate(app_lines(now)) if n % 4])
    joined = counted(edge, shop=(shop,)).coverage.joined
    assert joined is not None
    both = sum(bool(n % 10 and n % 4) for n in range(len(now)))
    alone = sum(bool(n % 10 and not n % 4) for n in range(len(now)))
    assert (joined.matched, joined.not_in_shop) == (both, alone)
    assert joined.not_in_edge == sum(bool(n % 4 and not n % 10) for n in range(len(now)))


def test_without_the_applications_log_it_is_counted_and_said(tmp_path: Path) -> None:
    edge = write(tmp_path / "edge.jsonl", random_log(8, 300))
    found = counted(edge, shop=(tmp_path / "gone.jsonl",))
    assert found.impact == counted(edge).impact
    assert found.coverage.joined is None
    assert "there is no log of the application at" in found.coverage.not_joined


# what never reached us


def test_the_expected_comes_from_the_same_hours_of_whole_days_else_from_the_calm_time(tmp_path: Path) -> None:
    def steady(since: datetime, minutes: int, per_minute: int) -> list[Line]:
        chance = random.Random(9)
        same = {"synthetic": "", "path": "/products", "agent": ""}
        return [
            {**line(chance, since + MINUTE * n / per_minute), **same, "status": 200}
            for n in range(minutes * per_minute)
        ]

    log = [*steady(CALM[0], 30, 20), *steady(WINDOW[0], 30, 12)]
    unseen = counted(write(tmp_path / "edge.jsonl", log)).unseen
    assert unseen is not None
    assert (unseen.method, unseen.seen, unseen.expected, unseen.missing) == (Method.CALM_RATE, 360, 600, 240)
    assert unseen.missing_low < 240 < unseen.missing_high
    day = timedelta(days=1)
    for number, rate in ((1, 30), (2, 34)):
        log += steady(WINDOW[0] - number * day, 30, rate)
    log += steady(WINDOW[0] - 3 * day, 10, 90)  # this day's log is not whole
    unseen = counted(write(tmp_path / "edge.jsonl", log)).unseen
    assert unseen is not None
    assert (unseen.method, unseen.compared, unseen.expected) == (Method.SAME_HOURS, 2, 960)
