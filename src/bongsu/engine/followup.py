"""After an incident: writing its report, approving and sharing it, and the action items until they are done."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, time

from bongsu.core.errors import InvalidInput, Stale
from bongsu.core.followup import SECTIONS, Approval, Edition, Frozen, Item, Written, merge, reminds
from bongsu.core.incident import Entry, Facts, Incident
from bongsu.core.report import Report
from bongsu.core.review import earlier
from bongsu.core.schedule import Recipient
from bongsu.engine import notice, report
from bongsu.engine.context import Context
from bongsu.render import followup as render
from bongsu.render.notices import Notice
from bongsu.render.reports import Told
from bongsu.render.words import Words
from bongsu.store import editions, incidents, items, reports, timeline
from bongsu.store.database import Transaction
from bongsu.store.outbox import Message

LONGEST = 50_000
"""Signs of one section."""
REMIND_AT = time(9)
"""From when on reminders go out, by the owner's own clock."""


def written(context: Context, incident_id: str) -> Written:
    """What people have added to a report so far. Raises NotFound."""
    return context.db.read(lambda tx: _written(tx, incident_id))


def edit(
    context: Context, incident_id: str, by: str, texts: Mapping[str, str], tags: Sequence[str], based_on: int
) -> Edition:
    """Keep what somebody wrote over edition ``based_on`` (0: none); merged with what was written meanwhile.

    Raises NotFound, Frozen, or InvalidInput.
    """
    known = ", ".join(SECTIONS)
    long = {name: len(said) for name, said in texts.items() if len(said) > LONGEST}
    problems = [f"there is no section {name!r}; there are {known}" for name in texts if name not in SECTIONS]
    problems += [f"{name}: at most {LONGEST} signs, not {count}" for name, count in long.items()]
    if problems:
        raise InvalidInput(problems)
    return context.db.write(lambda tx: _edit(tx, context, incident_id, by, texts, tags, based_on))


def approve(context: Context, incident_id: str, by: str, number: int) -> Approval:
    """Declare an edition final; facts and words stay as they are from then on.

    Raises NotFound, Stale when there is a newer edition, or InvalidInput while the incident is open.
    """
    kept = report.collect(context, incident_id)
    return context.db.write(lambda tx: _approve(tx, context, incident_id, by, number, kept))


def withdraw(context: Context, incident_id: str, by: str) -> None:
    """Take the approval back, so that the report can be changed again. Raises NotFound."""

    def job(tx: Transaction) -> None:
        incidents.load(tx, incident_id)
        if editions.approval(tx, incident_id) is not None:
            editions.withdraw(tx, incident_id)
            _note(tx, context, incident_id, "approval_withdrawn", {"by": by})

    context.db.write(job)


def add_item(context: Context, incident_id: str, by: str, text: str, owner: str, due: date) -> Item:
    """Promise something. Raises NotFound, or InvalidInput when nobody is behind ``owner`` or there is no text."""
    problems = [] if text.strip() else ["say what is to be done"]
    if not context.directory.resolve(owner, context.clock.now()) or owner.startswith("on-call:"):
        problems.append(f"owner {owner!r} reaches nobody; name person:X or team:X of bongsu.toml")
    if problems:
        raise InvalidInput(problems)

    def job(tx: Transaction) -> Item:
        incident = incidents.load(tx, incident_id)
        now = context.clock.now()
        made = items.add(tx, Item(0, incident.id, incident.service, text.strip(), owner, due, by, now))
        facts: Facts = {"by": by, "item": made.id, "text": made.text, "owner": owner, "due": due.isoformat()}
        _note(tx, context, incident_id, "item_added", facts)
        notice.put(tx, context, "item", f"{made.id}.new", _owners(context, made, now), _facts(made, "new"), now)
        return made

    return context.db.write(job)


def finish_item(context: Context, item_id: int, by: str, result: str = "") -> Item:
    """Say that it is done. Raises NotFound."""

    def job(tx: Transaction) -> Item:
        item = items.load(tx, item_id)
        if not item.open:
            return item
        item = replace(item, done_at=context.clock.now(), done_by=by, result=result.strip())
        items.save(tx, item)
        facts: Facts = {"by": by, "item": item.id, "text": item.text, "result": item.result}
        _note(tx, context, item.incident_id, "item_done", facts)
        return item

    return context.db.write(job)


def remind(context: Context) -> int:
    """Bring items back to their owners' minds: the day before, on the day, and every week after; how many."""
    count = 0
    for item in context.db.read(items.waiting):
        count += context.db.write(functools.partial(_remind, context=context, item=item))
    return count


def share(context: Context, incident_id: str, by: str, targets: Sequence[str]) -> int:
    """Mail the report as it stands to people and teams; to how many addresses. Raises NotFound or InvalidInput."""
    now = context.clock.now()
    reached = {target: context.directory.resolve(target, now) for target in targets}
    problems = [f"{target!r} reaches nobody; name person:X or team:X" for target, to in reached.items() if not to]
    if problems or not targets:
        raise InvalidInput(problems or ["name at least one person:X or team:X"])
    to = {each.address: each for found in reached.values() for each in found}

    def job(tx: Transaction) -> int:
        incident = incidents.load(tx, incident_id)
        facts: Facts = {"incident": incident.id, "service": incident.service, "by": by}
        sent = notice.put(tx, context, "report", f"{incident.id}.{int(now.timestamp())}", to.values(), facts, now)
        _note(tx, context, incident_id, "report_shared", {"by": by, "to": ", ".join(targets)})
        return sent

    return context.db.write(job)


def _edit(
    tx: Transaction, context: Context, incident_id: str, by: str, texts: Mapping[str, str], tags: Sequence[str],
    based_on: int,
) -> Edition:  # fmt: skip
    incidents.load(tx, incident_id)  # on PostgreSQL its lock makes editors queue
    if editions.approval(tx, incident_id) is not None:
        raise Frozen
    there = editions.of(tx, incident_id)
    base = next((each for each in there if each.number == based_on), None)
    if based_on and base is None:
        raise InvalidInput([f"there is no edition {based_on} of this report"])
    latest = there[-1] if there else None
    now = context.clock.now()
    made = merge(base, latest, Edition(incident_id, 0, by, now, dict(texts), tuple(tags)))
    if latest is not None and (made.texts, made.tags) == (latest.texts, latest.tags):
        return latest
    editions.add(tx, made)
    _note(tx, context, incident_id, "report_edited", {"by": by, "number": made.number})
    return made


def _approve(tx: Transaction, context: Context, incident_id: str, by: str, number: int, kept: Report) -> Approval:
    incident = incidents.load(tx, incident_id)
    if incident.open:
        raise InvalidInput([f"incident {incident_id} is {incident.status}; its report can be approved once it is over"])
    latest = editions.latest(tx, incident_id)
    if number != (latest.number if latest is not None else 0):
        raise Stale
    made = Approval(incident_id, number, by, context.clock.now())
    editions.approve(tx, made)
    if reports.load(tx, incident_id) is None:
        reports.save(tx, kept)
    _note(tx, context, incident_id, "report_approved", {"by": by, "number": number})
    return made


def _written(tx: Transaction, incident_id: str) -> Written:
    incident = incidents.load(tx, incident_id)
    return Written(
        edition=editions.latest(tx, incident_id),
        approval=editions.approval(tx, incident_id),
        items=tuple(items.of(tx, incident_id)),
        earlier=_earlier(tx, incident),
    )


def _earlier(tx: Transaction, incident: Incident) -> tuple[str, ...]:
    return earlier(incident, incidents.search(tx, service=incident.service, limit=1000))


def _remind(tx: Transaction, *, context: Context, item: Item) -> int:
    now = context.clock.now()
    local = now.astimezone(context.directory.zone_of(item.owner))
    if local.time() < REMIND_AT or not reminds(item, local.date()):
        return 0
    item = items.load(tx, item.id)  # somebody else may have been faster
    if not reminds(item, local.date()):
        return 0
    items.save(tx, replace(item, reminded=local.date()))
    state = "overdue" if item.overdue(local.date()) else "due"
    key = f"{item.id}.{local.date().isoformat()}"
    return notice.put(tx, context, "item", key, _owners(context, item, now), _facts(item, state), now)


def _owners(context: Context, item: Item, now: datetime) -> tuple[Recipient, ...]:
    return context.directory.resolve(item.owner, now)


def _facts(item: Item, state: str) -> Facts:
    return {
        "item": item.id,
        "incident": item.incident_id,
        "service": item.service,
        "text": item.text,
        "due": item.due.isoformat(),
        "state": state,
        "by": item.made_by,
    }


def _note(tx: Transaction, context: Context, incident_id: str, what: str, facts: Facts) -> None:
    timeline.append(tx, incident_id, [Entry(context.clock.now(), what, facts)])


def item_notice(context: Context, message: Message, w: Words) -> Notice:
    """The words of a notice about an action item."""
    return render.item_notice(message, w, context.page_of(str(message.facts["incident"])))


def report_notice(context: Context, message: Message, w: Words) -> Notice:
    """The words of a notice that hands a report on; the report as it stands when it is sent."""
    incident_id = str(message.facts["incident"])
    told = Told(report.collect(context, incident_id), w, written(context, incident_id))
    return render.report_notice(message, w, context.page_of(incident_id), told.summary, told.facts)
