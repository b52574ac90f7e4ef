"""The mail relay as a whole: while it is away no message tries for itself, and people hear of it another way (rule 8).

One probe a second asks for it; the first that succeeds lets everything go at once. When it has been away for longer
than the second channel's patience, one alarm goes there, and a notice when mail works again.
"""

from __future__ import annotations

import logging

from bongsu.core.delivery import CHANNEL
from bongsu.core.incident import Facts
from bongsu.core.schedule import Recipient
from bongsu.engine.context import Context
from bongsu.ports import Down
from bongsu.store import outages, outbox
from bongsu.store.database import Transaction, after_commit
from bongsu.store.outages import Outage

log = logging.getLogger("bongsu.relay")
DOWN, UP = "relay_down", "relay_up"


def failed(context: Context, why: str) -> None:
    """It turned us away, whatever the message."""
    relay = context.relay
    with relay.lock:
        if relay.outage is None:
            relay.outage = context.db.write(lambda tx: outages.begin(tx, context.wall.now(), why))
            log.warning("mail relay away", extra={"why": why})


def works(context: Context) -> None:
    """It has taken a mail, or would."""
    relay = context.relay
    if relay.outage is None:
        return
    with relay.lock:
        if relay.outage is not None:
            context.db.write(lambda tx: _end(tx, context))
            relay.outage = None
            log.warning("mail relay back")
    context.mail_due.set()


def probe(context: Context) -> bool:
    """Ask whether it would take mail now."""
    try:
        context.notifier.ping()
    except Down:
        return False
    works(context)
    return True


def look(context: Context) -> None:
    """Tell the second channel once the relay has been away for too long. A restart remembers both."""
    relay, second = context.relay, context.second
    with relay.lock:
        if not relay.loaded:
            relay.outage, relay.loaded = context.db.read(outages.running), True
        outage = relay.outage
        if outage is None or second is None or outage.told_at is not None:
            return
        if context.wall.now() - outage.since >= second.after:
            context.db.write(lambda tx: _tell(tx, context, outage))
            relay.outage = context.db.read(outages.running)


def _tell(tx: Transaction, context: Context, outage: Outage) -> None:
    if outages.tell(tx, outage, context.wall.now()):
        waiting = outbox.counts(tx).get("pending", 0)
        _say(tx, context, outage, DOWN, {"since": outage.since.isoformat(), "why": outage.why, "waiting": waiting})


def _end(tx: Transaction, context: Context) -> None:
    now = context.wall.now()
    ended = outages.end(tx, now)
    if ended is not None and ended.told_at is not None:
        _say(tx, context, ended, UP, {"since": ended.since.isoformat(), "until": now.isoformat()})


def _say(tx: Transaction, context: Context, outage: Outage, kind: str, facts: Facts) -> None:
    if context.second is None:  # it was told to a channel that is configured no longer
        return
    name = context.second.name
    now = context.wall.now()
    to = Recipient(f"{CHANNEL}{name}", name, f"{CHANNEL}{name}", context.second.locale)
    outbox.put(tx, outbox.fresh(f"<{kind}.{outage.id}@{context.host}>", kind, to, facts, context.clock.now(), now))
    after_commit(tx, context.mail_due.set)
