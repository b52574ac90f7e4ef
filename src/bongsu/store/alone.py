"""One process alone on a SQLite database: a lock beside the file, held by the kernel for as long as we live."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import TextIO

from bongsu.core.errors import BongsuError


class InUse(BongsuError):
    """Another Bongsu uses this database."""


def claim(database: Path) -> TextIO:
    """Lock a database until the returned file is closed. Raises InUse, with the process that holds it."""
    lock = Path(f"{database}.lock").open("a+", encoding="utf-8")  # noqa: SIM115 - held by the caller
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.seek(0)
        holder = lock.read().strip() or "unknown"
        lock.close()
        raise InUse(f"{database} is in use by process {holder}; stop it, or name another store.url") from None
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
    return lock
