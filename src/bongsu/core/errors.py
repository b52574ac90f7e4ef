"""The errors a caller may act on; a class's docstring is its message unless one is given."""

from __future__ import annotations


class BongsuError(Exception):
    """Something went wrong."""

    def __init__(self, message: str = "") -> None:
        super().__init__(message or (type(self).__doc__ or "").strip())


class IllegalTransition(BongsuError):
    """This incident cannot take this event in its present status."""


class NotFound(BongsuError):
    """There is nothing by that name."""


class StillBreached(BongsuError):
    """The breach still holds, so the incident cannot be resolved by hand; snooze it instead."""


class Stale(BongsuError):
    """Somebody else changed the row meanwhile; load it again."""


class InvalidInput(BongsuError):
    """The input is not valid.

    ``problems`` holds every fault found, one sentence each: what, where, what to do next.
    """

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems
