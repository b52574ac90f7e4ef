"""The outgoing heartbeat: one GET of an address that waits for it, such as a check of Healthchecks.

The address is a secret: read from its file every time, never logged, and never part of an error.
"""

from __future__ import annotations

from pathlib import Path

import urllib3

from bongsu.ports import Unavailable


class Ping:
    """One address."""

    def __init__(self, url_file: Path, timeout: float) -> None:
        self._url_file = url_file
        self._pool = urllib3.PoolManager(timeout=urllib3.Timeout(total=timeout), retries=False)

    def beat(self) -> None:
        """Ask it once. Raises Unavailable."""
        try:
            url = self._url_file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise Unavailable(f"heartbeat_out.url_file: {self._url_file} cannot be read ({error})") from None
        where = f"the address in {self._url_file}"
        try:
            answer = self._pool.request("GET", url)
        except (urllib3.exceptions.HTTPError, ValueError) as error:  # its text would name the address
            raise Unavailable(f"{where} does not answer ({type(error).__name__})") from None
        if not 200 <= answer.status < 300:
            raise Unavailable(f"{where} answers {answer.status}")
