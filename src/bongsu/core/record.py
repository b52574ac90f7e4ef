"""What a machine's own record says of its forecasts: probabilities put right, and the level at which to warn.

Both learn only from outcomes that are known by then. Standard library alone.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Mapping
from dataclasses import dataclass, field

EDGES = (0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.97)
"""Bins of what was said."""
TOO_SMALL = 0.005
"""Probabilities below this are left as they are: almost all are, and nearly all of them are right."""
SAME_MOMENT = 1 / 6
"""How much one forecast counts: six in a row, half an hour, are about one moment."""
STRENGTH = 20.0
"""How many moments of its own a machine needs until its record counts as much as what was said."""
NUISANCE_HOURS = 2.0
"""Hours a week that an early warning may be on although the credits last more than two hours longer."""
NEAR = (30, 60)
"""Minutes: "soon" to the alarm. This, RECOVERED, STRENGTH and core.forecast.PRIOR are chosen by the bench."""
RECOVERED = 0.04
"""Share of the cap: credits that were gone are there again, and can run out anew, once the balance was above it."""
MOST_KEPT = 1000
MEMORY = 16 * 2016
"""Steps of five minutes; after them half of what was learnt is let go, so that a machine may change its ways."""
FIRST_LEVEL, LOWEST_LEVEL = 0.5, -3.0
"""Levels (log odds) before a machine has a record, and below which nobody is ever warned."""
NOTHING_NEW = -10.0
"""The score while the credits that were gone have not recovered: below every level."""


@dataclass(slots=True)
class Record:
    """Said and happened, for one machine and one lead; kept as two rows of counts."""

    said: list[float] = field(default_factory=lambda: [0.0] * (len(EDGES) + 1))
    happened: list[float] = field(default_factory=lambda: [0.0] * (len(EDGES) + 1))

    def learn(self, probability: float, exhausted: bool) -> None:
        """Take an outcome, once it is known."""
        if probability <= TOO_SMALL:
            return
        row = bisect.bisect_left(EDGES, probability)
        self.said[row] += SAME_MOMENT
        self.happened[row] += SAME_MOMENT * exhausted

    def corrected(self, probability: float, strength: float = STRENGTH) -> float:
        """The probability in the light of the record: what happened when the same was said; neighbours count half."""
        if probability <= TOO_SMALL:
            return probability
        row = bisect.bisect_left(EDGES, probability)
        said = happened = 0.0
        for each, weight in ((row - 1, 0.5), (row, 1.0), (row + 1, 0.5)):
            if 0 <= each < len(self.said):
                said += weight * self.said[each]
                happened += weight * self.happened[each]
        return (happened + strength * probability) / (said + strength)


def alarm_score(within: Mapping[int, float], recovered: bool = True, near: tuple[int, ...] = NEAR) -> float:
    """How much a warning is worth: log odds of "gone soon" (the mean over ``near``) against "lasts longer than two
    hours".

    ``within``: probability by minutes. That of 360 breaks ties. ``recovered``: whether the balance has been above
    RECOVERED since it was last gone. If not, the exhaustion is the one that everybody knows of, and an early warning of
    it comes too late.
    """
    if not recovered:
        return NOTHING_NEW
    soon = sum(within[minutes] for minutes in near) / len(near)
    return math.log(soon + 0.01 + 0.001 * within[360]) - math.log(1.02 - within[120])


@dataclass(slots=True)
class Level:
    """The score above which to warn, so that past false warnings would have taken ``hours`` a week.

    ``worst``: the highest scores at moments that turned out to be false, rising. ``seen``: steps whose outcome is
    known.
    """

    hours: float = NUISANCE_HOURS
    first: float = FIRST_LEVEL
    lowest: float = LOWEST_LEVEL
    worst: list[float] = field(default_factory=list)
    seen: int = 0

    def learn(self, score: float, false: bool) -> None:
        """Take an outcome, once it is known. ``false``: the credits lasted more than two hours longer."""
        self.seen += 1
        if self.seen > MEMORY:
            self.seen //= 2
            self.worst = self.worst[1::2]
        if not false:
            return
        bisect.insort(self.worst, score)
        if len(self.worst) > MOST_KEPT:
            del self.worst[0]

    @property
    def level(self) -> float:
        """Warn above this."""
        allowed = int(self.hours * 12 * self.seen / 2016)
        if len(self.worst) <= allowed:
            return self.first
        return max(self.lowest, self.worst[-1 - allowed])

    def warns(self, score: float) -> bool:
        """Whether to warn at this score."""
        return score > self.level
