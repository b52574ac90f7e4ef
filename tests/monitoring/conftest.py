"""The environment that dashboards are proved against, for as long as the tests of this folder run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.monitoring.environment import Environment, running


@pytest.fixture(scope="package")
def environment() -> Iterator[Environment]:
    """The running shop, node exporter and Spring payloads, scraped by a real Prometheus for ten seconds and more."""
    with running() as started:
        yield started
