"""A folder of invariants: one SQL file each, and ``tables.toml`` with the rules of the tables."""

from __future__ import annotations

import tomllib
from collections import Counter
from pathlib import Path

from bongsu.core.errors import InvalidInput
from bongsu.core.recovery import Invariant, Rule, read_invariant, read_rules

RULES = "tables.toml"


def load_invariants(folder: Path) -> tuple[tuple[Invariant, ...], tuple[Rule, ...]]:
    """The invariants in the order of their files' names, and the rules. Raises InvalidInput with every fault."""
    files = sorted(folder.glob("*.sql")) if folder.is_dir() else []
    if not files:
        raise InvalidInput(
            [f"{folder}: no folder with invariants (*.sql); see docs/recover-data.md for how to write one"]
        )
    problems: list[str] = []
    invariants = []
    for file in files:
        try:
            invariants.append(read_invariant(str(file), file.read_text(encoding="utf-8")))
        except InvalidInput as error:
            problems += error.problems
        except (OSError, UnicodeDecodeError) as error:
            problems.append(f"{file}: cannot be read ({error})")
    twice = [name for name, count in Counter(each.name for each in invariants).items() if count > 1]
    problems += [f"{folder}: two invariants are called {name}; give each a name of its own" for name in twice]
    rules: tuple[Rule, ...] = ()
    if (folder / RULES).exists():
        try:
            rules = read_rules(str(folder / RULES), tomllib.loads((folder / RULES).read_text(encoding="utf-8")))
        except InvalidInput as error:
            problems += error.problems
        except (OSError, ValueError) as error:
            problems.append(f"{folder / RULES}: not valid TOML: {error}")
    if problems:
        raise InvalidInput(problems)
    return tuple(invariants), rules
