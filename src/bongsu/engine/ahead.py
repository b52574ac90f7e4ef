"""Mails that are made ready while the transaction that asks for them goes to disk.

Nothing is put into an envelope before that; what never comes to disk is thrown away with its envelope.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import Executor, Future
from contextlib import suppress
from datetime import datetime, timedelta
from typing import NamedTuple

from bongsu.core.delivery import channel_of
from bongsu.engine import deliver
from bongsu.engine.context import Context
from bongsu.engine.deliver import Ready
from bongsu.store.outbox import Message

FORGOTTEN = timedelta(seconds=2)
"""After which nobody will ask for it: the transaction has failed, or the disk is so slow that it does not matter."""


class _UnderWay(NamedTuple):
    message: Message
    ready: Future[Ready]
    since: datetime

    @property
    def made(self) -> Ready | None:
        """What came of it, if it has come to an end."""
        ended = self.ready.done() and not self.ready.cancelled() and self.ready.exception() is None
        return self.ready.result() if ended else None


class Ahead:
    """What is being made ready, by Message-ID; never more than the senders that there are."""

    def __init__(self, context: Context, pool: Executor) -> None:
        self._context, self._pool = context, pool
        self._guard = threading.Lock()
        self._under_way: dict[str, _UnderWay] = {}

    def begin(self, messages: Sequence[Message]) -> None:
        """Make these ready, if they are mail and few."""
        mails = [each for each in messages if channel_of(each.recipient.address) is None]
        now = self._context.wall.now()
        with self._guard, suppress(RuntimeError):  # the pool has ended
            if len(self._under_way) + len(mails) > self._context.senders:
                return
            for each in mails:
                ready = self._pool.submit(deliver.make_ready, self._context, each)
                self._under_way[each.message_id] = _UnderWay(each, ready, now)

    def post(self, message: Message) -> None:
        """It is on disk: put the mail into its envelope, if that is open by now. Never waits."""
        with self._guard:  # or it might be thrown away meanwhile
            found = self._under_way.get(message.message_id)
            if found is not None and found.message == message and found.made and not self._old(found):
                found.made.post()

    def take(self, message: Message) -> Ready | None:
        """What is ready, or about to be; None when nobody has begun with it."""
        with self._guard:
            found = self._under_way.pop(message.message_id, None)
        if found is None or found.ready.cancel() or found.ready.exception() is not None:
            return None
        ready = found.ready.result()
        if found.message != message or self._old(found):
            ready.discard()  # a relay waits only so long for a mail; one that is posted stays
        return ready if found.message == message else None

    def tidy(self, *, everything: bool = False) -> None:
        """Throw away what nobody has asked for."""
        with self._guard:
            old = [each for each in self._under_way.values() if everything or self._old(each)]
            old = [each for each in old if each.made is None or not each.made.posted]
            for each in old:
                del self._under_way[each.message.message_id]
        for each in old:
            if not each.ready.cancel():
                each.ready.add_done_callback(_discard)

    def _old(self, found: _UnderWay) -> bool:
        return self._context.wall.now() - found.since > FORGOTTEN


def _discard(made: Future[Ready]) -> None:
    if made.exception() is None:
        made.result().discard()
