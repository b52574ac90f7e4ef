"""The contact tree: everybody gets a mail with a link, and it is counted who answered in how long.

A round is rows in the store: it survives a restart, and its mails have Message-IDs that cannot be written twice.
Opening the link changes nothing, for mail scanners open links; only its button answers. All times are the wall's.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from bongsu.core.contact import Ask, Round, is_over
from bongsu.core.delivery import channel_of
from bongsu.core.errors import InvalidInput
from bongsu.core.schedule import Directory, Recipient
from bongsu.engine import notice, people
from bongsu.engine.context import Context
from bongsu.render import links
from bongsu.render.notices import Notice
from bongsu.render.people import question_notice, round_notice
from bongsu.render.words import Words
from bongsu.store import contacts
from bongsu.store.database import Transaction
from bongsu.store.outbox import Message

ASK, REPORT = "contact", "contact-report"
LINK_LASTS = timedelta(days=30)
"""A late answer still verifies the address."""
_ANY_TIME = datetime(2026, 1, 1, tzinfo=UTC)
CALENDAR = "calendar"
"""Who starts the weekly round."""


@dataclass(frozen=True, slots=True)
class Line:
    """How it stands with one address of a round. ``state``: of its mail (pending, accepted, refused)."""

    ask: Ask
    state: str
    answer: str


def everyone(directory: Directory) -> tuple[Recipient, ...]:
    """Every address of every person and team."""
    targets = [f"person:{name}" for name in directory.people]
    targets += [f"team:{name}" for name, team in directory.teams.items() if team.addresses]
    return tuple(each for target in targets for each in _by_mail(directory, target))


def _by_mail(directory: Directory, target: str) -> list[Recipient]:
    """The addresses that a mail goes to: a chat room cannot press a button for anybody."""
    return [each for each in directory.resolve(target, _ANY_TIME) if channel_of(each.address) is None]


def start(context: Context, by: str, who: tuple[str, ...] = ()) -> Round:
    """Ask these (``person:x``, ``team:x``, or a person's bare name), or everybody. Raises InvalidInput."""
    asked = _chosen(context.directory, who)
    now = context.wall.now()
    round_id = f"{now:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
    return context.db.write(lambda tx: _start(tx, context, round_id, asked, by, now))


def _chosen(directory: Directory, who: tuple[str, ...]) -> tuple[Recipient, ...]:
    if not who:
        found = everyone(directory)
        if not found:
            raise InvalidInput(["nobody has an address; add contact = [{ email = ... }] to a person in bongsu.toml"])
        return found
    problems: list[str] = []
    chosen: list[Recipient] = []
    for each in who:
        target = each if ":" in each else f"person:{each}"
        kind, _, name = target.partition(":")
        known = {"person": directory.people, "team": directory.teams}.get(kind, {})
        if name not in known:
            problems.append(f"there is no {each!r}; people: {', '.join(sorted(directory.people)) or 'none'}")
        elif not (reached := _by_mail(directory, target)):
            problems.append(f"{each} has no address; add contact = [{{ email = ... }}] in bongsu.toml")
        else:
            chosen += reached
    if problems:
        raise InvalidInput(problems)
    return tuple(dict.fromkeys(chosen))


def _start(
    tx: Transaction, context: Context, round_id: str, to: tuple[Recipient, ...], by: str, now: datetime
) -> Round:
    made = Round(round_id, now, now + context.answer_within, by)
    asks = [Ask(f"{round_id}-{secrets.token_hex(4)}", round_id, each, now) for each in to]
    contacts.begin(tx, made, asks)
    for ask in asks:
        facts = {"ask": ask.id, "until": made.ends_at.isoformat()}
        notice.put(tx, context, ASK, round_id, [ask.recipient], facts, context.clock.now())
    return made


def asked(context: Context, token: str) -> Ask:
    """Whose link this is. Raises Expired, Forged or NotFound."""
    ask_id = links.read_for(context.link_key, ASK, token, LINK_LASTS, context.wall.now())
    return context.db.read(lambda tx: contacts.ask(tx, ask_id))


def answer(context: Context, token: str) -> Ask:
    """Somebody pressed the button. Raises Expired, Forged or NotFound."""
    ask = asked(context, token)
    return context.db.write(lambda tx: contacts.answer(tx, ask.id, context.wall.now()))


def due(context: Context) -> None:
    """Start the weekly round when its time has come, and tell the end of rounds that are over."""
    now = context.wall.now()
    slot = context.verify.slot(now)
    if slot is not None and everyone(context.directory):
        context.db.write(lambda tx: _weekly(tx, context, slot, now))
    for each in context.db.read(contacts.unreported):
        asks = context.db.read(lambda tx, each=each: contacts.asks_of(tx, each.id))  # type: ignore[misc]
        if is_over(each, asks, now):
            context.db.write(lambda tx, each=each: _report(tx, context, each, now))  # type: ignore[misc]


def _weekly(tx: Transaction, context: Context, slot: datetime, now: datetime) -> None:
    if contacts.take_slot(tx, ASK, slot):
        _start(tx, context, f"weekly-{slot:%Y%m%d-%H%M}", everyone(context.directory), CALENDAR, now)


def _report(tx: Transaction, context: Context, round_: Round, now: datetime) -> None:
    if contacts.report(tx, round_.id, now):
        to = people.resolve(tx, context, context.verify.to, context.clock.now())
        facts = {"round": round_.id, "link": f"{context.public_url}/people/rounds/{round_.id}"}
        notice.put(tx, context, REPORT, round_.id, to, facts, context.clock.now())


def lines(tx: Transaction, round_id: str) -> list[Line]:
    """How it stands with each address of a round: those who cannot be reached first, then by the time they took."""
    mails = contacts.delivered(tx, round_id)
    found = [Line(ask, *mails.get(ask.recipient.address, ("pending", ""))) for ask in contacts.asks_of(tx, round_id)]
    return sorted(found, key=lambda line: (line.ask.took is not None, line.state != "refused", line.ask.took))


def question(context: Context, message: Message, w: Words) -> Notice:
    """The mail that asks; the same words however often it is sent."""
    token = links.sign_for(context.link_key, ASK, str(message.facts["ask"]), message.written_at)
    return question_notice(message.facts, f"{context.public_url}/c/{token}", w)


def outcome(context: Context, message: Message, w: Words) -> Notice:
    """The mail that tells how a round ended, as it stands when the mail is sent."""
    round_id = str(message.facts["round"])
    round_, found = context.db.read(lambda tx: (contacts.load(tx, round_id), lines(tx, round_id)))
    answered = [line.ask for line in found if line.ask.took is not None]
    missing = [(line.ask.recipient, line.state, line.answer) for line in found if line.ask.took is None]
    return round_notice(round_, answered, missing, str(message.facts["link"]), w)
