"""The audit log's line of whoever acts: written in the transaction of what they change, or not at all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from datetime import datetime

from bongsu.core.access import Via, Who
from bongsu.store import audit
from bongsu.store.audit import Line
from bongsu.store.database import ALONGSIDE, Transaction, after_commit

SECRET = frozenset({"csrf", "password", "again", "present", "token", "secret", "code"})
"""Fields that never reach the log, whoever sends them."""
_LONGEST, _MOST = 200, 20


@dataclass
class Act:
    """Somebody's request while it lasts. It is told once, however many transactions it takes."""

    line: Line
    told: bool = field(default=False)

    def write(self, tx: Transaction) -> None:
        """Write the line beside what changed."""
        if not self.told:
            audit.add(tx, self.line)
            after_commit(tx, self._committed)

    def _committed(self) -> None:
        self.told = True


_ACT: ContextVar[Act | None] = ContextVar("act", default=None)


def begin(act: Line | None) -> None:
    """From here on until this call ends, what is written is this act's; None: nobody's."""
    begun = None if act is None else Act(act)
    _ACT.set(begun)
    ALONGSIDE.set(None if begun is None else begun.write)


def tell(*, about: str = "", who: str = "", **facts: object) -> None:
    """Say more of the present act, before it writes: who it is after all, what it concerns, how it was before."""
    act = _ACT.get()
    if act is not None:
        line = act.line
        told = {**line.facts, **shown(facts)}
        act.line = replace(line, about=about or line.about, who=who or line.who, facts=told)


@contextmanager
def acting(who: str, what: str, about: str, now: datetime, **facts: object) -> Iterator[None]:
    """Somebody at this computer's terminal does something."""
    begin(Line(now, who, Via.COMMAND, "", what, about, shown(facts)))
    try:
        yield
    finally:
        begin(None)


def line_of(who: Who, address: str, what: str, about: str, facts: Mapping[str, object], now: datetime) -> Line:
    """The line of a request."""
    return Line(now, who.name, who.via, address, what, about, shown(facts))


def shown(facts: Mapping[str, object]) -> dict[str, object]:
    """What may stand in the log: no secrets, nothing long."""
    kept = [(str(key)[:_LONGEST], value) for key, value in facts.items() if str(key).lower() not in SECRET]
    return {key: _short(value) for key, value in kept[:_MOST] if value not in (None, "", [], {})}


def _short(value: object) -> object:
    if isinstance(value, bool | int | float):
        return value
    if isinstance(value, list | tuple) and len(value) <= _MOST:
        return [_short(each) for each in value]
    text = str(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
