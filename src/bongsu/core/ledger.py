"""The balances of all machines of a service, column by column, so that a look at ten thousand costs next to nothing.

Every rule is in ``core/balance.py``, for one machine. What most machines do at most looks (one more sample, credits
left) is done here on the columns; all else goes through ``balance.take``, machine by machine.
``tests/core/test_ledger.py`` holds the one against the other.
"""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain, islice
from typing import Any, NamedTuple, Self

from bongsu.core.balance import BACK, GAP_MINUTES, REANCHOR, ROUNDING, Balance, Faults, agreed, anchor, take
from bongsu.core.breach import Point
from bongsu.core.burst import MachineType, Mode
from bongsu.core.credits import Credits
from bongsu.core.outlook import STEP_S, wanted
from bongsu.core.throttle import HELD_BACK

TRAIL = 36
"""For how many whole minutes it is known what was earned and spent: a provider's newest point may be half an hour old.
"""
ACCOUNTS = ("low", "high", "reckoned")
TIMES = ("at", "measured_at", "anchored_at")
_PARTS = {name: (name, *(f"{name}.{part}" for part in Credits._fields[1:])) for name in ACCOUNTS}
_BALANCE = tuple(chain.from_iterable(_PARTS.get(name, (name,)) for name in Balance._fields))
COLUMNS = (*_BALANCE, "wanted", "samples")
"""Those of Balance; an account has one for each of its figures, the first of which is what was earned. Then the sum of
what was wanted in the step of a Course that is running, and of how many samples. Times are seconds since 1970, and NaN
stands for None."""


class Step(NamedTuple):
    """What a machine wanted in the step of five minutes that ``at`` lies in: a sum, and of how many samples."""

    machine: str
    at: float
    wanted: float
    samples: float


@dataclass
class Look:
    """What a look's points have come to. ``points``: each with the balance that its account had then, where known.

    ``steps``: those that have ended; ``faults``: what was wrong with points, by machine.
    """

    points: list[Point]
    steps: list[Step] = field(default_factory=list)
    faults: dict[str, list[str]] = field(default_factory=dict)


class Ledger(Mapping[str, Balance]):
    """Balances by machine, and what each machine measured by a provider has earned and spent in the last half hour."""

    def __init__(self, names: Sequence[str] = (), columns: Sequence[bytes] = (), trail: Sequence[bytes] = ()) -> None:
        """What ``names``, ``columns`` and ``trail`` of another one gave; nothing at first."""
        self._rows = {name: row for row, name in enumerate(names)}
        self._columns = {
            name: array("d", column) for name, column in zip(COLUMNS, columns or [b""] * len(COLUMNS), strict=True)
        }
        self._trail = [array("d", column) for column in trail or [b""] * TRAIL]
        self.walked = False
        """Whether the trail has changed since."""

    @property
    def names(self) -> list[str]:
        """The machines, in the order of the figures in a column."""
        return list(self._rows)

    @property
    def columns(self) -> list[bytes]:
        """Their figures, eight bytes each, in the order of COLUMNS."""
        return [column.tobytes() for column in self._columns.values()]

    @property
    def trail(self) -> list[bytes]:
        """``net`` of each machine at the last TRAIL whole minutes, by minute modulo TRAIL."""
        return [column.tobytes() for column in self._trail]

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __getitem__(self, name: str) -> Balance:
        row = self._rows[name]
        return _balance([column[row] for column in self._columns.values()])

    def copy(self) -> Self:
        """One to change while this one stays as it is."""
        return type(self)(self.names, self.columns, self.trail)

    def forget(self, names: set[str]) -> None:
        """These machines are gone."""
        rows = [row for name, row in self._rows.items() if name not in names]
        self._rows = {name: row for row, name in enumerate(each for each in self._rows if each not in names)}
        self._columns = {name: array("d", [column[row] for row in rows]) for name, column in self._columns.items()}
        self._trail = [array("d", [column[row] for row in rows]) for column in self._trail]
        self.walked = True

    def put(self, name: str, balance: Balance) -> None:
        """Keep what is known of a machine now."""
        row = self._rows.setdefault(name, len(self._rows))
        if row == len(self._columns["at"]):
            for each in chain(self._columns.values(), self._trail):
                each.append(math.nan)
            self._columns["wanted"][row] = self._columns["samples"][row] = 0.0
            self.walked = True
        before, net = self._columns["at"][row], self._columns["net"][row]
        is_measured = not math.isnan(self._columns["measured_at"][row])
        for column, figure in zip(_BALANCE, _figures(balance), strict=True):
            self._columns[column][row] = figure
        if is_measured:
            self._walk(row, before, net)

    def running(self) -> Iterator[Step]:
        """Each machine's step that has not ended."""
        at, wanted_, samples = self._pick("at", "wanted", "samples")
        return map(Step, self._rows, at, wanted_, samples)

    def anchor(self, name: str, at: datetime, balance: float, machine: MachineType, faults: Faults) -> None:
        """Put a machine's accounts right by a measured balance; what was earned and spent since ``at`` is kept."""
        since = self._since(self._rows[name], at.timestamp() / 60)
        self.put(name, anchor(self[name], at, balance, machine, faults, since))

    def take(self, points: Sequence[Point], machine: MachineType, now: datetime) -> Look:
        """Take in points of any machines in any order, as ``balance.take`` does."""
        look = Look(list(points))
        rows = [self._rows.get(point.machine, -1) for point in points]
        times = [point.at.timestamp() for point in points]
        seen, ahead = self._columns["at"], (now + BACK).timestamp()
        fresh = [
            n
            for n, (row, then) in enumerate(zip(rows, times, strict=True))
            if row < 0 or then > seen[row] or seen[row] > ahead
        ]
        for n in sorted(self._ordinary(look, rows, times, fresh, machine, now), key=times.__getitem__):
            self._other(look, n, machine, now)
        return look

    def _ordinary(
        self,
        look: Look,
        rows: Sequence[int],
        times: Sequence[float],
        fresh: Sequence[int],
        machine: MachineType,
        now: datetime,
    ) -> list[int]:
        """Take in the one new point of each machine that has credits and goes on having some; tell which others are."""
        at, used, demand, steal, throttled = self._pick("at", "used", "demand", "steal", "throttled")
        high, low, reckoned, net, defied, measured = self._pick(
            "high", "low", "reckoned", "net", "defied", "measured_at"
        )
        earn, vcpus, cap, empty = machine.earn_per_minute, machine.vcpus, machine.cap, machine.empty_below
        near, present, most = agreed(machine), now.timestamp(), 1 + ROUNDING
        wants, samples = self._pick("wanted", "samples")
        special, others, unlimited = self._special(rows, fresh), list[int](), machine.mode is Mode.UNLIMITED
        for n in fresh:
            row, (moment, name, cpu, balance, held, stolen) = rows[n], look.points[n]
            if row in special or (balance is not None and not 0 <= balance <= cap):
                others.append(n)
                continue
            then, before, was = times[n], at[row], high[row]
            minutes = (then - before) / 60
            busy = cpu if cpu < 1.0 else 1.0
            got = busy if stolen is None else busy - stolen if stolen < busy else 0.0
            change = (earn - vcpus * ((used[row] + got) / 2)) * minutes
            moderate = 0 <= cpu <= most and 0 < minutes <= GAP_MINUTES and then <= present
            late = balance is not None and measured[row] >= then
            owes = unlimited and (low[row] + change < 0 or reckoned[row] + change < 0)
            if not moderate or was <= empty or was + change <= 0 or owes or late:
                others.append(n)
                continue
            at[row], used[row], demand[row], defied[row] = then, got, busy, 0.0
            steal[row] = math.nan if stolen is None else stolen
            throttled[row] = math.nan if held is None else held
            left = high[row] = was + change if was + change < cap else cap
            least = low[row] + change
            least = low[row] = 0.0 if least < 0.0 else least if least < cap else cap
            count = reckoned[row] + change
            reckoned[row] = 0.0 if count < 0.0 else cap if count > cap else count
            if measured[row] > 0:  # and thus a number
                net[row] += left - was
                if then // 60 > before // 60:
                    self._walk(row, before, net[row] - left + was)
            if balance is not None:
                left = least = self._anchor(row, then, balance)
            known = left - least <= near
            if known and not unlimited:
                look.points[n] = Point(moment, name, cpu, left, held, stolen)
            free = left > empty if known else (held or 0.0) <= HELD_BACK
            surely = free or (stolen or 0.0) > HELD_BACK
            if then // STEP_S > before // STEP_S:
                self._end_step(look, row, name, before)
            if surely or wanted(self[name], machine) is not None:
                wants[row] += busy
                samples[row] += 1
        return others

    def _special(self, rows: Sequence[int], fresh: Sequence[int]) -> set[int]:
        """Rows of machines that are new, have several points or launch credits, or owe something."""
        several = {row for row, count in Counter(map(rows.__getitem__, fresh)).items() if count > 1}
        for column in self._pick(*(f"{name}.{part}" for name in ACCOUNTS for part in ("launch", "surplus"))):
            if any(map((0.0).__lt__, column)):
                several.update(row for row, credits_ in enumerate(column) if credits_ > 0)
        return several | {-1}

    def _anchor(self, row: int, then: float, balance: float) -> float:
        """Put the accounts of an ordinary machine right by what was measured with its newest sample."""
        measured_at, anchored_at, residual = self._pick("measured_at", "anchored_at", "residual")
        accounts, reckoned = ["low", "high"], self._columns["reckoned"][row]
        if not math.isnan(reckoned):
            residual[row] = balance - reckoned
        if math.isnan(reckoned) or not then - anchored_at[row] < REANCHOR.total_seconds():  # nor if it never was
            anchored_at[row] = then
            accounts.append("reckoned")
        measured_at[row], billed = then, self._columns["high.charged"][row]
        for name in accounts:
            for column, figure in zip(_PARTS[name], (balance, 0.0, 0.0, billed), strict=True):
                self._columns[column][row] = figure
        return balance

    def _other(self, look: Look, n: int, machine: MachineType, now: datetime) -> None:
        """Take in any point."""
        point, faults = look.points[n], Faults()
        before = self.get(point.machine)
        after = take(before, point, machine, now, faults)
        if faults.counts:
            look.faults.setdefault(point.machine, []).extend(faults.told())
        if after is None or after is before:
            return
        self.put(point.machine, after)
        row, demand = self._rows[point.machine], wanted(after, machine)
        if before is not None and after.at.timestamp() // STEP_S > before.at.timestamp() // STEP_S:
            self._end_step(look, row, point.machine, before.at.timestamp())
        if demand is not None:
            self._columns["wanted"][row] += demand
            self._columns["samples"][row] += 1
        if machine.mode is Mode.STANDARD and after.known(machine):
            look.points[n] = point._replace(balance=after.credits)

    def _pick(self, *names: str) -> Iterator[array[float]]:
        return (self._columns[name] for name in names)

    def _end_step(self, look: Look, row: int, name: str, before: float) -> None:
        """The sample before was the last one of its step."""
        sums, samples = self._columns["wanted"], self._columns["samples"]
        look.steps.append(Step(name, before, sums[row], samples[row]))
        sums[row] = samples[row] = 0.0

    def _walk(self, row: int, before: float, net: float) -> None:
        """Go on to the newest sample from the one before it: within a stretch what is earned and spent is a line."""
        begin, end = before / 60, self._columns["at"][row] / 60
        last = math.floor(end)
        for minute in range(max(math.floor(begin), last - TRAIL) + 1, last + 1):
            share = (minute - begin) / (end - begin)
            self._trail[minute % TRAIL][row] = net + share * (self._columns["net"][row] - net)
            self.walked = True

    def _since(self, row: int, moment: float) -> float | None:
        """What was earned minus what was spent since a moment (minutes since 1970); None when that is not known."""
        end, net = self._columns["at"][row] / 60, self._columns["net"][row]
        minute, last = math.floor(moment), math.floor(end)
        if not last - TRAIL < minute <= last:
            return None
        begins = self._trail[minute % TRAIL][row]
        ends, lasts = (net, end - last) if minute == last else (self._trail[(minute + 1) % TRAIL][row], 1.0)
        then = begins + (moment - minute) / lasts * (ends - begins) if lasts else begins
        return None if math.isnan(then) else net - then


def _figures(balance: Balance) -> list[float]:
    """In the order of COLUMNS."""
    figures: list[float] = []
    value: Any
    for name, value in zip(Balance._fields, balance, strict=True):
        if name in ACCOUNTS:
            figures.extend((math.nan,) * len(Credits._fields) if value is None else value)
        elif name in TIMES:
            figures.append(math.nan if value is None else value.timestamp())
        else:
            figures.append(math.nan if value is None else value)
    return figures


def _balance(figures: Sequence[float]) -> Balance:
    """What ``_figures`` was given."""
    left, values = iter(figures), dict[str, Any]()
    for name in Balance._fields:
        figure = next(left)
        if name in ACCOUNTS:
            account = Credits(figure, *islice(left, len(Credits._fields) - 1))
            values[name] = None if math.isnan(figure) else account
        elif math.isnan(figure):
            values[name] = None
        else:
            values[name] = datetime.fromtimestamp(figure, UTC) if name in TIMES else figure
    values["gaps"] = int(values["gaps"])
    return Balance(**values)
