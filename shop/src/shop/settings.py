"""Settings from the environment. Everything that is wrong is told at once, with what to set."""

from __future__ import annotations

import logging
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict

LEVELS = {"trace": 5, "debug": logging.DEBUG, "info": logging.INFO, "warn": logging.WARNING, "error": logging.ERROR}
SHORTEST_KEY = 16
"""Bytes. A shorter key could be guessed, and users be found from their hashes."""


class BadSettings(Exception):
    """The environment does not hold what is needed; one sentence each in ``problems``."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Settings:
    """What one process of the shop needs to know."""

    database_url: str
    user_hash_key: bytes
    machine: str
    log_file: Path | None = None
    log_level: int = logging.INFO
    pool_size: int = 10
    pool_timeout: float = 3.0
    """Seconds that a request waits for a connection before it is answered with 503."""
    instrumented: bool = True
    """False: nothing is measured and the metrics port stays closed, to see what measuring costs."""


def read_settings(environ: Mapping[str, str]) -> Settings:
    """What ``serve`` needs. Raises BadSettings."""
    problems: list[str] = []
    url = _database_url(environ, problems)
    key = _hash_key(environ, problems)
    size = _number(environ, "SHOP_POOL_SIZE", 10, 1, 1000, problems)
    timeout = _number(environ, "SHOP_POOL_TIMEOUT", 3, 0.01, 600, problems)
    level = environ.get("SHOP_LOG_LEVEL", "info").lower()
    if level not in LEVELS:
        problems.append(f"SHOP_LOG_LEVEL is {level!r}: set it to one of {', '.join(LEVELS)}")
    log_file = Path(environ["SHOP_LOG_FILE"]) if environ.get("SHOP_LOG_FILE") else None
    if log_file is not None and not log_file.parent.is_dir():
        problems.append(f"SHOP_LOG_FILE is {str(log_file)!r}, but there is no folder {str(log_file.parent)!r}: make it")
    instrumented = environ.get("SHOP_INSTRUMENT") or "1"
    if instrumented not in ("0", "1"):
        problems.append(f"SHOP_INSTRUMENT is {instrumented!r}: set it to 1 (measure, the default) or 0")
    if problems:
        raise BadSettings(problems)
    return Settings(
        database_url=url,
        user_hash_key=key,
        machine=environ.get("SHOP_MACHINE") or socket.gethostname(),
        log_file=log_file,
        log_level=LEVELS[level],
        pool_size=int(size),
        pool_timeout=timeout,
        instrumented=instrumented == "1",
    )


def read_database_url(environ: Mapping[str, str]) -> str:
    """What ``migrate`` and ``seed`` need. Raises BadSettings."""
    problems: list[str] = []
    url = _database_url(environ, problems)
    if problems:
        raise BadSettings(problems)
    return url


def _database_url(environ: Mapping[str, str], problems: list[str]) -> str:
    url = environ.get("SHOP_DATABASE_URL", "")
    example = "postgresql://shop:PASSWORD@127.0.0.1:5432/shop"
    if not url:
        problems.append(f"SHOP_DATABASE_URL is missing: set it to the database's address, such as {example}")
        return ""
    try:
        conninfo_to_dict(url)
    except ProgrammingError:
        # The driver's own message would repeat the address, and with it the password.
        problems.append(f"SHOP_DATABASE_URL is not an address of PostgreSQL: set it to one such as {example}")
    return url


def _hash_key(environ: Mapping[str, str], problems: list[str]) -> bytes:
    name = environ.get("SHOP_USER_HASH_KEY_FILE", "")
    how = "make one with: openssl rand -hex 32 > user_hash_key"
    if not name:
        problems.append(
            "SHOP_USER_HASH_KEY_FILE is missing: set it to a file with the key, in hexadecimal digits, "
            f"by which users are hashed in the logs; {how}"
        )
        return b""
    try:
        key = bytes.fromhex(Path(name).read_text().strip())
    except OSError as error:
        problems.append(f"SHOP_USER_HASH_KEY_FILE is {name!r}, which cannot be read ({error.strerror}); {how}")
        return b""
    except ValueError:
        problems.append(f"SHOP_USER_HASH_KEY_FILE is {name!r}, which holds no hexadecimal digits; {how}")
        return b""
    if len(key) < SHORTEST_KEY:
        problems.append(
            f"SHOP_USER_HASH_KEY_FILE is {name!r}: the key has {len(key)} bytes, under {SHORTEST_KEY}; {how}"
        )
    return key


def _number(
    environ: Mapping[str, str], name: str, default: float, least: float, most: float, problems: list[str]
) -> float:
    text = environ.get(name) or str(default)
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not least <= number <= most:
        problems.append(f"{name} is {text!r}: set it to a number from {least:g} to {most:g}")
    return number
