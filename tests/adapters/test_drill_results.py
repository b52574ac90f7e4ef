"""What drills left behind, read for the review: whole, broken and missing."""

from __future__ import annotations

import json
import os
from pathlib import Path

from bongsu.adapters.drills import MOST, newest
from bongsu.core.drill import Expectation, Scenario, Verdict
from bongsu.lab.drill.result import result_of, write_result
from bongsu.lab.drill.scenarios import SCENARIOS


def drill(folder: Path, name: str, minute: int, text: str | None) -> None:
    made = folder / name
    made.mkdir(parents=True)
    at = made
    if text is not None:
        at = made / "result.json"
        at.write_text(text)
    os.utime(at, (minute * 60, minute * 60))


def test_what_a_drill_writes_is_read_with_what_was_not_met(tmp_path: Path) -> None:
    scenario: Scenario = next(iter(SCENARIOS.values()))
    met = Expectation("nobody", "tier 1", "at 5 min", "at 5 min", True)
    failed = Expectation("nobody", "tier 2", "at 10 min", "none", False)
    (tmp_path / "0105").mkdir()
    write_result(result_of(scenario, [], [met, failed]), tmp_path / "0105")
    [found] = newest(tmp_path)  # not twice: `latest` points at it
    assert (found.name, found.scenario, found.verdict) == ("0105", scenario.name, Verdict.FAIL)
    assert found.failed == ("nobody: tier 2 (at 10 min; none)",)
    assert not found.passed


def test_what_cannot_be_read_says_why(tmp_path: Path) -> None:
    drill(tmp_path, "gone", 1, None)
    drill(tmp_path, "torn", 2, '{"scenario": "flash')
    drill(tmp_path, "other", 3, json.dumps({"scenario": "x", "verdict": "splendid", "expectations": []}))
    (tmp_path / "notes.txt").write_text("no drill")
    other, torn, gone = newest(tmp_path)
    assert "left no result.json" in gone.problem
    assert "result.json is broken" in torn.problem
    assert "splendid" in other.problem
    assert not any(each.passed for each in (other, torn, gone))
    [nowhere] = newest(tmp_path / "nowhere")
    assert "No such file" in nowhere.problem


def test_only_the_newest_come_the_last_one_first(tmp_path: Path) -> None:
    for minute in range(MOST + 2):
        drill(tmp_path, f"{minute}", minute, json.dumps({"scenario": "x", "verdict": "pass", "expectations": []}))
    assert [each.name for each in newest(tmp_path)] == [str(each) for each in range(MOST + 1, 1, -1)]
