"""What the fixtures give, for the signatures of the tests."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from bongsu_instrument import Instrument

App = Any
Serve = Callable[[App], AbstractContextManager[int]]
Wait = Callable[[str, Callable[[], object]], None]
Series = Callable[[Instrument], list[tuple[str, str, str, str]]]
