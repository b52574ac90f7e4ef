"""Affected users: DuckDB over the edge log against counting by hand, on random logs."""

from __future__ import annotations

import json
import random
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bongsu.adapters.accesslog import EdgeLog
from bongsu.core.impact import Impact, Request, Users, count_impact
from bongsu.core.timescale import Timescale
from bongsu.ports import Unavailable

T0 = datetime(2026, 1, 5, 20, 0, tzinfo=UTC)
CALM, WINDOW = (T0, T0 + timedelta(minutes=30)), (T0 + timedelta(minutes=30), T0 + timedelta(minutes=60))
PATHS = ["/products", "/products/7", "/products/12", "/orders", "/orders/9/payment", "/healthz/live"]


def line(chance: random.Random, at: datetime) -> dict[str, object]:
    slow = at >= WINDOW[0] and chance.random() < 0.2
    user = f"u{chance.randint(1, 40)}" if chance.random() < 0.6 else ""
    return {
        "ts": at.isoformat(timespec="milliseconds"),
        "path": chance.choice(PATHS),
        "server": f"machine-{chance.randint(1, 3)}",
        "status": chance.choice([200] * 12 + [404, 409, 500, 503, 504, -1]),
        "duration_ms": round(chance.uniform(900, 6000) if slow else chance.uniform(2, 300), 3),
        "user": user,
        "visitor": f"v{user or chance.randint(1, 60)}",
        "synthetic": "1" if chance.random() < 0.05 else "",
        "request_id": str(chance.random()),
    }


def random_log(seed: int, lines: int = 3000) -> list[dict[str, object]]:
    chance = random.Random(seed)
    return [line(chance, T0 + timedelta(minutes=chance.uniform(0, 70))) for _ in range(lines)]


def pattern(path: object) -> str:
    return re.sub(r"/[0-9]+", "/{id}", str(path))


def request(each: dict[str, object]) -> Request:
    return Request(
        route=pattern(each["path"]),
        status=int(str(each["status"])),
        duration_ms=float(str(each["duration_ms"])),
        user=str(each["user"]),
        visitor=str(each["visitor"]),
        synthetic=bool(each["synthetic"]),
    )


def by_hand(log: list[dict[str, object]]) -> Impact:
    def within(span: tuple[datetime, datetime]) -> list[Request]:
        return [request(each) for each in log if span[0] <= datetime.fromisoformat(str(each["ts"])) < span[1]]

    calm: dict[str, list[float]] = {}
    for each in within(CALM):
        if not each.synthetic and not each.route.startswith("/healthz"):
            calm.setdefault(each.route, []).append(each.duration_ms)
    p95 = {route: _continuous(values) for route, values in calm.items()}
    return count_impact(within(WINDOW), p95)


def _continuous(values: list[float]) -> float:
    """The 95th percentile with interpolation, as SQL's quantile_cont."""
    ordered = sorted(values)
    place = 0.95 * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def write(file: Path, log: list[dict[str, object]]) -> None:
    file.write_text("".join(json.dumps(each) + "\n" for each in log))


@pytest.mark.parametrize("seed", range(4))
def test_the_count_is_exact(tmp_path: Path, seed: int) -> None:
    file = tmp_path / "edge.jsonl"
    log = random_log(seed)
    write(file, log)
    found = EdgeLog(file, Timescale()).traffic(CALM, WINDOW)
    assert found.impact == by_hand(log)
    assert found.impact.affected.identified > 0
    assert found.impact.affected.identified <= found.impact.affected.upper <= found.impact.active.upper


def test_the_order_of_lines_and_repeated_requests_change_no_user(tmp_path: Path) -> None:
    file = tmp_path / "edge.jsonl"
    log = random_log(1)
    write(file, log)
    before = EdgeLog(file, Timescale()).traffic(CALM, WINDOW).impact
    again = [*log, *(each for each in log if datetime.fromisoformat(str(each["ts"])) >= WINDOW[0])]
    random.Random(7).shuffle(again)
    write(file, again)
    after = EdgeLog(file, Timescale()).traffic(CALM, WINDOW).impact
    assert (after.affected, after.failed, after.active) == (before.affected, before.failed, before.active)


def test_what_rose_is_told_by_route_and_machine(tmp_path: Path) -> None:
    file = tmp_path / "edge.jsonl"
    chance = random.Random(3)
    calm = [{**line(chance, T0 + timedelta(minutes=m / 10)), "path": "/products", "synthetic": ""} for m in range(300)]
    sale = [
        {**line(chance, WINDOW[0] + timedelta(minutes=m / 100)), "path": "/products/7", "synthetic": ""}
        for m in range(3000)
    ]
    write(file, calm + sale)
    found = EdgeLog(file, Timescale()).traffic(CALM, WINDOW)
    assert found.routes[0].name == "/products/{id}"
    assert found.routes[0].share == 1.0
    assert {each.name for each in found.machines} == {"machine-1", "machine-2", "machine-3"}


def test_in_a_fast_lab_the_window_is_translated(tmp_path: Path) -> None:
    file = tmp_path / "edge.jsonl"
    log = random_log(2)
    write(file, log)
    scale = Timescale(T0, 60.0)
    calm = (scale.to_service(CALM[0]), scale.to_service(CALM[1]))
    window = (scale.to_service(WINDOW[0]), scale.to_service(WINDOW[1]))
    assert EdgeLog(file, scale).traffic(calm, window).impact == by_hand(log)


def test_an_empty_log_hurts_nobody_and_a_missing_one_is_unavailable(tmp_path: Path) -> None:
    file = tmp_path / "edge.jsonl"
    with pytest.raises(Unavailable, match="no access log"):
        EdgeLog(file, Timescale()).traffic(CALM, WINDOW)
    file.write_text("")
    assert EdgeLog(file, Timescale()).traffic(CALM, WINDOW).impact.affected == Users()


def test_half_a_line_is_left_out(tmp_path: Path) -> None:
    file = tmp_path / "edge.jsonl"
    log = random_log(5, 200)
    write(file, log)
    with file.open("a") as more:
        more.write('{"ts": "2026-01-05T20:40:00.000+00:00", "path": "/pro')
    assert EdgeLog(file, Timescale()).traffic(CALM, WINDOW).impact == by_hand(log)
