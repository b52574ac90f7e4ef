"""The auditor: looks for what should have happened and has not, in the store alone, and says so.

It trusts neither timers nor loops: it figures from policies and rows what should have been told and sent by now.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import timedelta

from bongsu.core.delivery import channel_of
from bongsu.core.health import KINDS, MESSAGE, OURSELVES, TOLERANCE, Late, late_timer, untold_tiers
from bongsu.core.incident import Incident
from bongsu.engine import selfalarm
from bongsu.engine.context import Context
from bongsu.engine.selfalarm import Alarm
from bongsu.render.notices import Notice
from bongsu.render.words import Words, number_of, text_of, time_of
from bongsu.store import heartbeats, incidents, outbox
from bongsu.store.outbox import Message
from bongsu.telemetry import LATE, OLDEST

log = logging.getLogger("bongsu.audit")
EVERY = timedelta(seconds=15)
LATE_NOW, LATE_OVER = "late", "late_over"


def audit(context: Context) -> tuple[Late, ...]:
    """Look once; what is late, the longest first, with times on the wall."""
    wall, now = context.wall.now(), context.clock.now()
    _prove_writable(context)
    tolerance = context.timescale.service_span(TOLERANCE)
    late: list[Late] = []
    for incident in context.db.read(incidents.every_open):
        late += _of(incident, context, tolerance)
    unsent, oldest = context.db.read(lambda tx: (outbox.overdue(tx, wall - TOLERANCE), outbox.oldest_due(tx, wall)))
    late += [Late(MESSAGE, each.incident_id or each.message_id, each.due_at) for each in unsent]
    found = tuple(sorted(late, key=lambda each: each.due))
    for kind in KINDS:
        LATE.labels(kind).set(sum(each.kind == kind for each in found))
    OLDEST.set((wall - oldest).total_seconds() if oldest is not None else 0)
    for each in set(found) - set(context.pulse.late):
        log.error("late", extra={"what": each.kind, "about": each.about, "level": each.level, "due": each.due})
    context.pulse.late, context.pulse.audited_at = found, wall
    if wall - context.started_at > TOLERANCE:  # before, what was due while nobody worked is only being caught up on
        _alarm(context, [each for each in found if each.kind != MESSAGE] + _our_fault(context, unsent))
    log.debug("audited", extra={"now": now, "late": len(found)})
    return found


def _prove_writable(context: Context) -> None:
    try:
        context.db.write(lambda tx: heartbeats.beat(tx, [OURSELVES], context.wall.now()))
    except Exception as error:
        context.pulse.unwritable = f"it cannot be written ({type(error).__name__})"
        raise
    context.pulse.unwritable = ""


def _of(incident: Incident, context: Context, tolerance: timedelta) -> list[Late]:
    now = context.clock.now()
    timer = late_timer(incident, now, tolerance)
    found = [*untold_tiers(incident, now, tolerance), *([timer] if timer else [])]
    return [replace(each, due=context.timescale.to_wall(each.due)) for each in found]


def _our_fault(context: Context, unsent: list[Message]) -> list[Late]:
    """Of a relay that is away people hear by an alarm of its own."""
    mine = [each for each in unsent if not context.relay.down or channel_of(each.recipient.address) is not None]
    return [Late(MESSAGE, each.incident_id or each.message_id, each.due_at) for each in mine]


def _alarm(context: Context, late: list[Late]) -> None:
    alarm = Alarm("late", LATE_NOW, LATE_OVER, selfalarm.everybody(context))
    if not late:
        selfalarm.put(context, alarm, None)
        return
    first = min(late, key=lambda each: each.due)
    selfalarm.put(context, alarm, first.due, f"{first.kind} {first.about}", {"count": len(late), "about": first.about})


def words_late(context: Context, message: Message, w: Words) -> Notice:
    """That something is late."""
    since, count = time_of(message.facts, "since"), int(number_of(message.facts, "count") or 1)
    when = w.time(since, near=message.decided_at) if since else "?"
    return Notice(
        subject=w.gettext("Bongsu is late: alarms may not reach you in time"),
        paragraphs=(
            w.gettext("Bongsu checks its own work, and found what should have been told by now and was not."),
            w.gettext("First: open the incidents and look at the services yourself. Then look whether Bongsu's server "
                      "and its database have enough CPU and disk, and read its log."),
        ),
        rows=(
            (w.gettext("Due since"), when),
            (w.gettext("Late"), str(count)),
            (w.gettext("First of them"), text_of(message.facts, "about")),
        ),
        button=(w.gettext("Open the incidents"), f"{context.public_url}/incidents"),
        grave=True,
    )  # fmt: skip


def words_over(_: Context, message: Message, w: Words) -> Notice:
    """That nothing is late any more."""
    since, until = time_of(message.facts, "since"), time_of(message.facts, "until")
    lasted = until - since if since and until else timedelta(0)
    return Notice(
        subject=w.gettext("Bongsu is on time again"),
        paragraphs=(w.gettext("It was late for %(time)s. What was due is told by now.", time=w.duration(lasted)),),
    )
