"""What people add to a report, in words: their Markdown, action items, notices, the review's agenda."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from markupsafe import Markup

from bongsu.core.alarms import Alarm, Why
from bongsu.core.drill import Drilled, Verdict
from bongsu.core.followup import Item
from bongsu.core.review import Pace
from bongsu.core.schedule import Directory
from bongsu.render.notices import Notice
from bongsu.render.words import N_, Words, clean, number_of, text_of, time_of
from bongsu.store.outbox import Message

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

_SECTIONS = {
    "summary": N_("Summary"),
    "cause": N_("Cause"),
    "went_well": N_("What went well"),
    "went_badly": N_("What did not go well"),
    "lucky": N_("Where we were lucky"),
    "lessons": N_("Lessons"),
}
_ITEM = {
    "new": N_("You have promised something"),
    "due": N_("Due soon"),
    "overdue": N_("Overdue"),
}


@functools.cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt  # a MiB that an idle server does without

    return MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])


def markdown(text: str) -> Markup:
    """Markdown as HTML. HTML within it is shown as text; a link leads to http, https or mailto."""
    return Markup(_parser().render(text))  # noqa: S704 - the parser escapes


def section_words(w: Words) -> dict[str, str]:
    """The titles of the parts that people write, in their order."""
    return {name: w.gettext(title) for name, title in _SECTIONS.items()}


def item_row(item: Item, w: Words, directory: Directory | None = None) -> tuple[str, str, str, str]:
    """What, who, until when, and how it stands. ``directory``: who knows the owner's name; None: as configured."""
    owner = directory.name_of(item.owner) if directory else item.owner.partition(":")[2]
    state = w.gettext("open")
    if item.done_at is not None:
        done = w.gettext("done by %(by)s on %(date)s", by=clean(item.done_by), date=w.date(item.done_at))
        state = f"{done}: {clean(item.result)}" if item.result else done
    return clean(item.text), clean(owner), item.due.isoformat(), state


def item_notice(message: Message, w: Words, page: str) -> Notice:
    """An action item is brought to its owner's mind."""
    facts = message.facts
    state = text_of(facts, "state")
    title, text = w.gettext(_ITEM.get(state, _ITEM["due"])), text_of(facts, "text")
    said = {
        "new": w.gettext("%(by)s has put this down for you after an incident.", by=text_of(facts, "by")),
        "overdue": w.gettext("Its day has passed. It comes back every week until it is done."),
    }.get(state, w.gettext("Its day is near."))
    return Notice(
        subject=f"[{text_of(facts, 'service')}] {title}: {text[:80]}",
        paragraphs=(text, said),
        rows=(
            (w.gettext("Due by"), text_of(facts, "due")),
            (w.gettext("Incident"), text_of(facts, "incident")),
            (w.gettext("When it is done"), f"bongsu items done {text_of(facts, 'item')}"),
        ),
        button=(w.gettext("Open the incident"), page),
        grave=state == "overdue",
    )


def report_notice(message: Message, w: Words, page: str, summary: str, facts: list[tuple[str, str]]) -> Notice:
    """A report is handed on."""
    service = text_of(message.facts, "service")
    said = w.gettext("%(by)s shares this incident report with you.", by=text_of(message.facts, "by"))
    return Notice(
        subject=f"[{service}] {w.gettext('Incident report')} {text_of(message.facts, 'incident')}",
        paragraphs=(said, summary),
        rows=tuple(facts),
        button=(w.gettext("Open the report"), f"{page}/report?lang={w.locale}"),
    )


def review_notice(message: Message, w: Words, page: str) -> Notice:
    """The agenda before the meeting."""
    f = message.facts
    at = time_of(f, "at") or message.decided_at
    rows = [
        (w.gettext("Incidents to review"), str(int(number_of(f, "unreviewed") or 0))),
        (w.gettext("of these, report not approved"), str(int(number_of(f, "undecided") or 0))),
        (w.gettext("Action items overdue"), str(int(number_of(f, "overdue") or 0))),
        (w.gettext("Action items still open"), str(int(number_of(f, "coming") or 0))),
        (w.gettext("Incidents since the last review"), trend(number_of(f, "incidents"), number_of(f, "before"))),
    ]
    for key, title in PACE.items():
        value = number_of(f, key)
        if value is not None:
            rows.append((w.gettext(title), w.duration(value)))
    rows += [
        (w.gettext("False alarms"), str(int(number_of(f, "false_alarms") or 0))),
        (w.gettext("Missed alarms"), str(int(number_of(f, "missed_alarms") or 0))),
    ]
    if drills := number_of(f, "drills"):
        some = {"n": int(number_of(f, "drills_not_passed") or 0), "all": int(drills)}
        rows.append((w.gettext("Drills not passed"), w.gettext("%(n)s of the last %(all)s", **some)))
    return Notice(
        subject=w.gettext("Agenda of the incident review on %(date)s", date=w.date(at)),
        paragraphs=(w.gettext("The review is at %(time)s.", time=w.time(at)),),
        rows=tuple(rows),
        button=(w.gettext("Open the agenda"), page),
    )


PACE = {
    "detect": N_("Time to detect (median)"),
    "acknowledge": N_("Time to acknowledge (median)"),
    "recover": N_("Time to recover (median)"),
}


ALARMS = {
    Why.JUDGED: N_("judged not urgent: %(said)s"),
    Why.IDLE: N_("over before anybody acted, and nobody was hurt"),
    Why.OVER: N_("over before anybody was told"),
    Why.EXHAUSTED: N_("the first mail said that the credits were gone"),
    Why.BY_HAND: N_("taken by hand; no mail of it was ever accepted"),
    Why.UNTOLD: N_("over; no mail of it was ever accepted"),
}
_VERDICTS = {Verdict.PASS: N_("passed"), Verdict.FAIL: N_("failed"), Verdict.INCONCLUSIVE: N_("inconclusive")}


def alarm_why(alarm: Alarm, w: Words) -> str:
    """Why an alarm counts as false or missed."""
    return w.gettext(ALARMS[alarm.why], said=clean(alarm.said))


def drill_row(drill: Drilled, w: Words) -> tuple[str, str, str, tuple[str, ...]]:
    """What was rehearsed, when, how it ended, and what was not met."""
    ended = "" if drill.at is None else w.time(drill.at)
    if drill.verdict is None:
        return clean(drill.name), ended, w.gettext("cannot be read"), (clean(drill.problem),)
    return clean(drill.scenario), ended, w.gettext(_VERDICTS[drill.verdict]), tuple(map(clean, drill.failed))


def trend(now: float | None, before: float | None) -> str:
    """A count beside the one of the span before."""
    return f"{int(now or 0)} ({int(before or 0)})"


def pace_rows(now: Pace, before: Pace, w: Words) -> list[tuple[str, str, str]]:
    """Medians of this span and the one before: name, now, before."""
    rows = [(w.gettext("Number of incidents"), w.number(now.incidents), w.number(before.incidents))]
    for key, title in PACE.items():
        rows.append((w.gettext(title), _span(getattr(now, key), w), _span(getattr(before, key), w)))
    return rows


def _span(seconds: float | None, w: Words) -> str:
    return "–" if seconds is None else w.duration(seconds)
