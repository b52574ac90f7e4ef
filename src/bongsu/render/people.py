"""Words about people: whether they can be reached, and what would go wrong in an alarm."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from bongsu.core.contact import Ask, Round
from bongsu.core.incident import Facts
from bongsu.core.readiness import Fault
from bongsu.core.schedule import Recipient
from bongsu.render.notices import Notice
from bongsu.render.words import N_, Words, clean, number_of, text_of, time_of

_PLACE = {
    "ceiling": N_("the ceiling"),
    "runway": N_("the alarm for low credits"),
    "throttled": N_("the alarm for throttling"),
    "blind": N_("the alarm for missing data"),
}
_WHAT = {
    "nobody": N_("%(place)s reaches nobody: %(target)s has no address"),
    "target": N_("%(place)s: %(target)s has no address; the others are told"),
    "unreliable": N_("%(place)s may reach nobody: no answer from %(addresses)s, or mail to it is refused"),
    "one": N_("%(place)s reaches %(name)s alone"),
    "gap": N_("nobody is on call in %(schedule)s from %(from)s to %(to)s"),
    "gaps": N_(
        "nobody is on call in %(schedule)s %(count)s times in the next two weeks, %(total)s in all; first %(from)s"
    ),
    "no_address": N_("%(name)s has no address"),
    "suspect": N_("%(name)s: the last mail to %(address)s was refused"),
    "silent": N_("%(name)s did not answer whether mails reach %(address)s"),
    "unverified": N_("%(name)s was never asked whether mails reach %(address)s"),
    "stale": N_("%(name)s last answered from %(address)s %(days)s days ago"),
}
_DO = {
    "nobody": N_('add contact = [{ email = "..." }], or name somebody else'),
    "target": N_('add contact = [{ email = "..." }], or name somebody else'),
    "unreliable": N_("call them, and mend their addresses in bongsu.toml"),
    "one": N_("add another member"),
    "gap": N_("let somebody stand in: bongsu oncall override"),
    "gaps": N_("let somebody stand in: bongsu oncall override, or mend the rotation in bongsu.toml"),
    "no_address": N_('add contact = [{ email = "..." }]'),
    "suspect": N_("mend the address in bongsu.toml, then: bongsu contacts verify"),
    "silent": N_("ask in person; is the mail in the spam folder?"),
    "unverified": N_("bongsu contacts verify"),
    "stale": N_("bongsu contacts verify"),
}


def fault_words(fault: Fault, w: Words) -> tuple[str, str]:
    """A fault of readiness: what is wrong, and what to do."""
    facts = fault.facts
    code = "gaps" if fault.code == "gap" and (number_of(facts, "count") or 1) > 1 else fault.code
    values: dict[str, object] = {key: clean(value) for key, value in facts.items()}
    values["place"] = place_words(text_of(facts, "place"), w)
    values["total"] = w.duration(number_of(facts, "total_s") or 0)
    for key in ("from", "to"):
        at = time_of(facts, key)
        if at is not None:
            values[key] = w.time(at)
    return w.gettext(_WHAT[code], **values), w.gettext(_DO[code])


def place_words(place: str, w: Words) -> str:
    """Which part of a policy: a tier by its number, or what calls at once."""
    return w.gettext(_PLACE[place]) if place in _PLACE else w.gettext("tier %(tier)s", tier=place)


def readiness_notice(faults: Sequence[Fault], link: str, w: Words) -> Notice:
    """The weekly mail: what would go wrong in an alarm."""
    rows = tuple(
        (clean(fault.where), ". ".join((what, do))) for fault in faults for what, do in [fault_words(fault, w)]
    )
    return Notice(
        w.ngettext(
            "If there were an alarm now: %(n)s thing would go wrong",
            "If there were an alarm now: %(n)s things would go wrong",
            len(faults),
        ),
        (w.gettext("Nothing is burning. This mail comes only when something would keep an alarm from being heard."),),
        rows,
        (w.gettext("People and readiness"), link),
        grave=True,
    )


def question_notice(facts: Facts, link: str, w: Words) -> Notice:
    """The mail that asks whether it arrives."""
    until = time_of(facts, "until") or datetime.fromisoformat(text_of(facts, "until"))
    return Notice(
        w.gettext("Does this reach you? Please press the button"),
        (
            w.gettext("Nothing is wrong. Bongsu checks whether its alarms would reach you at this address."),
            w.gettext(
                "Open the page and press its button, by %(until)s. "
                "If this mail was in the spam folder, allow its sender.",
                until=w.time(until),
            ),
        ),
        (),
        (w.gettext("Yes, this reaches me"), link),
    )


def round_notice(
    round_: Round, answered: Sequence[Ask], missing: Sequence[tuple[Recipient, str, str]], link: str, w: Words
) -> Notice:
    """How a round ended: who answered in how long, and who cannot be reached."""
    total = len(answered) + len(missing)
    rows = [(to.name, unreached_words(to, state, answer, w)) for to, state, answer in missing]
    rows += [(ask.recipient.name, took_words(ask, w)) for ask in answered]
    if missing:
        subject = w.ngettext("%(n)s address cannot be reached", "%(n)s addresses cannot be reached", len(missing))
    else:
        subject = w.ngettext("The one address answered", "All %(n)s addresses answered", total)
    told = w.gettext(
        "Asked on %(at)s: %(answered)s of %(total)s answered.",
        at=w.time(round_.started_at), answered=len(answered), total=total,
    )  # fmt: skip
    button = (w.gettext("Everything about this round"), link)
    return Notice(subject, (told,), tuple(rows), button, grave=bool(missing))


def took_words(ask: Ask, w: Words) -> str:
    """How long an answer took."""
    took = w.duration(ask.took) if ask.took is not None else ""
    return w.gettext("%(address)s answered after %(took)s", address=clean(ask.recipient.address), took=took)


def unreached_words(to: Recipient, state: str, answer: str, w: Words) -> str:
    """Why somebody did not answer, as far as it is known."""
    address = clean(to.address)
    match state:
        case "refused":
            return w.gettext("%(address)s was refused: %(answer)s", address=address, answer=clean(answer))
        case "accepted":
            return w.gettext("%(address)s: no answer", address=address)
        case _:
            return w.gettext("%(address)s: the mail has not gone out", address=address)
