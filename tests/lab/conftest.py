"""Fixtures of the lab's tests."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.labtools import nothing_left
from tests.support import wait_for


@pytest.fixture
def root() -> Iterator[Path]:
    """A lab's directory, short enough for a Unix socket; nothing may be left of the lab at the end."""
    path = Path(tempfile.mkdtemp(prefix="lab-", dir="/tmp"))
    path.rmdir()
    yield path
    wait_for("the lab to leave nothing behind", lambda: nothing_left(path))
    shutil.rmtree(path, ignore_errors=True)
