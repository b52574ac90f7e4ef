"""Which files an access log is made of: patterns in, readable files out, or what is wrong with each."""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence
from pathlib import Path

from bongsu.ports import Unavailable

_MAGIC = "*?["


def found(patterns: Sequence[Path], what: str = "access log") -> tuple[Path, ...]:
    """Every file that the patterns name, each once, in the order of names. Raises Unavailable with every fault."""
    files: dict[Path, None] = {}
    problems: list[str] = []
    for pattern in patterns:
        matched = _matching(pattern, what, problems)
        files.update(dict.fromkeys(matched))
    problems += [problem for file in files if (problem := _fault(file))]
    if problems:
        raise Unavailable("; ".join(problems))
    return tuple(files)


def _matching(pattern: Path, what: str, problems: list[str]) -> list[Path]:
    folder = pattern.parent
    while any(sign in str(folder) for sign in _MAGIC):
        folder = folder.parent
    if folder.exists() and not os.access(folder, os.R_OK | os.X_OK, effective_ids=True):
        problems.append(f"{folder}: no right to read this folder; give the user that runs Bongsu read and search right")
        return []
    if not any(sign in str(pattern) for sign in _MAGIC):
        matched = [pattern] if _exists(pattern) else []
    else:
        matched = [
            file
            for name in sorted(glob.glob(str(pattern), recursive=True))  # noqa: PTH207 - an absolute pattern
            if (file := Path(name)).is_file()
        ]
    if not matched:
        problems.append(f"there is no {what} at {pattern}; look at access_log and shop_log of the service")
    return matched


def _exists(file: Path) -> bool:
    try:
        return file.is_file()
    except PermissionError:
        return True  # the fault is told when it is opened


def _fault(file: Path) -> str | None:
    try:
        with file.open("rb") as opened:
            opened.read(1)
    except PermissionError:
        return f"{file}: no right to read it; give the user that runs Bongsu read right"
    except OSError as error:
        return f"{file}: cannot be read ({error.strerror})"
    return None
