"""What an error looks like to the person who caused it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from bongsu.core.errors import BongsuError, InvalidInput


@contextmanager
def told() -> Iterator[None]:
    """An error is a sentence on stderr and exit code 2 for bad input, 1 otherwise."""
    try:
        yield
    except InvalidInput as error:
        _say(*error.problems)
        sys.exit(2)
    except BongsuError as error:
        _say(str(error))
        sys.exit(1)


def _say(*problems: str) -> None:
    from rich.console import Console
    from rich.markup import escape

    for problem in problems:
        Console(stderr=True).print(f"[red]error:[/red] {escape(problem)}", highlight=False, soft_wrap=True)
