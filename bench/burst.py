"""``python -m bench.burst``: how long one look at the credits of 10,000 machines takes. The last line is JSON.

Read, folded, written and committed, on SQLite and on PostgreSQL with disks that are synced. ``BENCH_MACHINES`` and
``BENCH_ROUNDS`` make it shorter; ``BENCH_PROFILE=1`` says where the time goes.
"""

from __future__ import annotations

import cProfile
import json
import os
import pstats
import random
import statistics
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path

from bench.machine import Steal, postgres
from bongsu.core.breach import Point
from bongsu.engine import burst
from bongsu.store import balances
from bongsu.testing import SCRAPE, World

MACHINES = int(os.environ.get("BENCH_MACHINES", "10000"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "11"))
PROFILED = bool(os.environ.get("BENCH_PROFILE"))
BEFORE = 36
"""Minutes that were seen before: a measured machine's trail is as long as it gets."""


def main() -> None:
    """The same machines without a measured balance and with one, on both databases."""
    figures: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as folder, postgres() as fresh, Steal() as steal:
        for name, url in (("sqlite", f"sqlite:///{folder}/b.db"), ("postgresql", fresh())):
            figures[name] = look(url, Path(folder))
            told = ", ".join(f"{of} {ms:.0f} ms" for of, ms in figures[name].items())
            print(f"{name}: {MACHINES} machines, medians of {ROUNDS} looks: {told}", flush=True)
        print(f"steal {steal.share():.1%}")
    assert "numpy" not in sys.modules, "the server would hold it for this"
    print(json.dumps({"update_10k_ms": round(figures["sqlite"]["whole"], 1), **rounded(figures)}))


def rounded(figures: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
    """For the last line."""
    return {name: {of: round(ms, 1) for of, ms in each.items()} for name, each in figures.items()}


def look(url: str, folder: Path) -> dict[str, float]:
    """Medians in ms: all of it; keeping it alone; all of it for machines whose balance was measured before, and for
    machines whose balance is measured with each sample.
    """
    world = World(url, folder, machines=0)
    context, (service,) = world.context, world.context.services.values()
    luck = random.Random(5)
    names = [f"machine-{n:05}" for n in range(MACHINES)]

    def once(after: timedelta, balance: float | None = None) -> float:
        world.clock.advance(after)
        now = world.clock.now()
        points = [Point(now, name, luck.random() * 0.4, balance, steal=0.01) for name in names]
        began = time.perf_counter()
        if PROFILED:
            with context.db.engine.begin() as tx:  # not in the writer's thread, where no profiler looks
                burst.weigh(tx, context, service, points)
        else:
            context.db.write(lambda tx: burst.weigh(tx, context, service, points))
        return (time.perf_counter() - began) * 1000

    once(SCRAPE)
    found = {"whole": statistics.median(once(SCRAPE) for _ in range(ROUNDS))}
    if PROFILED:
        profile = cProfile.Profile()
        profile.runcall(once, SCRAPE)
        pstats.Stats(profile).sort_stats("tottime").print_stats(25)
    kept = context.db.read(lambda tx: balances.to_change(tx, service.name))

    def again() -> float:
        began = time.perf_counter()
        context.db.write(lambda tx: balances.keep(tx, service.name, kept))
        return (time.perf_counter() - began) * 1000

    found["written"] = statistics.median(again() for _ in range(ROUNDS))
    once(SCRAPE, 300.0)
    for _ in range(BEFORE):
        once(timedelta(minutes=1))
    found["measured"] = statistics.median(once(SCRAPE) for _ in range(ROUNDS))
    found["with each sample"] = statistics.median(once(SCRAPE, 300.0) for _ in range(ROUNDS))
    world.close()
    return found


if __name__ == "__main__":
    main()
