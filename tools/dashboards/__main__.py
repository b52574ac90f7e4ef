"""``python -m tools.dashboards`` writes the dashboards; with ``--check`` it says which would change, and exits 1."""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Sequence
from pathlib import Path

from tools.dashboards import burst, itself, service
from tools.dashboards.build import build
from tools.dashboards.words import LANGUAGES, words

BOARDS = (service.BOARD, burst.BOARD, itself.BOARD)
FOLDER = Path(__file__).parents[2] / "src/bongsu/generate/dashboards"


def files() -> dict[Path, str]:
    """The text of every file, by its path."""
    return {
        FOLDER / language / f"{board.file}.json": build(
            board, words(language), [each for each in BOARDS if each != board]
        )
        for language in LANGUAGES
        for board in BOARDS
    }


def _say(*lines: str) -> None:
    sys.stderr.write("".join(f"{line}\n" for line in lines))


def main(arguments: Sequence[str] | None = None) -> int:
    """Write, or compare."""
    parser = argparse.ArgumentParser(prog="python -m tools.dashboards", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; say what differs, and exit 1 if anything")
    check = parser.parse_args(arguments).check
    different = 0
    for path, text in files().items():
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        if before == text:
            continue
        different += 1
        name = str(path.relative_to(FOLDER.parents[3]))
        if check:
            lines = before.splitlines(), text.splitlines()
            _say(*difflib.unified_diff(*lines, f"{name} (now)", name, lineterm="", n=1))
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            _say(f"wrote {name}")
    if check and different:
        _say(f"{different} dashboards differ from tools/dashboards; run: python -m tools.dashboards")
    return 1 if check and different else 0


if __name__ == "__main__":
    sys.exit(main())
