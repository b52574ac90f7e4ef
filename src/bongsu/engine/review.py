"""The regular review: its agenda, the invitation before it, and closing what was dealt with."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from bongsu.core import escalation
from bongsu.core.followup import Edition, matches
from bongsu.core.incident import Facts, Incident
from bongsu.core.review import Agenda, Meeting, agenda
from bongsu.engine import notice
from bongsu.engine.apply import apply
from bongsu.engine.context import Context
from bongsu.render import followup as render
from bongsu.render.notices import Notice
from bongsu.render.words import Words
from bongsu.store import editions, incidents, items
from bongsu.store.database import Transaction
from bongsu.store.outbox import Message


def collect(context: Context, meeting: Meeting) -> Agenda:
    """The agenda as it stands now, over the time since the last meeting."""
    return context.db.read(lambda tx: _agenda(tx, context, meeting, context.clock.now()))


def invite(context: Context, meeting: Meeting) -> int:
    """Mail the agenda once, ``notice`` before the meeting, unless there is nothing on it; to how many addresses."""
    now = context.clock.now()
    at = meeting.next(now)
    if at - now > meeting.notice or not meeting.invite:
        return 0
    to = {each.address: each for target in meeting.invite for each in context.directory.resolve(target, now)}

    def job(tx: Transaction) -> int:
        found = _agenda(tx, context, meeting, now)
        if not (found.unreviewed or found.overdue or found.coming):
            return 0
        facts: Facts = {
            "at": at.isoformat(),
            "unreviewed": len(found.unreviewed),
            "undecided": found.undecided,
            "overdue": len(found.overdue),
            "coming": len(found.coming),
            "incidents": found.now.incidents,
            "before": found.before.incidents,
            "detect": found.now.detect,
            "acknowledge": found.now.acknowledge,
            "recover": found.now.recover,
        }
        return notice.put(tx, context, "review", f"{at:%Y%m%d}", to.values(), facts, now)

    return context.db.write(job)


def close(context: Context, incident_ids: Sequence[str], by: str) -> list[Incident]:
    """Take incidents off the agenda. Raises NotFound or IllegalTransition; then none of them is."""
    now = context.clock.now()
    done = escalation.Reviewed(by)
    return context.db.write(lambda tx: [apply(tx, context, each, done, now) for each in incident_ids])


def lessons(context: Context, words: Sequence[str], tags: Sequence[str]) -> list[Edition]:
    """Reports in which all of these words and tags stand, the one written last coming first."""
    return [each for each in context.db.read(editions.newest) if matches(each, words, tags)]


def _agenda(tx: Transaction, context: Context, meeting: Meeting, now: datetime) -> Agenda:
    return agenda(
        incidents.search(tx, limit=5000),
        items.waiting(tx),
        editions.approved(tx),
        until=now,
        span=meeting.every,
        today=now.astimezone(context.directory.zone).date(),
    )


def review_notice(context: Context, message: Message, w: Words) -> Notice:
    """The words of the invitation."""
    return render.review_notice(message, w, f"{context.public_url}/review?lang={w.locale}")
