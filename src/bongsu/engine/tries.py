"""How often logging in failed lately, so that nobody guesses a password by trying."""

from __future__ import annotations

import threading
from collections import OrderedDict
from datetime import datetime, timedelta

from bongsu.core.access import PER_ADDRESS, PER_USER, Limit, neighbourhood
from bongsu.core.errors import BongsuError

_REMEMBERED = 10_000


class TooManyTries(BongsuError):
    """Too many tries failed. ``wait``: when the next one counts."""

    def __init__(self, wait: timedelta) -> None:
        super().__init__(f"Too many tries failed; wait {wait.total_seconds() / 60:.0f} minutes.")
        self.wait = wait


class Failures:
    """When logging in failed lately, by user and by address. Of a flood of addresses the latest are remembered."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._of: OrderedDict[tuple[str, str], list[datetime]] = OrderedDict()

    def begin(self, name: str, address: str, now: datetime) -> None:
        """Count a try as failed until it succeeds, so that many at once do not slip through. Raises TooManyTries."""
        keys: list[tuple[tuple[str, str], Limit]] = [
            (("user", name[:64]), PER_USER), (("address", neighbourhood(address)), PER_ADDRESS),
        ]  # fmt: skip
        with self._lock:
            wait = max(limit.wait(self._of.get(key, []), now) for key, limit in keys)
            if wait > timedelta(0):
                raise TooManyTries(wait)
            for key, limit in keys:
                recent = [at for at in self._of.pop(key, []) if now - at < limit.within]
                self._of[key] = [*recent, now]
            while len(self._of) > _REMEMBERED:
                self._of.popitem(last=False)

    def succeeded(self, name: str, address: str, at: datetime) -> None:
        """The try begun at a time was none; the failures before it stay those of its address."""
        with self._lock:
            self._of.pop(("user", name[:64]), None)
            of_address = self._of.get(("address", neighbourhood(address)), [])
            if at in of_address:
                of_address.remove(at)
