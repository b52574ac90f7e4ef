"""Questions to a person, each with a flag in its place; where nobody can answer, all that is missing is said."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

import typer
from rich.console import Console
from rich.markup import escape

from bongsu.core.errors import InvalidInput

T = TypeVar("T")


@dataclass
class Asker:
    """Asks on the terminal. ``accept``: take every proposal unasked (--yes); ``problems``: what could not be asked."""

    console: Console
    accept: bool
    problems: list[str] = field(default_factory=list)

    @property
    def can_ask(self) -> bool:
        """Whether somebody is there to answer."""
        return not self.accept and sys.stdin.isatty()

    def say(self, text: str) -> None:
        """A line for the person, where there is one; markup is taken as it is."""
        if self.can_ask:
            self.console.print(text)

    def ask(
        self, flag: str, text: str, read: Callable[[str], T], *, given: str | None = None, proposal: str | None = None
    ) -> T | None:
        """The answer: ``given`` by the flag, else asked until ``read`` takes it, else the proposal.

        ``read`` raises InvalidInput with the reason, which is shown before the question comes again. None when there is
        no answer; then ``problems`` says why, and ``settle`` raises.
        """
        if given is not None:
            try:
                return read(given)
            except InvalidInput as error:
                if not self.can_ask:
                    self.problems += [f"{flag}: {problem}" for problem in error.problems]
                    return None
                self._refuse(error)
        if self.can_ask:
            return self._until_good(text, read, proposal)
        if self.accept and proposal is not None:
            return self.ask(flag, text, read, given=proposal)
        found = f"; found: {proposal} (--yes takes it)" if proposal is not None else ""
        self.problems.append(f"{flag} is missing: {text}{found}")
        return None

    def confirm(self, text: str, given: bool | None, *, otherwise: bool) -> bool:
        """Yes or no; ``otherwise`` where nobody can be asked."""
        if given is not None:
            return given
        return typer.confirm(text, default=True) if self.can_ask else otherwise

    def settle(self) -> None:
        """Go on only if every question has its answer. Raises InvalidInput that names every flag to add."""
        if not self.problems:
            return
        asked = [] if self.accept else ["there is no terminal to ask on: give these as flags, or run it on a terminal"]
        raise InvalidInput([*self.problems, *asked])

    def _until_good(self, text: str, read: Callable[[str], T], proposal: str | None) -> T:
        while True:
            answer = str(typer.prompt(text, default=proposal, show_default=bool(proposal), type=str))
            try:
                return read(answer)
            except InvalidInput as error:
                self._refuse(error)

    def _refuse(self, error: InvalidInput) -> None:
        for problem in error.problems:
            self.console.print(f"  [yellow]{escape(problem)}[/yellow]", highlight=False, soft_wrap=True)
