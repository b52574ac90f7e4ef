"""Heartbeats both ways: those that others owe us, and the one that says we are at work.

One that is owed and has not come twice in a row is an alarm, told once, and its end too. Ours goes out only while
nothing is wrong with Bongsu itself, so that whoever waits for it hears of a Bongsu that runs and does not work.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from bongsu.core.incident import Facts
from bongsu.engine import health
from bongsu.engine.context import Context
from bongsu.engine.selfalarm import Alarm, put
from bongsu.ports import Unavailable
from bongsu.render.notices import Notice
from bongsu.render.words import Words, number_of, text_of, time_of
from bongsu.store import heartbeats
from bongsu.store.outbox import Message
from bongsu.telemetry import BEAT_AGE, BEATS_OUT

log = logging.getLogger("bongsu.heartbeat")
EVERY = timedelta(seconds=1)
"""How often this is looked at."""
MISSES = 2
"""How many in a row must be missing: a sender's own rhythm is as long as what is expected of it."""
MISSING, BACK = "heartbeat_missing", "heartbeat_back"


@dataclass(frozen=True, slots=True)
class Pulse:
    """A heartbeat as it stands; ``heard_at`` None: never. Soon after a start it may be neither missing nor here."""

    name: str
    every: timedelta
    heard_at: datetime | None
    missing: bool
    here: bool


def beat(context: Context, names: Iterable[str]) -> None:
    """These are heard now; names that nobody waits for are nothing."""
    known = [name for name in names if name in context.heartbeats]
    if known:
        context.db.write(lambda tx: heartbeats.beat(tx, known, context.wall.now()))


def standing(context: Context) -> tuple[Pulse, ...]:
    """Every heartbeat that is owed. Before Bongsu started nobody could hear one, so that it counts from there."""
    heard, now = context.db.read(heartbeats.heard), context.wall.now()
    found = []
    for name, owed in sorted(context.heartbeats.items()):
        last = heard.get(name)
        since = max(last, context.started_at) if last is not None else context.started_at
        patience = MISSES * owed.every
        here = last is not None and now - last <= patience
        found.append(Pulse(name, owed.every, last, missing=now - since > patience, here=here))
    return tuple(found)


def look(context: Context) -> None:
    """Tell of those that are missing, and of those that are back."""
    for each in standing(context) if context.heartbeats else ():
        last = each.heard_at or context.started_at
        BEAT_AGE.labels(each.name).set((context.wall.now() - last).total_seconds())
        alarm = Alarm(f"heartbeat:{each.name}", MISSING, BACK, context.heartbeats[each.name].notify)
        facts: Facts = {"name": each.name, "every_s": each.every.total_seconds()}
        if each.missing or each.here:
            put(context, alarm, last if each.missing else None, f"no heartbeat {each.name}", facts)


def send(context: Context) -> bool | None:
    """Say that we are at work, if we are and it is time; None: not now, False: nobody took it."""
    out, pulse, now = context.heartbeat_out, context.pulse, context.wall.now()
    if out is None or (pulse.sent_at is not None and now - pulse.sent_at < out.every):
        return None
    wrong = health.look(context).complaints
    if wrong:
        BEATS_OUT.labels("withheld").inc()
        log.warning("heartbeat withheld", extra={"why": [each.what for each in wrong]})
        pulse.sent_at = now
        return None
    pulse.sent_at = now
    try:
        out.way.beat()
    except Unavailable as error:
        BEATS_OUT.labels("failed").inc()
        log.warning("heartbeat not taken", extra={"why": str(error)})
        return False
    BEATS_OUT.labels("sent").inc()
    return True


def words_missing(_: Context, message: Message, w: Words) -> Notice:
    """That a heartbeat is missing."""
    name, since = text_of(message.facts, "name"), time_of(message.facts, "since")
    every = w.duration(number_of(message.facts, "every_s") or 0)
    return Notice(
        subject=w.gettext("No heartbeat from %(name)s: Bongsu may be blind", name=name),
        paragraphs=(
            w.gettext("%(name)s should be heard every %(every)s and is silent. What it watches may be in trouble, and "
                      "its alerts would not come either.", name=name, every=every),
            w.gettext("First: look whether %(name)s runs and reaches Bongsu. Meanwhile, look at the services yourself.",
                      name=name),
        ),
        rows=((w.gettext("Last heard"), w.time(since, near=message.decided_at) if since else "?"),),
        grave=True,
    )  # fmt: skip


def words_back(_: Context, message: Message, w: Words) -> Notice:
    """That it is back."""
    name, since, until = (text_of(message.facts, "name"), *(time_of(message.facts, key) for key in ("since", "until")))
    lasted = until - since if since and until else timedelta(0)
    return Notice(
        subject=w.gettext("The heartbeat from %(name)s is back", name=name),
        paragraphs=(w.gettext("It was silent for %(time)s.", time=w.duration(lasted)),),
    )
