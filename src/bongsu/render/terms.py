"""What codes are called: statuses, kinds of notification, and the reasons that core and engine give as codes."""

from __future__ import annotations

from bongsu.core.incident import Facts, Kind, Status
from bongsu.render.words import N_, Words, clean, text_of

VOID = {
    "machine": N_("another machine is over its baseline"),
    Kind.CEILING.value: N_("the CPU reached 100 %%"),
    Kind.RUNWAY.value: N_("the credits run low"),
    Kind.THROTTLED.value: N_("a machine is throttled"),
    Kind.BLIND.value: N_("data is missing"),
}
"""Why an acknowledgement holds nothing back any more."""


def void_words(why: str, w: Words) -> str:
    """Why an acknowledgement was void, in words."""
    return w.gettext(VOID[why]) if why in VOID else clean(why)


def judged_words(facts: Facts, w: Words) -> str:
    """Whether somebody judged it urgent, and why; empty when nobody judged."""
    judge, why = text_of(facts, "triage_by"), text_of(facts, "triage_why")
    if not judge:
        return ""
    if facts.get("triage_urgent") is True:
        return w.gettext("%(by)s judged it urgent: %(why)s", by=judge, why=why)
    return w.gettext("%(by)s judged it not urgent, to be looked at in the next review: %(why)s", by=judge, why=why)


def why_words(why: str, w: Words) -> str:
    """Why somebody could not be told: a code, a colon, and what it is about."""
    code, _, about = clean(why).partition(": ")
    match code:
        case "nobody":
            return w.gettext("there is no address for %(target)s", target=about)
        case "refused":
            return w.gettext("the mail server refused %(address)s", address=about)
        case "suspect":
            return w.gettext("mail to %(address)s was refused the last time", address=about)
        case _:
            return clean(why)


def status_word(status: str, w: Words) -> str:
    """An incident's status."""
    return w.gettext(_STATUS[Status(status)]) if status in set(Status) else clean(status)


_STATUS = {
    Status.TRIGGERED: N_("Triggered"),
    Status.ACKNOWLEDGED: N_("Acknowledged"),
    Status.MITIGATED: N_("Mitigated"),
    Status.RESOLVED: N_("Resolved"),
    Status.REVIEWED: N_("Reviewed"),
}

_KIND = {
    Kind.TIER: N_("over baseline"),
    Kind.CEILING: N_("CPU at 100 %%"),
    Kind.RUNWAY: N_("credits low"),
    Kind.THROTTLED: N_("throttled"),
    Kind.BLIND: N_("no data"),
    Kind.RESOLVED: N_("resolved"),
    Kind.OVER: N_("was, and is over"),
    Kind.URGENT: N_("judged urgent"),
    Kind.REASSIGNED: N_("handed over"),
}


def kind_word(kind: str, level: int, w: Words) -> str:
    """What a notification was about; tiers by their number."""
    if kind == Kind.TIER:
        return w.gettext("tier %(tier)s", tier=level)
    said = w.gettext(_KIND[Kind(kind)]) if kind in set(Kind) else clean(kind)
    if not level or kind == Kind.URGENT:
        return said
    return w.gettext("%(what)s, passed up to tier %(tier)s", what=said, tier=level)


_DELIVERY = {"pending": N_("waits"), "gathered": N_("gathered"), "accepted": N_("accepted"), "refused": N_("refused")}


def delivery_word(state: str, w: Words) -> str:
    """How a delivery stands."""
    return w.gettext(_DELIVERY[state]) if state in _DELIVERY else clean(state)


_ACTION = {
    "requested": N_("under way"),
    "draining": N_("draining"),
    "done": N_("done"),
    "undone": N_("taken back"),
    "failed": N_("failed"),
}


def action_word(state: str, w: Words) -> str:
    """How an action stands."""
    return w.gettext(_ACTION[state]) if state in _ACTION else clean(state)
