"""The lines that people copy from docs/watch-a-python-service.md, as far as they need what only the shop has."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "watch-a-python-service.md"
VISIT = "from fastapi.testclient import TestClient\nTestClient(app).get('/products/7')"


@pytest.mark.parametrize(
    ("mark", "after", "shown"),
    [
        ("from fastapi", VISIT, 'uri="/products/{id}"'),
        ("from psycopg_pool", "", 'hikaricp_connections_max{pool="shop"} 10.0'),
    ],
)
def test_the_lines_to_copy_work(mark: str, after: str, shown: str) -> None:
    (block,) = (each for each in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL) if mark in each)
    program = block.replace('host="0.0.0.0", port=9100', "port=0")
    program += f"\n{after}\nassert {shown!r} in instrument.exposition().decode()"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
