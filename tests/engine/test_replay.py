"""An incident is recorded, written down, and played again under the configuration of the day after."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from bongsu.adapters.accesslog import EdgeLog
from bongsu.config.replays import Replay, load_replay, text_of
from bongsu.core.errors import InvalidInput
from bongsu.core.replay import Minute, Used, demanded
from bongsu.core.timescale import Timescale
from bongsu.engine.replay import record
from bongsu.replaying import broken_chain
from bongsu.testing import START, World

CONFIG = """
[service.shop]
job = "application"
profile = "micrometer"
machine = "lightsail:small-2GB"
policy = "burst"

[policy.burst]
signal = "cpu"
over = "baseline"
tier = [
  { after = "PT5M", notify = ["on-call:shop"] },
  { after = "PT20M", notify = ["team:commerce"] },
]
ceiling = { at = 0.95, samples = 2, notify = ["on-call:shop"] }
runway = { full_burn_under = "PT30M", notify = ["on-call:shop"] }

[person.jimin]
name = "Kim Jimin"
contact = [{ email = "jimin@example.com" }]

[team.commerce]
name = "Commerce department"
contact = [{ email = "commerce@example.com" }]

[schedule.shop]
rotation = { people = ["jimin"], every = "P7D", from = "2026-01-01T09:00:00+09:00" }

[prometheus]
url = "http://127.0.0.1:1"
scrape = "PT15S"

[smtp]
host = "127.0.0.1"
port = 1
from = "bongsu@example.com"
"""


def visits() -> Iterator[dict[str, object]]:
    """One look a second, and in the rush (from minute 12) one more, an order every ten seconds, and a bot."""
    for second in range(50 * 60):
        at = (START + timedelta(seconds=second)).isoformat()
        seen = {"ts": at, "status": 200, "duration_ms": 10, "visitor": f"v{second % 60}"}
        yield {**seen, "method": "GET", "path": f"/products/{second}"}
        if second >= 12 * 60:
            yield {**seen, "method": "GET", "path": "/products/1"}
            yield {**seen, "method": "GET", "path": "/", "agent": "somebot/1"}
            if second % 10 == 0:
                yield {**seen, "method": "POST", "path": "/orders"}


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replay]:
    """Calm for twelve minutes, a rush of 27 with a minute at the ceiling; taken after eight."""
    folder = tmp_path_factory.mktemp("replay")
    (folder / "edge.jsonl").write_text("".join(json.dumps(each) + "\n" for each in visits()))
    world = World(f"sqlite:///{folder}/world.db", folder)
    world.context = replace(world.context, logs={"shop": EdgeLog((folder / "edge.jsonl",), Timescale())})
    world.advance(minutes=12)
    world.cpu(0.6)
    world.advance(minutes=2)
    world.cpu(1.0)
    world.advance(minutes=1)
    world.cpu(0.6)
    world.advance(minutes=5)
    world.acknowledge()
    world.advance(minutes=20)
    world.cpu(0.05)
    world.advance(minutes=5)
    yield record(world.context, world.incident().id)
    world.close()


@pytest.fixture
def files(recorded: Replay, tmp_path: Path) -> tuple[Path, Path]:
    """The scenario and the configuration of the day."""
    scenario, config = tmp_path / "it.toml", tmp_path / "bongsu.toml"
    scenario.write_text(text_of(recorded))
    config.write_text(CONFIG)
    return scenario, config


def test_what_is_written_down_reads_back_the_same(recorded: Replay, files: tuple[Path, Path]) -> None:
    assert load_replay(files[0]) == recorded
    assert [each.name for each in recorded.alarms] == ["ceiling", "tier 1", "tier 2"]
    assert (recorded.machines, recorded.acknowledged_by, recorded.opening_balance) == (2, "Kim Jimin", 400.0)


def test_arrivals_are_people_s_requests_and_the_full_minute_asks_what_its_arrivals_cost(recorded: Replay) -> None:
    calm = [each for each in recorded.minutes if each.at < -60]
    rush = [each for each in recorded.minutes if 60 <= each.at < 20 * 60]
    assert {each.per_s for each in calm[1:]} == {1.0}  # the record may begin inside a minute
    assert all(abs(each.per_s - 2.1) < 0.02 for each in rush)
    assert set(recorded.routes) == {"GET /products/{id}", "POST /orders"}
    full = [each for each in rush if each.at // 60 == 2]
    assert all(0.6 <= each.cpu <= 1.0 for each in full)


def test_demand_beyond_a_full_machine_is_what_the_arrivals_would_have_cost() -> None:
    measured = [Used(0, 1.0, 0.1, 1, False), Used(60, 5.0, 0.5, 1, False), Used(120, 12.0, 1.0, 1, True)]
    assert demanded(measured)[2] == Minute(120, 12.0, 1.2)
    throttled = [Used(0, 5.0, 0.5, 2, False), Used(60, 5.0, 0.2, 2, True)]
    assert demanded(throttled)[1].cpu == 0.5  # the flat line looks healthy; the arrivals have not changed


def test_the_chain_holds_under_the_same_configuration(files: tuple[Path, Path], tmp_path: Path) -> None:
    assert broken_chain(*files, tmp_path) == []


@pytest.mark.parametrize(
    ("then", "now", "said"),
    [
        ('  { after = "PT20M", notify = ["team:commerce"] },\n', "", "tier 2: told 22.8 min after the start then, nev"),
        # what was taken after eight minutes is then held for fifteen
        ('"PT5M", notify', '"PT9M", notify', "tier 1: told 5.0 min after the start then, 22.8 min now"),
        ('notify = ["team:commerce"]', 'notify = ["person:jimin"]', "tier 2: told team:commerce then, person:jimin"),
        ("ceiling = ", "# ceiling = ", "ceiling: told"),
    ],
)
def test_a_broken_chain_is_noticed(files: tuple[Path, Path], tmp_path: Path, then: str, now: str, said: str) -> None:
    scenario, config = files
    assert then in CONFIG
    config.write_text(CONFIG.replace(then, now))
    problems = broken_chain(scenario, config, tmp_path)
    assert any(said in each for each in problems), problems


def test_faults_of_a_scenario_are_told_all_at_once(files: tuple[Path, Path]) -> None:
    scenario = files[0]
    text = scenario.read_text().replace("machines = 2", "machines = 40").replace("lead = 600.0", "lead = -1.0")
    scenario.write_text(text)
    with pytest.raises(InvalidInput) as refused:
        load_replay(scenario)
    assert [each.split(": ", 2)[1] for each in refused.value.problems] == ["machines", "lead and ends"]
