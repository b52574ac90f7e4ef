"""What a command waits for before it begins."""

from __future__ import annotations

import subprocess
import sys


def test_the_command_line_loads_no_heavy_library_for_a_command_that_does_not_need_it() -> None:
    look = "import sys, bongsu.cli.main; print(sorted({each.partition('.')[0] for each in sys.modules}))"
    loaded = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True).stdout
    for heavy in ("sqlalchemy", "psycopg", "numpy", "duckdb", "boto3", "apprise", "litestar", "jinja2"):
        assert f"'{heavy}'" not in loaded
