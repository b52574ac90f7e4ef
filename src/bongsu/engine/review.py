"""The regular review: its agenda, the invitation before it, and closing what was dealt with."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from bongsu.core import escalation
from bongsu.core.alarms import Outcome, idle
from bongsu.core.drill import Drilled
from bongsu.core.followup import Edition, matches
from bongsu.core.incident import Facts, Incident
from bongsu.core.report import Report
from bongsu.core.review import Agenda, Meeting, agenda
from bongsu.engine import notice
from bongsu.engine.apply import apply
from bongsu.engine.context import Context
from bongsu.render import followup as render
from bongsu.render.notices import Notice
from bongsu.render.words import Words
from bongsu.store import editions, incidents, items, outbox, reports
from bongsu.store.database import Transaction
from bongsu.store.outbox import Message


def collect(context: Context, meeting: Meeting) -> Agenda:
    """The agenda as it stands now, over the time since the last meeting."""
    drills = context.drills()
    return context.db.read(lambda tx: _agenda(tx, context, meeting, context.clock.now(), drills))


def invite(context: Context, meeting: Meeting) -> int:
    """Mail the agenda once, ``notice`` before the meeting, unless there is nothing on it; to how many addresses."""
    now = context.clock.now()
    at = meeting.next(now)
    if at - now > meeting.notice or not meeting.invite:
        return 0
    key = f"{at:%Y%m%d}"
    if context.db.read(lambda tx: outbox.recipients_of(tx, f"<review.{key}.")):
        return 0
    drills = context.drills()
    to = {each.address: each for target in meeting.invite for each in context.directory.resolve(target, now)}

    def job(tx: Transaction) -> int:
        found = _agenda(tx, context, meeting, now, drills)
        if found.empty:
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
            "false_alarms": len(found.false_alarms),
            "missed_alarms": len(found.missed_alarms),
            "drills": len(found.drills),
            "drills_not_passed": sum(not each.passed for each in found.drills),
        }
        return notice.put(tx, context, "review", key, to.values(), facts, now)

    return context.db.write(job)


def close(context: Context, incident_ids: Sequence[str], by: str) -> list[Incident]:
    """Take incidents off the agenda. Raises NotFound or IllegalTransition; then none of them is."""
    now = context.clock.now()
    done = escalation.Reviewed(by)
    return context.db.write(lambda tx: [apply(tx, context, each, done, now) for each in incident_ids])


def lessons(context: Context, words: Sequence[str], tags: Sequence[str]) -> list[Edition]:
    """Reports in which all of these words and tags stand, the one written last coming first."""
    return [each for each in context.db.read(editions.newest) if matches(each, words, tags)]


def _agenda(
    tx: Transaction, context: Context, meeting: Meeting, now: datetime, drills: tuple[Drilled, ...]
) -> Agenda:  # fmt: skip
    known = incidents.search(tx, limit=5000)
    recent = [each for each in known if each.opened_at >= now - meeting.every]
    kept = [reports.load(tx, each.id) for each in recent if idle(each)]
    return agenda(
        known,
        items.waiting(tx),
        editions.approved(tx),
        until=now,
        span=meeting.every,
        today=now.astimezone(context.directory.zone).date(),
        outcomes={each.incident_id: _outcome(each) for each in kept if each is not None},
        mailed=outbox.warned(tx, [each.id for each in recent]),
        drills=drills,
    )


def _outcome(report: Report) -> Outcome:
    measured = report.measured
    return Outcome(bool(report.actions), None if measured is None else measured.traffic.impact.affected.upper)


def review_notice(context: Context, message: Message, w: Words) -> Notice:
    """The words of the invitation."""
    return render.review_notice(message, w, f"{context.public_url}/review?lang={w.locale}")
