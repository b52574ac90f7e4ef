"""What the engine has in memory between two transactions: alerts on their way to disk or there, and what they touch."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bongsu.core.alert import Alert
from bongsu.core.breach import Point
from bongsu.core.health import Late
from bongsu.core.routing import Destination
from bongsu.store.alerts import Row8
from bongsu.store.outages import Outage
from bongsu.store.outbox import Message

TRACED = 30
"""Minutes of service time that a trace goes back."""
LATELY = timedelta(seconds=1)
"""For how long after a decision the next alerts of the same destination wait for others."""
_MOST = 200_000
_AT_ONCE = 512
"""Alerts from which on a transaction is large enough: more of them would only make others wait."""


Mark = tuple[int, int, datetime, datetime, datetime]
"""Hashes of an alert's labels and of its texts, when it starts and ends, and when it came."""


class Known:
    """Alerts that lie on disk, so that one that is only sent again is not written again.

    An alert is written again when what it says changes, when it ends, and when less than half of the time that it asks
    for would be left on disk. ``trust``: for how long the memory holds where another process may write too; None when
    nobody else does.
    """

    def __init__(self, trust: timedelta | None = None) -> None:
        self._trust = trust
        self._marks: dict[int, Mark] = {}

    def missing(self, alert: Alert, identity: bytes, now: datetime) -> Mark | None:
        """What to remember of an alert once it is on disk; None when the disk is right without it.

        ``identity``: that of its labels.

        It holds hashes instead of texts, to stay small: an alert would be taken for another one if both of them were
        the same, 128 bits that nobody outside can aim at.
        """
        labels = hash(identity)
        texts = hash((alert.generator_url, *alert.annotations.items()))
        starts, ends = alert.starts_at, alert.ends_at
        mark = labels, texts, starts, ends, now
        known = self._marks.get(labels)
        if known is None:
            return mark
        _, known_texts, known_starts, known_ends, written = known
        if known_texts != texts or known_starts != starts or ends <= now or known_ends > ends:
            return mark
        if self._trust is not None and now - written > self._trust:
            return mark
        return mark if 2 * (known_ends - now) < ends - now else None

    def written(self, marks: Sequence[Mark]) -> None:
        """These are on disk now, but for those that came before what is known already."""
        if len(self._marks) + len(marks) > _MOST:
            self._marks.clear()
        known = self._marks
        for mark in marks:
            before = known.get(mark[0])
            if before is None or before[4] <= mark[4]:
                known[mark[0]] = mark


There = Callable[[Callable[[], None]], object]


@dataclass(frozen=True, slots=True)
class Arrival:
    """Rows and heartbeats on their way to disk; ``done`` is called once they are there, or with the error.

    ``count``: how many alerts came, those included that need not be written. ``there``: calls something in the thread
    that waits.
    """

    count: int
    rows: Sequence[Row8]
    marks: Sequence[Mark]
    touched: frozenset[Destination]
    done: Callable[[BaseException | None], None]
    there: There
    beats: frozenset[str] = frozenset()


class Arriving:
    """Arrivals that wait for the disk. Whoever keeps them takes many at once: one sync pays for all."""

    def __init__(self) -> None:
        self._waiting: queue.SimpleQueue[Arrival | None] = queue.SimpleQueue()

    def put(self, arrival: Arrival) -> None:
        """One more."""
        self._waiting.put(arrival)

    def wake(self) -> None:
        """Let one who waits in ``take`` go on without an arrival."""
        self._waiting.put(None)

    def take(self) -> list[Arrival]:
        """Wait for an arrival, and take it with those that have come meanwhile."""
        taken: list[Arrival] = []
        size = 0
        each = self._waiting.get()
        with suppress(queue.Empty):
            while each is not None:
                taken.append(each)
                size += len(each.rows)
                if size >= _AT_ONCE:
                    break
                each = self._waiting.get_nowait()
        return taken


class Touched:
    """Destinations whose alerts changed and that nobody has looked at yet; ``due`` is set while there are any."""

    def __init__(self) -> None:
        self.due = threading.Event()
        self._guard = threading.Lock()
        self._waiting: set[Destination] = set()
        self._decided: dict[Destination, datetime] = {}
        self._before: dict[Destination, datetime] = {}
        self._turned: datetime | None = None
        """When what was decided on since then began to be kept apart from what came before."""
        self._looked_at: datetime | None = None

    def look(self, now: datetime) -> datetime | None:
        """Everything is looked through now; when that was done before, None if never."""
        before, self._looked_at = self._looked_at, now
        return before

    @property
    def waiting(self) -> bool:
        """Whether some wait."""
        return bool(self._waiting)

    def add(self, destinations: Iterable[Destination]) -> None:
        """Some changed."""
        with self._guard:
            self._waiting |= set(destinations)
        if self._waiting:
            self.due.set()

    def take(self) -> set[Destination]:
        """All that wait; they wait no longer."""
        with self._guard:
            taken, self._waiting = self._waiting, set()
            self.due.clear()
        return taken

    def decided(self, destinations: Iterable[Destination], now: datetime) -> None:
        """They are being decided on."""
        with self._guard:
            if self._turned is None or now - self._turned > LATELY:  # both halves together reach back far enough
                self._before, self._decided, self._turned = self._decided, {}, now
            for each in destinations:
                self._decided[each] = now

    def lately(self, destinations: Iterable[Destination], now: datetime) -> bool:
        """Whether one of them was decided on a moment ago: in a storm once for many alerts will do."""
        with self._guard:
            last = [self._decided.get(to) or self._before.get(to) for to in destinations]
        return any(at is not None and now - at < LATELY for at in last)


class Traces:
    """The highest CPU of each service's machines, minute by minute, so that a mail can draw where it comes from.

    In memory alone: after a restart the line is short at first, which says less and nothing wrong.
    """

    def __init__(self) -> None:
        self._minutes: dict[str, dict[int, float]] = {}

    def add(self, service: str, points: Iterable[Point]) -> None:
        """What a look brought."""
        minutes = self._minutes.setdefault(service, {})
        for point in points:
            minute = int(point.at.timestamp()) // 60
            minutes[minute] = max(point.cpu, minutes.get(minute, 0.0))
        for old in sorted(minutes)[:-TRACED]:
            del minutes[old]

    def of(self, service: str) -> str:
        """Whole per cents with a space between, up to the newest minute; "-" where nothing is known."""
        minutes = self._minutes.get(service, {})
        if len(minutes) < 2:
            return ""
        last = max(minutes)
        begin = max(min(minutes), last - TRACED + 1)
        known = (minutes.get(minute) for minute in range(begin, last + 1))
        return " ".join("-" if cpu is None else str(round(cpu * 100)) for cpu in known)


class Outgoing:
    """Hands messages that were just written straight to the senders, when there are any here: no claim, no search."""

    def __init__(self) -> None:
        self._take: Callable[[Sequence[Message]], None] | None = None
        self._prepare: Callable[[Sequence[Message]], None] | None = None
        self._room: Callable[[], bool] = bool

    def open(
        self,
        take: Callable[[Sequence[Message]], None],
        room: Callable[[], bool],
        prepare: Callable[[Sequence[Message]], None],
    ) -> None:
        """From now on ``take`` gets them while there is ``room``; ``prepare`` sees them before the commit."""
        self._take, self._room, self._prepare = take, room, prepare

    def close(self) -> None:
        """Nobody sends here any more."""
        self._take = None

    @property
    def wants(self) -> bool:
        """Whether a message should be written as claimed already."""
        return self._take is not None and self._room()

    def prepare(self, messages: Sequence[Message]) -> None:
        """They are about to be committed, or not: nothing may leave the house yet."""
        if self._prepare is not None:
            self._prepare(messages)

    def hand(self, messages: Sequence[Message]) -> None:
        """They are committed; once nobody sends here their lease runs out, and they are claimed like any other."""
        if self._take is not None:
            self._take(messages)


@dataclass
class Pulse:
    """What Bongsu knows of its own work, in wall time: when it last looked, audited, and sent its heartbeat.

    ``late`` is what the last audit found; ``ahead`` is how far this computer's clock is ahead of others';
    ``unwritable`` says why the last audit could not write.
    """

    looked_at: datetime | None = None
    audited_at: datetime | None = None
    sent_at: datetime | None = None
    late: tuple[Late, ...] = ()
    ahead: Mapping[str, timedelta] = field(default_factory=dict)
    unwritable: str = ""


@dataclass
class RelayState:
    """What is known of the mail relay. ``outage`` is the running one, None while mail goes out.

    ``loaded``: whether the database was asked for one that began before this process did.
    """

    outage: Outage | None = None
    loaded: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def down(self) -> bool:
        """Whether no mail is to be tried."""
        return self.outage is not None
