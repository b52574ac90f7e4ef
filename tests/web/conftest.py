"""One server for the tests of a file."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.web.serving import Server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A running server on SQLite."""
    running = Server(tmp_path_factory.mktemp("serve"))
    yield running
    running.process.terminate()
    assert running.process.wait(10) == 0, "it ends in good order"
