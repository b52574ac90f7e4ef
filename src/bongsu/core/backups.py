"""Backups of a service's database: what is known of each, and which may go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Backup:
    """``taken_at``: the moment of its data; ``lsn``: that place in the server's log; ``server``: its version's number.

    ``verified_at``: when it was last restored elsewhere and held; ``fault``: why it did not.
    """

    file: str
    database: str
    taken_at: datetime
    took: float
    size: int
    sha256: str
    server: int
    lsn: str
    rows: Mapping[str, int] = field(default_factory=dict)
    database_size: int = 0
    verified_at: datetime | None = None
    restored_in: float | None = None
    holding: tuple[int, int] | None = None
    fault: str | None = None

    @property
    def version(self) -> str:
        """The server's version as people say it."""
        return f"{self.server // 10_000}.{self.server % 10_000}"


def expired(backups: Sequence[Backup], now: datetime, keep: int, keep_for: timedelta) -> list[Backup]:
    """What may go: neither among the newest ``keep`` nor younger than ``keep_for``, nor the newest verified one."""
    newest = sorted(backups, key=lambda each: each.taken_at, reverse=True)
    last_good = next((each.file for each in newest if each.verified_at is not None), None)
    return [each for each in newest[keep:] if now - each.taken_at > keep_for and each.file != last_good]
