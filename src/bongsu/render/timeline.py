"""A line of an incident's timeline in words."""

from __future__ import annotations

from bongsu.core.incident import MAINTENANCE, Entry, Kind
from bongsu.render.quiet import held_words
from bongsu.render.terms import kind_word, void_words, why_words
from bongsu.render.words import N_, Words, clean, number_of, spoken, text_of, time_of

_PLAIN = {
    "acknowledged_late": N_("%(by)s acknowledged after the end."),
    "alert_joined": N_("The alert %(alertname)s joined."),
    "again": N_("Over the baseline again."),
    "data_damaged": N_("Data verified: %(holding)s of %(of)s invariants hold. Damaged rows: %(damaged)s."),
    "data_unverified": N_("The data could not be verified: %(why)s."),
    "data_verified": N_("Data verified: %(holding)s of %(of)s invariants hold."),
    "let_go": N_("%(to)s: told in quiet hours after all."),
    "machine_added": N_("%(machine)s answers and gets traffic."),
    "machine_draining": N_("%(machine)s gets no new traffic."),
    "machine_failed": N_("%(machine)s could not be started: %(why)s."),
    "machine_kept": N_("%(machine)s is kept after all: the others could not carry its load."),
    "machine_removed": N_("%(machine)s was removed."),
    "reopened": N_("Over the baseline once more: the incident is open again."),
    "resolved_by_hand": N_("%(by)s declared it over."),
    "report_edited": N_("%(by)s wrote edition %(number)s of the report."),
    "report_approved": N_("%(by)s approved the report."),
    "approval_withdrawn": N_("%(by)s withdrew the approval of the report."),
    "report_shared": N_("%(by)s shared the report with %(to)s."),
    "item_added": N_("%(by)s put down an action item for %(owner)s until %(due)s: %(text)s."),
    "item_done": N_("%(by)s has done: %(text)s."),
    "reviewed": N_("%(by)s closed the review."),
}
"""Lines whose words need nothing but the facts themselves."""
_NAMES = ("by", "alertname", "machine", "why", "holding", "of", "damaged", "number", "to", "owner", "due", "text")


def timeline_words(entry: Entry, locale: str, w: Words | None = None) -> str:
    """The line in words; a code that has none is shown as it is."""
    w = w or Words(spoken(locale))
    facts = entry.facts
    if entry.what in _PLAIN:
        known = {name: text_of(facts, name) or "?" for name in _NAMES}
        return w.gettext(_PLAIN[entry.what], **known)
    match entry.what:
        case "told":
            return _told(entry, w)
        case "opened":
            return _opened(entry, w)
        case "was_over":
            return w.gettext("It was over the baseline while Bongsu was not watching, and is over.")
        case "unreachable":
            kind = kind_word(text_of(facts, "kind"), int(number_of(facts, "level") or 0), w)
            why = why_words(text_of(facts, "why"), w)
            if text_of(facts, "why").startswith("suspect:"):
                return w.gettext("It is doubtful whether this reaches anybody (%(kind)s): %(why)s.", kind=kind, why=why)
            return w.gettext("Nobody could be told (%(kind)s): %(why)s.", kind=kind, why=why)
        case "exhausted":
            return w.gettext("No tier is left above. Nobody heard of it (%(kind)s).", kind=_kind(entry, w))
        case "acknowledged":
            return _acknowledged(entry, w)
        case "snoozed":
            until = time_of(facts, "until")
            at = w.time(until, near=entry.at) if until else "?"
            return w.gettext("%(by)s snoozed it until %(time)s.", by=text_of(facts, "by") or "?", time=at)
        case "held":
            return held_words(entry, w)
        case "escalated":
            level = int(number_of(facts, "level") or 0)
            return w.gettext("%(by)s called tier %(tier)s by hand.", by=text_of(facts, "by") or "?", tier=level)
        case "triaged":
            return _triaged(entry, w)
        case "reassigned":
            return _reassigned(entry, w)
        case "muted":
            return _muted(entry, w)
        case "unmuted":
            return (
                w.gettext("The maintenance is over: the tiers count from now.")
                if facts.get("cause") == MAINTENANCE
                else w.gettext("The silence is over: the tiers go on.")
            )
        case "ack_void":
            why = void_words(text_of(facts, "why"), w)
            who = text_of(facts, "by") or "?"
            return w.gettext("The acknowledgement of %(by)s no longer holds: %(why)s.", by=who, why=why)
        case "mitigated":
            return w.gettext("Every machine is under the baseline, after %(time)s over it.", time=_elapsed(entry, w))
        case "resolved":
            return w.gettext("Resolved, after %(time)s over the baseline.", time=_elapsed(entry, w))
        case "scale_out_requested":
            return _scale_out(entry, w)
        case _:
            return _as_it_is(entry)


def _opened(entry: Entry, w: Words) -> str:
    alert, began = text_of(entry.facts, "alertname"), time_of(entry.facts, "since")
    if alert:
        return w.gettext("Incident opened by the alert %(alert)s.", alert=alert)
    if began is None:
        return w.gettext("Incident opened.")
    machines = text_of(entry.facts, "machines")
    at = w.time(began, near=entry.at, seconds=True)
    if time_of(entry.facts, "blind_since"):
        return w.gettext("Incident opened: no data since %(time)s.", time=at)
    if machines:
        return w.gettext(
            "Incident opened: over the baseline since %(time)s on %(machines)s.", time=at, machines=machines
        )
    return w.gettext("Incident opened: over the baseline since %(time)s.", time=at)


def _told(entry: Entry, w: Words) -> str:
    to = text_of(entry.facts, "to") or "?"
    elapsed = number_of(entry.facts, "elapsed_s")
    said = w.gettext("Told %(to)s: %(kind)s.", to=to, kind=_kind(entry, w))
    if elapsed and text_of(entry.facts, "kind") not in (Kind.RESOLVED, Kind.OVER):
        said = w.gettext(
            "Told %(to)s: %(kind)s, after %(time)s.", to=to, kind=_kind(entry, w), time=w.duration(elapsed)
        )
    unreachable = text_of(entry.facts, "unreachable")
    if not unreachable:
        return said
    passed = w.gettext("Passed up: %(why)s.", why=why_words(unreachable, w))
    return f"{said} {passed}"


def _acknowledged(entry: Entry, w: Words) -> str:
    who, until = text_of(entry.facts, "by") or "?", time_of(entry.facts, "until")
    if entry.facts.get("holds") is True and until is not None:
        at = w.time(until, near=entry.at)
        return w.gettext("%(by)s acknowledged. The next tiers wait until %(time)s.", by=who, time=at)
    return w.gettext("%(by)s acknowledged. That holds nothing back.", by=who)


def _triaged(entry: Entry, w: Words) -> str:
    who, why = text_of(entry.facts, "by") or "?", text_of(entry.facts, "why") or "?"
    if entry.facts.get("urgent") is True:
        return w.gettext("%(by)s judged it urgent: %(why)s.", by=who, why=why.rstrip("."))
    return w.gettext("%(by)s judged it not urgent; it waits for the next review: %(why)s.", by=who, why=why.rstrip("."))


def _reassigned(entry: Entry, w: Words) -> str:
    by, to = text_of(entry.facts, "by") or "?", text_of(entry.facts, "to") or "?"
    until = time_of(entry.facts, "until")
    if until is None:
        return w.gettext("%(by)s handed it to %(to)s. That holds nothing back.", by=by, to=to)
    at = w.time(until, near=entry.at)
    return w.gettext(
        "%(by)s handed it to %(to)s. Unless they acknowledge, the next tiers go on at %(time)s.", by=by, to=to, time=at
    )


def _muted(entry: Entry, w: Words) -> str:
    by, until = text_of(entry.facts, "by") or "?", time_of(entry.facts, "until")
    at = w.time(until, near=entry.at) if until else "?"
    if entry.facts.get("cause") == MAINTENANCE:
        return w.gettext("Maintenance by %(by)s: the tiers are muted until %(time)s.", by=by, time=at)
    return w.gettext("Silenced by %(by)s: the tiers are muted until %(time)s.", by=by, time=at)


def _scale_out(entry: Entry, w: Words) -> str:
    count, who = int(number_of(entry.facts, "count") or 0), text_of(entry.facts, "by") or "?"
    machines = text_of(entry.facts, "machines")
    if not count:
        return w.gettext("%(by)s asked for more machines: there are enough.", by=who)
    return w.ngettext(
        "%(by)s asked for %(n)s more machine: %(machines)s.",
        "%(by)s asked for %(n)s more machines: %(machines)s.",
        count,
        by=who,
        machines=machines,
    )


def _kind(entry: Entry, w: Words) -> str:
    return kind_word(text_of(entry.facts, "kind"), int(number_of(entry.facts, "level") or 0), w)


def _elapsed(entry: Entry, w: Words) -> str:
    return w.duration(number_of(entry.facts, "elapsed_s") or 0.0)


def _as_it_is(entry: Entry) -> str:
    facts = ", ".join(f"{clean(key)}={clean(value)}" for key, value in entry.facts.items() if value is not None)
    return f"{clean(entry.what)} ({facts})" if facts else clean(entry.what)
