"""The lines that people copy from docs/watch-a-python-service.md, each run as a program of its own."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "watch-a-python-service.md"
DJANGO = """
from django.conf import settings
from django.http import HttpResponse
from django.urls import path
import sys, types
urls = types.ModuleType("urls")
urls.urlpatterns = [path("products/<int:id>", lambda request, id: HttpResponse(str(id)))]
sys.modules["urls"] = urls
settings.configure(ROOT_URLCONF="urls", ALLOWED_HOSTS=["*"], SECRET_KEY="x")
"""
VISIT = """
from wsgiref.util import setup_testing_defaults
environ = {"PATH_INFO": "/products/7"}
setup_testing_defaults(environ)
body = application(environ, lambda *_: None)
list(body)
body.close()
"""
SHOWS = "assert %r in instrument.exposition().decode(), instrument.exposition().decode()"
AROUND = {
    "from flask": ("", "app.test_client().get('/products/7')", 'uri="/products/<int:id>"'),
    "from django": (DJANGO, VISIT, 'uri="/products/<int:id>"'),
    "def application": ("", VISIT, 'uri="/products/{id}"'),
    "from sqlalchemy": ("", "", 'hikaricp_connections_max{pool="shop"} 20.0'),
    "import structlog": ("", "structlog.get_logger().error('x')", 'logback_events_total{level="error"} 1.0'),
    "import Counter": ("", "orders.labels('paid').inc()", 'shop_orders_total{result="paid"} 1.0'),
}
"""What a block is known by: what comes before it, what happens then, and what its metrics show."""
ELSEWHERE = ("from fastapi", "from psycopg_pool")
"""Run by the shop's tests, where these are installed."""


def blocks() -> list[str]:
    return re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)


def test_every_block_is_run_by_somebody() -> None:
    for block in blocks():
        assert sum(mark in block for mark in (*AROUND, *ELSEWHERE)) == 1, block


@pytest.mark.parametrize("mark", AROUND)
def test_the_lines_to_copy_work(mark: str) -> None:
    before, after, shown = AROUND[mark]
    (block,) = (each for each in blocks() if mark in each)
    program = before + block.replace('host="0.0.0.0", port=9100', "port=0") + after + "\n" + SHOWS % shown
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
