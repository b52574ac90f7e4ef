"""Readiness: what would go wrong in an alarm, told before there is one."""

from __future__ import annotations

from datetime import datetime

import msgspec

from bongsu.core.readiness import Fault, Standing, Standings, judge
from bongsu.engine import notice, people
from bongsu.engine.context import Context
from bongsu.render.notices import Notice
from bongsu.render.people import readiness_notice
from bongsu.render.words import Words
from bongsu.store import contacts, suspects
from bongsu.store.columns import unpack
from bongsu.store.database import Transaction
from bongsu.store.outbox import Message

MAIL = "readiness"


def faults(tx: Transaction, context: Context) -> tuple[Fault, ...]:
    """Everything that is wrong now."""
    now, wall = context.clock.now(), context.wall.now()
    everybody = people.directory(tx, context, now)
    beat = context.verify.beat
    # twice in a row unanswered would be asked of too much: one round missed, and the next one's time to answer
    stale = wall - 2 * beat.every - context.answer_within if beat is not None else None
    return judge(everybody, context.policies, now, standings(tx, context), stale)


def standings(tx: Transaction, context: Context) -> Standings:
    """What is known of every address that there is."""
    wall, refused, asked = context.wall.now(), suspects.every(tx), contacts.newest_asks(tx)
    found = {}
    for to in _addresses(context):
        last, answered = asked.get(to, (None, None))
        awaited = last is not None and wall < last + context.answer_within
        suspect = refused.get(to[1])
        heard = suspect is not None and answered is not None and answered >= suspect.since
        found[to] = Standing(last, answered, awaited, suspect is not None and not heard)
    return found


def _addresses(context: Context) -> list[tuple[str, str]]:
    directory = context.directory
    found = [(f"person:{each.id}", address) for each in directory.people.values() for address in each.addresses]
    return found + [(f"team:{each.id}", address) for each in directory.teams.values() for address in each.addresses]


def due(context: Context) -> None:
    """Mail what is wrong when the time of the weekly mail has come; nothing when nothing is."""
    slot = context.readiness.slot(context.wall.now())
    if slot is not None:
        context.db.write(lambda tx: _mail(tx, context, slot))


def _mail(tx: Transaction, context: Context, slot: datetime) -> None:
    if not contacts.take_slot(tx, MAIL, slot):
        return
    wrong = [each for each in faults(tx, context) if each.wrong]
    if wrong:
        now = context.clock.now()
        to = people.resolve(tx, context, context.readiness.to, now)
        facts = {"faults": msgspec.json.encode(wrong).decode(), "link": f"{context.public_url}/people"}
        notice.put(tx, context, MAIL, f"{slot:%Y%m%d-%H%M}", to, facts, now)


def told(context: Context, message: Message, w: Words) -> Notice:  # noqa: ARG001 - every notice is made so
    """The weekly mail."""
    wrong = unpack(str(message.facts["faults"]), list[Fault])
    return readiness_notice(wrong, str(message.facts["link"]), w)
