"""Tell somebody nothing but that they can be told: a test through the real path."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from bongsu.core.delivery import message_id
from bongsu.core.errors import InvalidInput
from bongsu.core.schedule import Recipient
from bongsu.engine.context import Context
from bongsu.render.postal import TEST
from bongsu.store import outbox
from bongsu.store.database import Transaction, after_commit
from bongsu.store.outbox import Message


def test(context: Context, to: Sequence[str], by: str) -> list[Message]:
    """Write a test to every address of these people and teams, or of everybody. Raises InvalidInput."""
    recipients = _recipients(context, to) if to else _everybody(context)
    name = f"{TEST}-{secrets.token_hex(4)}"
    decided, now = context.clock.now(), context.wall.now()
    messages = [
        outbox.fresh(
            message_id(name, TEST, 0, 1, each.id, each.address, context.host), TEST, each, {"by": by}, decided, now
        )
        for each in recipients
    ]

    def write(tx: Transaction) -> list[Message]:
        outbox.put(tx, *messages)
        after_commit(tx, context.mail_due.set)
        return outbox.by_message_id(tx, [each.message_id for each in messages])

    return context.db.write(write)


def _recipients(context: Context, to: Sequence[str]) -> list[Recipient]:
    directory, found, problems = context.directory, list[Recipient](), list[str]()
    for each in to:
        kind, colon, name = each.partition(":")
        if not colon:
            kind, name = ("person" if each in directory.people else "team"), each
        if name not in {"person": directory.people, "team": directory.teams}.get(kind, {}):
            known = ", ".join([*sorted(directory.people), *sorted(directory.teams)])
            problems.append(f"there is no person or team {each!r}; known: {known or 'nobody yet'}")
            continue
        addresses = directory.resolve(f"{kind}:{name}", context.clock.now())
        if not addresses:
            problems.append(f"{each} has no address; add contact = [{{ email = ... }}]")
        found += addresses
    if problems:
        raise InvalidInput(problems)
    return list({each.address: each for each in found}.values())


def _everybody(context: Context) -> list[Recipient]:
    targets = [f"person:{name}" for name in context.directory.people]
    targets += [f"team:{name}" for name, team in context.directory.teams.items() if team.addresses]
    now = context.clock.now()
    found = [each for target in targets for each in context.directory.resolve(target, now)]
    if not found:
        raise InvalidInput(["nobody has an address; add [person.NAME] with contact = [{ email = ... }]"])
    return list({each.address: each for each in found}.values())
