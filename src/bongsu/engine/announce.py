"""Tell the owner and the on-call when a silence or a maintenance begins and ends, each once.

Nothing is remembered but the outbox: a notice has one Message-ID, and one that is there already is not written again.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from bongsu.core.incident import MAINTENANCE, SILENCE, Facts
from bongsu.core.maintenance import Maintenance
from bongsu.core.muting import services_of
from bongsu.core.schedule import Directory, Recipient
from bongsu.core.silence import Silence, State
from bongsu.engine import notice, people
from bongsu.engine.context import Context
from bongsu.render.notices import Notice
from bongsu.render.quiet import waited
from bongsu.render.words import Words, text_of, time_of
from bongsu.store import maintenances, silences
from bongsu.store.database import Transaction
from bongsu.store.outbox import Message

KIND = "muting"
LATE = timedelta(days=1)
"""An end that was missed for longer than this is no news any more."""


def announce(context: Context) -> None:
    """Write the notices of whatever has begun or ended."""
    now = context.clock.now()
    quiet, windows = context.db.read(lambda tx: (silences.since(tx, now - LATE), maintenances.since(tx, now - LATE)))
    if quiet or windows:
        context.db.write(lambda tx: _announce(tx, context, quiet, windows, now))


def _announce(
    tx: Transaction, context: Context, quiet: Iterable[Silence], windows: Iterable[Maintenance], now: datetime
) -> None:
    for silence in quiet:
        services = services_of(silence.matchers, context.services)
        facts: Facts = {
            "cause": SILENCE, "what": ", ".join(map(str, silence.matchers)), "by": silence.created_by,
            "why": silence.comment, "until": silence.ends_at.isoformat(),
        }  # fmt: skip
        if silence.starts_at < silence.ends_at:
            _put(tx, context, silence.id, silence.state(now), services, facts, now)
    for window in windows:
        facts = {
            "cause": MAINTENANCE, "what": f"{window.service}/{window.policy}" if window.policy else window.service,
            "by": window.by, "why": window.why, "until": window.ends_at.isoformat(), "also": ", ".join(window.also),
        }  # fmt: skip
        if window.ran:
            _put(tx, context, window.id, window.state(now), (window.service,), facts, now)


def _put(
    tx: Transaction, context: Context, key: str, state: State, services: Iterable[str], facts: Facts, now: datetime
) -> None:
    if state is State.PENDING:
        return
    to = _recipients(tx, context, text_of(facts, "by"), services, now)
    stage = "began" if state is State.ACTIVE else "ended"
    notice.put(tx, context, KIND, f"{key}.{stage}", to, {**facts, "stage": stage}, now, wakes=False)


def _recipients(
    tx: Transaction, context: Context, owner: str, services: Iterable[str], now: datetime
) -> tuple[Recipient, ...]:
    """The owner, if among the people, and whoever hears the first tier of these services."""
    targets = [*_owner(context.directory, owner)]
    targets += [target for name in services for target in context.services[name].policy.tiers[0].notify]
    return people.resolve(tx, context, targets, now)


def _owner(directory: Directory, owner: str) -> list[str]:
    return [f"person:{each.id}" for each in directory.people.values() if owner in (each.id, each.name)]


def words(_: Context, message: Message, w: Words) -> Notice:
    """What begins or ends, in words."""
    facts = message.facts
    what, until = text_of(facts, "what"), time_of(facts, "until")
    time = w.time(until, near=message.decided_at) if until else "?"
    began, maintained = facts.get("stage") == "began", facts.get("cause") == MAINTENANCE
    if maintained and began:
        subject = w.gettext("Maintenance of %(what)s until %(time)s", what=what, time=time)
        said = w.gettext(
            "The tiers of %(what)s are not told until %(time)s. Empty credits, throttling, the ceiling and missing "
            "data still call, unless named below.", what=what, time=time,
        )  # fmt: skip
    elif maintained:
        subject = w.gettext("Maintenance of %(what)s is over", what=what)
        said = w.gettext("The tiers of %(what)s count from now, beginning with the on-call developer.", what=what)
    elif began:
        subject = w.gettext("Silenced until %(time)s: %(what)s", what=what, time=time)
        said = w.gettext("Alerts with %(what)s tell nobody until %(time)s.", what=what, time=time)
    else:
        subject = w.gettext("No longer silenced: %(what)s", what=what)
        said = w.gettext("Alerts with %(what)s are told again.", what=what)
    rows = (
        (w.gettext("Owner"), text_of(facts, "by")),
        (w.gettext("Reason"), text_of(facts, "why")),
        (w.gettext("Also muted"), text_of(facts, "also")),
    )
    return Notice(subject, (*waited(facts, w), said), tuple(row for row in rows if row[1]))
