"""What is remembered of machines' demand and forecasts; in memory alone, for the metrics store has it as well."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from datetime import datetime

from bongsu.core.effort import Effort
from bongsu.core.ledger import Step
from bongsu.core.outlook import Course, Outlook

MOST_FAULTS = 8


class Courses:
    """By service and machine."""

    def __init__(self) -> None:
        self.outlooks: dict[tuple[str, str], Outlook] = {}
        self._courses: dict[tuple[str, str], Course] = {}
        self._faults: dict[tuple[str, str], dict[str, None]] = {}
        self._efforts: dict[tuple[str, str], Effort] = {}
        self._learnt: dict[str, datetime] = {}
        self._begun: set[str] = set()
        self._guard = threading.Lock()

    def of(self, service: str, machine: str) -> Course:
        """A machine's course, a fresh one at first."""
        known = self._courses.get((service, machine))
        if known is not None:
            return known
        with self._guard:
            return self._courses.setdefault((service, machine), Course())

    def know(self, service: str, steps: Iterable[Step]) -> None:
        """What machines wanted in steps that have ended, or are running."""
        for machine, at, wanted, samples in steps:
            self.of(service, machine).know(at, wanted, samples)

    def effort(self, service: str, machine: str) -> Effort:
        """What a machine's requests cost it."""
        with self._guard:
            return self._efforts.setdefault((service, machine), Effort())

    def learnt(self, service: str) -> datetime | None:
        """Up to when the requests of a service were asked for."""
        return self._learnt.get(service)

    def has_learnt(self, service: str, until: datetime) -> None:
        """They were asked for up to then."""
        self._learnt[service] = until

    def begin(self, service: str) -> bool:
        """Whether the past of this service was not asked for yet; from now on it was."""
        with self._guard:
            new = service not in self._begun
            self._begun.add(service)
            return new

    def again(self, service: str) -> None:
        """The past could not be had; ask again."""
        with self._guard:
            self._begun.discard(service)

    def fault(self, service: str, machine: str, faults: Iterable[str]) -> None:
        """What was wrong with points, the newest last."""
        for each in faults:
            mine = self._faults.setdefault((service, machine), {})
            mine.pop(each, None)
            mine[each] = None
            while len(mine) > MOST_FAULTS:
                del mine[next(iter(mine))]

    def problems(self, service: str, machine: str) -> tuple[str, ...]:
        """What was wrong since the start."""
        return tuple(self._faults.get((service, machine), ()))

    def forget(self, service: str, machine: str) -> None:
        """A machine is gone."""
        with self._guard:
            for kept in (self.outlooks, self._courses, self._faults, self._efforts):
                kept.pop((service, machine), None)
