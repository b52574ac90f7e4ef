"""Fixtures of the lab's tests."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.labtools import nothing_left
from tests.support import wait_for


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The lab's machines have CPU limits, and its load has a rhythm: nothing else may run meanwhile."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker("alone")


@pytest.fixture
def root() -> Iterator[Path]:
    """A lab's directory, deeper than a Unix address is long; nothing may be left of the lab at the end."""
    home = Path(tempfile.mkdtemp(prefix="lab-"))
    path = home / ("a-home-that-lies-deep-" * 5)
    yield path
    wait_for("the lab to leave nothing behind", lambda: nothing_left(path))
    shutil.rmtree(home, ignore_errors=True)
