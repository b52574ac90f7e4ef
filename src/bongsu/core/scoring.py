"""How a machine's forecasts have done so far: what was said waits until its outcome is known, then counts.

An outcome is known when the balance was seen empty, or when the lead has passed. Standard library alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bongsu.core.record import RECOVERED, Level, Record, alarm_score

SHOWN = (30, 60, 360)
"""Minutes whose probabilities are shown and scored."""
LEARNT = (30, 60, 120, 360)
"""Minutes that a record is kept for: those the early warning asks."""
BEYOND = timedelta(minutes=120)
"""A warning was in vain when the credits lasted longer than this."""


@dataclass(frozen=True, slots=True)
class Said:
    """A forecast whose outcome is not known yet: probabilities by minutes, as they came and as they were shown.

    ``recovered``: what the score said of it then.
    """

    at: datetime
    raw: Mapping[int, float]
    shown: Mapping[int, float]
    recovered: bool = True


@dataclass(slots=True)
class Tally:
    """Outcomes of one lead. ``missed``: the sum of squared misses (Brier)."""

    number: int = 0
    said: float = 0.0
    happened: int = 0
    missed: float = 0.0

    def learn(self, probability: float, exhausted: bool) -> None:
        """Take an outcome."""
        self.number += 1
        self.said += probability
        self.happened += exhausted
        self.missed += (probability - exhausted) ** 2

    @property
    def skill(self) -> float | None:
        """Against always saying how often it happens; None while everything or nothing happened."""
        if not 0 < self.happened < self.number:
            return None
        often = self.happened / self.number
        return 1 - self.missed / self.number / (often * (1 - often))


@dataclass(slots=True)
class Score:
    """A machine's own record. ``emptied_at``: when it was last seen to run empty; ``recovered``: whether the balance
    has been above RECOVERED since.
    """

    waiting: list[Said] = field(default_factory=list)
    emptied_at: datetime | None = None
    recovered: bool = True
    records: dict[int, Record] = field(default_factory=lambda: {minutes: Record() for minutes in LEARNT})
    tallies: dict[int, Tally] = field(default_factory=lambda: {minutes: Tally() for minutes in SHOWN})
    level: Level = field(default_factory=Level)

    def say(self, at: datetime, raw: Mapping[int, float]) -> dict[int, float]:
        """Put a forecast right by the record, remember it, and return what is to be shown."""
        shown = {minutes: self.records[minutes].corrected(raw[minutes]) for minutes in LEARNT}
        self.waiting.append(Said(at, dict(raw), shown, self.recovered))
        return shown

    def warns(self, shown: Mapping[int, float]) -> bool:
        """Whether what is shown deserves a warning, by what past warnings were worth."""
        return self.level.warns(alarm_score(shown, self.recovered))

    def learn(self, now: datetime, empty: bool, share: float = 1.0) -> None:
        """Settle what is known by ``now``. Forecasts of a machine that was empty already are never remembered.

        ``share``: the balance as a share of the cap.
        """
        self.recovered = not empty and (self.recovered or share > RECOVERED)
        if empty:
            for said in self.waiting:
                self._settle(said, now - said.at)
            self.waiting.clear()
            self.emptied_at = now
            return
        longest = timedelta(minutes=max(LEARNT))
        over = [said for said in self.waiting if now - said.at > longest]
        for said in over:
            self._settle(said, None)
        self.waiting = self.waiting[len(over) :]

    def _settle(self, said: Said, lasted: timedelta | None) -> None:
        for minutes in LEARNT:
            gone = lasted is not None and lasted <= timedelta(minutes=minutes)
            self.records[minutes].learn(said.raw[minutes], gone)
            if minutes in self.tallies:
                self.tallies[minutes].learn(said.shown[minutes], gone)
        self.level.learn(alarm_score(said.shown, said.recovered), lasted is None or lasted > BEYOND)
