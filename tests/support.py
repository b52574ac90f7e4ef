"""Small things that tests of real parts need."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable
from typing import TypeVar

from bongsu.lab.loopback import is_free

Found = TypeVar("Found")
# Below the ports of the lab and those of outgoing connections, and begun elsewhere by each process: whoever listens a
# moment after asking finds the port still free.
_PORTS = itertools.cycle(range(10000, 20000))
_OURS = itertools.islice(_PORTS, os.getpid() * 1009 % 10000, None)


def wait_for(what: str, condition: Callable[[], Found], seconds: float = 30.0) -> Found:
    """Wait until a condition holds, and return what it found; say what was awaited when it does not."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"waited {seconds:g} s for {what}"
        time.sleep(0.02)
    return found


def free_port() -> int:
    """A loopback port that nobody listens on, and that no other test of this run is given."""
    return next(port for port in _OURS if is_free(port))
