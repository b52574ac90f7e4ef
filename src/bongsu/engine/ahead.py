"""Mails whose relay is told from whom and to whom while the transaction that asks for them is still going on.

Nothing is put into an envelope before the commit; what never comes to it is thrown away with its envelope.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bongsu.core.delivery import channel_of
from bongsu.engine import deliver
from bongsu.engine.context import Context
from bongsu.engine.deliver import Ready
from bongsu.store.outbox import Message

log = logging.getLogger("bongsu.ahead")
FORGOTTEN = timedelta(seconds=2)
"""After which nobody will ask for it: the transaction has failed, or the disk is so slow that it does not matter."""


@dataclass(slots=True)
class _UnderWay:
    message: Message
    ready: Ready
    since: datetime


class Ahead:
    """Open envelopes, by Message-ID; never more than the senders that there are."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._guard = threading.Lock()
        self._under_way: dict[str, _UnderWay] = {}

    def begin(self, messages: Sequence[Message]) -> None:
        """Open envelopes for these, if they are mail and few, as far as connections rest. Never waits."""
        mails = [each for each in messages if channel_of(each.recipient.address) is None]
        now = self._context.wall.now()
        with self._guard:
            if len(self._under_way) + len(mails) > self._context.senders:
                return
            for each in mails:
                envelope = self._context.notifier.open(each.recipient.address)
                if envelope is None:
                    return
                self._forget(each)
                self._under_way[each.message_id] = _UnderWay(each, Ready(envelope=envelope), now)

    def follow(self, message: Message, body: bytes | None) -> None:
        """The mail before it to the same address is taken, and its result on the way to disk: open the next envelope.

        Half of the connections are left to others. ``body``: the mail, if its words are found already. Never waits.
        """
        now = self._context.wall.now()
        with self._guard:
            before = self._under_way.get(message.message_id)
            if before is not None and before.message == message:  # begun with when it was written
                before.ready.body = before.ready.body or body
                return
            self._forget(message)
            opened = sum(each.ready.envelope is not None for each in self._under_way.values())
            envelope = None
            if opened < max(1, self._context.senders // 2):
                envelope = self._context.notifier.open(message.recipient.address)
            if body is not None or envelope is not None:
                self._under_way[message.message_id] = _UnderWay(message, Ready(body, envelope), now)

    def post(self, message: Message) -> None:
        """It is committed: find its words, and put them into the envelope if that is open by now. Never waits."""
        with self._guard:  # or it might be thrown away meanwhile
            found = self._under_way.get(message.message_id)
            if found is None or found.message != message or self._old(found):
                return
            if self._has_words(found):
                found.ready.post_at_once()
            else:
                del self._under_way[message.message_id]

    def take(self, message: Message) -> Ready | None:
        """What is ready; None when nobody has begun with it."""
        with self._guard:
            found = self._under_way.pop(message.message_id, None)
        if found is None:
            return None
        if found.message != message:
            found.ready.discard()
            return None
        if self._old(found):
            found.ready.discard()  # a relay waits only so long for a mail; one that is posted stays
        return found.ready if self._has_words(found) else None

    def tidy(self, *, everything: bool = False) -> None:
        """Throw away what nobody has asked for."""
        with self._guard:
            waiting = [each for each in self._under_way.values() if not each.ready.posted]
            old = [each for each in waiting if everything or self._old(each)]
            for each in old:
                del self._under_way[each.message.message_id]
        for each in old:
            each.ready.discard()

    def _forget(self, message: Message) -> None:
        """One of this name was begun with in a transaction that failed."""
        before = self._under_way.pop(message.message_id, None)
        if before is not None:
            before.ready.discard()

    def _has_words(self, found: _UnderWay) -> bool:
        """Whether its words are found, now at the latest; if there are none its envelope is thrown away."""
        try:
            if found.ready.body is None:
                found.ready.body = deliver.compose(self._context, found.message)
        except Exception:  # met again, and counted, when it is sent the ordinary way
            log.exception("no words for a mail", extra={"message_id": found.message.message_id})
            found.ready.discard()
            return False
        return True

    def _old(self, found: _UnderWay) -> bool:
        return self._context.wall.now() - found.since > FORGOTTEN
