"""Passwords: argon2id, one at a time, so that many who log in do not eat the memory of a small machine."""

from __future__ import annotations

import functools
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argon2 import PasswordHasher

_ONE = threading.Lock()


def hashed(password: str) -> str:
    """What is kept of a password."""
    with _ONE:
        return _hasher().hash(password)


def fits(kept: str | None, password: str) -> bool:
    """Whether it is the password; for nobody (None) it takes as long, so that the time tells no names."""
    from argon2.exceptions import InvalidHashError, VerificationError

    with _ONE:
        try:
            return _hasher().verify(kept or _nobody(), password) and kept is not None
        except (VerificationError, InvalidHashError):
            return False


@functools.cache
def _hasher() -> PasswordHasher:
    from argon2 import PasswordHasher

    # 19 MiB, two passes: OWASP's least for argon2id; the library's own 64 MiB would be most of what we may use
    return PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)


@functools.cache
def _nobody() -> str:
    return _hasher().hash("nobody has this password")
