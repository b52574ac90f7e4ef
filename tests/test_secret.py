"""Secrets appear whole or not at all, and belong to nobody else."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bongsu.bootstrap import secret
from bongsu.core.errors import BongsuError


def test_many_that_start_at_once_have_one_secret(tmp_path: Path) -> None:
    with ThreadPoolExecutor(16) as pool:
        found = set(pool.map(lambda _: secret(tmp_path / "secrets", "link_key"), range(64)))
    assert len(found) == 1
    assert [each.name for each in (tmp_path / "secrets").iterdir()] == ["link_key"]
    assert stat.S_IMODE((tmp_path / "secrets" / "link_key").stat().st_mode) == 0o600


def test_an_empty_secret_is_refused(tmp_path: Path) -> None:
    (tmp_path / "link_key").touch()
    with pytest.raises(BongsuError, match="is empty"):
        secret(tmp_path, "link_key")
