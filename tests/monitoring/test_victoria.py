"""VictoriaMetrics in the place of Prometheus: the same targets, the same queries through the same client."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bongsu.adapters.clock import SystemClock
from bongsu.adapters.prometheus import Prometheus
from bongsu.core.timescale import Timescale
from tests.monitoring.boards import FILES, queries
from tests.monitoring.environment import PYTHON, SPRING, Environment
from tests.monitoring.rightly_empty import empty_for

SCRAPE, MILLISECOND = timedelta(seconds=1), timedelta(milliseconds=1)


@pytest.mark.parametrize("file", FILES)
def test_every_panel_shows_what_it_shows_with_prometheus(environment: Environment, file: str) -> None:
    victoria = environment.victoria
    for job in ("bongsu",) if file == "bongsu-itself" else (PYTHON, *SPRING):
        shown = {q.name: (victoria.ask if q.instant else victoria.course)(q.filled(job)) for q in queries(file)}
        assert {name for name, rows in shown.items() if not rows} == empty_for(file, job)


def test_bongsus_own_client_reads_samples_and_values(environment: Environment) -> None:
    clock = SystemClock()
    now = clock.now()
    since = now - timedelta(seconds=8)
    clients = [
        Prometheus(url, 5, Timescale(), clock, SCRAPE) for url in (environment.store.url, environment.victoria.url)
    ]
    for query in ('burst_credit_balance{job="application"}', 'system_cpu_usage{job="application"} * 100'):
        ours, theirs = (client.samples(query, since, now) for client in clients)
        assert ours.keys() == theirs.keys() == {"m1", "m2"}
        assert all(6 <= len(theirs[machine]) <= 10 for machine in theirs), theirs
        # the steps of its subqueries end at `now`, so that one of them may lie at the very beginning
        assert all(since - MILLISECOND <= at <= now + MILLISECOND for samples in theirs.values() for at, _ in samples)
    ours, theirs = (
        client.values('sum by (instance) (up{job="application"})', since, now, SCRAPE) for client in clients
    )
    assert ours.keys() == theirs.keys()
