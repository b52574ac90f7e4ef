"""What delivery itself has to say: tests, digests, and that the mail relay is away or back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from bongsu.core.incident import Kind
from bongsu.render import situation
from bongsu.render.notices import Notice
from bongsu.render.quiet import all_waited
from bongsu.render.situation import Situation
from bongsu.render.terms import kind_word
from bongsu.render.words import N_, Words, clean, number_of, text_of, time_of
from bongsu.store.outbox import Message

TEST = "test"
_MOST = 100


def plain(notice: Notice) -> str:
    """A notice for a chat room: no title, for the room shows it apart."""
    rows = (f"{label}: {value}" for label, value in notice.rows)
    return "\n".join((*notice.paragraphs, *rows, *((notice.button[1],) if notice.button else ())))


def test(message: Message, w: Words, *, page: str) -> Notice:
    """That somebody tries out whether Bongsu reaches them here."""
    return Notice(
        subject=w.gettext("A test: Bongsu reaches you here"),
        paragraphs=(
            w.gettext("Nothing is wrong. %(by)s wanted to know whether alarms reach you.", by=_by(message, w)),
            w.gettext("Did this mail go to the spam folder? Then allow its sender, or an alarm will go there too."),
        ),
        button=(w.gettext("Open Bongsu"), page),
    )


def digest(told: Sequence[Message], w: Words, *, page: str) -> Notice:
    """What an address was not told by itself, for there was too much of it."""
    rows = tuple((w.time(each.decided_at), f"[{_service(each)}] {_subject(each, w)}") for each in told[:_MOST])
    said = [
        w.gettext("These waited for your quiet hours to end. The page says how they stand now.")
        if all_waited(each.facts for each in told)
        else w.gettext(
            "So many mails were on their way to you that these were put into one. What calls for you at once still "
            "comes by itself."
        )
    ]
    if len(told) > _MOST:
        said.append(w.gettext("The first %(n)s are listed; the others are on the page.", n=_MOST))
    return Notice(
        subject=w.ngettext("%(n)s message in one mail", "%(n)s messages in one mail", len(told)),
        paragraphs=tuple(said),
        rows=rows,
        button=(w.gettext("Open the incidents"), page),
    )


def relay_down(message: Message, w: Words) -> Notice:
    """That mail reaches nobody, told another way."""
    since, waiting = time_of(message.facts, "since"), int(number_of(message.facts, "waiting") or 0)
    said = [
        w.gettext("Bongsu cannot hand over any mail: alarms reach nobody by mail until this is mended."),
        w.gettext("The mail server's last word: %(why)s", why=text_of(message.facts, "why")),
        w.gettext("First: look whether the mail server runs and answers. Meanwhile, watch Bongsu's console."),
    ]
    if since is not None:
        said.insert(1, w.gettext("Since %(since)s.", since=w.time(since)))
    if waiting:
        said.append(w.ngettext("%(n)s message waits.", "%(n)s messages wait.", waiting))
    return Notice(subject=w.gettext("Mail does not go out"), paragraphs=tuple(said), grave=True)


def relay_up(message: Message, w: Words) -> Notice:
    """That mail works again."""
    since, until = time_of(message.facts, "since"), time_of(message.facts, "until")
    lasted = until - since if since and until else timedelta(0)
    return Notice(
        subject=w.gettext("Mail goes out again"),
        paragraphs=(
            w.gettext("It did not for %(time)s. Everything that waited is sent now.", time=w.duration(lasted)),
        ),
    )


_KINDS = {
    TEST: N_("test"),
    "digest": N_("several in one"),
    "relay_down": N_("mail does not go out"),
    "relay_up": N_("mail goes out again"),
    "late": N_("Bongsu is late"),
    "late_over": N_("Bongsu is on time again"),
    "heartbeat_missing": N_("heartbeat missing"),
    "heartbeat_back": N_("heartbeat back"),
    "muting": N_("silence or maintenance"),
    "contact": N_("Does this reach you?"),
    "contact-report": N_("who can be reached"),
    "readiness": N_("readiness"),
    "item": N_("action item"),
    "report": N_("incident report"),
    "review": N_("review agenda"),
}


def kind_words(message: Message, w: Words) -> str:
    """What a message is about."""
    return w.gettext(_KINDS[message.kind]) if message.kind in _KINDS else kind_word(message.kind, message.level, w)


def _by(message: Message, w: Words) -> str:
    return text_of(message.facts, "by") or w.gettext("Somebody")


def _service(message: Message) -> str:
    return text_of(message.facts, "service") or "?"


def _subject(message: Message, w: Words) -> str:
    facts = {key: clean(value) if isinstance(value, str) else value for key, value in message.facts.items()}
    policy = text_of(facts, "policy")
    s = Situation(Kind(message.kind), message.level, _service(message), policy, facts, message.decided_at)
    return situation.subject(s, w)
