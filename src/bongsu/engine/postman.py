"""Sends what is due on a few threads: one mail at a time to each address, in order, its result kept before the next.

So a kill repeats at most one mail for each recipient, and no "resolved" overtakes the alarm. Messages are claimed in
batches, and results are written in groups; what is held keeps its lease for as long as this process lives.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from functools import partial

from bongsu.core.delivery import channel_of, next_attempt
from bongsu.engine import deliver, relay
from bongsu.engine.ahead import Ahead
from bongsu.engine.context import Context
from bongsu.store import outbox
from bongsu.store.database import Transaction, after_commit
from bongsu.store.outbox import LEASE, Message, Result
from bongsu.telemetry import DWELL, JOB_FAILURES, count_delivery

log = logging.getLogger("bongsu.postman")
MOST_HELD = 256
"""Messages claimed at a time at the most: enough to keep every connection busy, few enough to share with others."""
GROUP = 64
"""Messages claimed, and results written, in one transaction at the most."""
EVERY = timedelta(seconds=1)
"""The distance of probes, and of rounds while something is under way."""
AT_REST = timedelta(seconds=5)
"""The distance of rounds while nothing waits: whatever is written here wakes the postman, so this is for what another
server leaves behind that dies."""
_BESIDE = 2
"""Threads beside one for each connection to the relay, so that other channels go on while all of those are stuck."""

Done = tuple[Message, Result | None]
"""A message, and how it went; None: given back untried, for the relay went away."""


class Postman:
    """``round`` claims and hands out; it returns at once. ``write`` writes results until ``stop``."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._pool = ThreadPoolExecutor(context.senders + _BESIDE, thread_name_prefix="sender")
        self._guard = threading.Lock()
        self._gate = threading.Lock()
        """Whoever puts mails on their way has it; once it ends nothing sets out any more."""
        self._ending = False
        self._held: dict[int, Message] = {}
        self._behind: dict[str, deque[Message]] = {}
        """By address: the messages that wait for the one under way."""
        self._ahead = Ahead(context)
        self._done: queue.SimpleQueue[Done | None] = queue.SimpleQueue()
        self._renewed = context.wall.now()
        self._probes = 0
        self._more = False
        """Whether more was due than could be held."""
        self.rest = EVERY
        """How long until the next round when nothing wakes it before."""
        context.outgoing.open(self._take_all, lambda: len(self._held) < MOST_HELD, self._prepare)

    def round(self) -> None:
        """Claim what is due and hand it to the senders; keep leases; ask for a relay that is away."""
        self.rest = EVERY
        self._claim()
        if not self._context.relay.down and not self._held:
            due = self._context.db.read(outbox.next_due)
            self.rest = AT_REST if due is None else min(AT_REST, max(EVERY, due - self._context.wall.now()))

    def _claim(self) -> None:
        relay.look(self._context)
        self._renew()
        self._ahead.tidy()
        if self._context.relay.down:
            self._probe()
        while (room := min(MOST_HELD - len(self._held), GROUP)) > 0 and self._is_due():
            claimed = deliver.claim(self._context, room)
            self._take_all(claimed)
            if len(claimed) < room:
                self._more = False
                return
        self._more = room <= 0

    def write(self) -> None:
        """Write results as they come, as many together as there are."""
        ended = False
        while not ended:
            taken = [self._done.get()]
            with suppress(queue.Empty):
                while len(taken) < GROUP:
                    taken.append(self._done.get_nowait())
            done = [each for each in taken if each is not None]
            ended = len(done) < len(taken)
            if done:
                self._write(done)

    def stop(self) -> None:
        """Finish what is under way."""
        self._context.outgoing.close()
        with self._gate:
            self._ending = True
        self._pool.shutdown(wait=True)
        self._ahead.tidy(everything=True)
        self._done.put(None)

    def give_back(self) -> None:
        """After the end: what is still held is anybody's."""
        self._context.db.write(lambda tx: outbox.let_go(tx, list(self._held.values())))

    def _is_due(self) -> bool:
        """Whether asking for the lock of a claim is worth it."""
        now, mail = self._context.wall.now(), not self._context.relay.down
        return self._context.db.read(lambda tx: outbox.is_due(tx, now, mail=mail))

    def _take_all(self, messages: Sequence[Message]) -> None:
        free: list[Message] = []
        with self._guard:
            for message in messages:
                self._held[message.id] = message
                behind = self._behind.get(message.recipient.address)
                if behind is None:
                    self._behind[message.recipient.address] = deque()
                    free.append(message)
                else:
                    behind.append(message)
        self._set_out(free)

    def _set_out(self, messages: Sequence[Message]) -> None:
        """It is their turn at their address. What is posted has a sender that hears the answer, even at the end."""
        with self._gate:
            if self._ending:
                return
            for message in messages:
                self._ahead.post(message)
                self._pool.submit(self._send, message)

    def _send(self, message: Message) -> None:
        ready, mail = self._ahead.take(message), channel_of(message.recipient.address) is None
        posted = ready is not None and ready.posted
        if not posted and (self._ending or (mail and self._context.relay.down)):
            if ready is not None:
                ready.discard()
            self._done.put((message, None))
            return
        following, body = self._behind_it(message) if mail else None, None
        try:
            if ready is not None and ready.post() is not None:
                body = self._words_of(following)  # while the relay looks at this one
            result = deliver.attempt(self._context, message, ready)
        except Exception as error:  # a fault of ours must not hold the address up, nor be tried without end
            JOB_FAILURES.labels("delivery").inc()
            log.exception("delivery failed", extra={"message_id": message.message_id})
            now, wait = self._context.wall.now(), next_attempt(message.attempts + 1, message.message_id)
            result = Result(message, "pending", now, "retry:error", type(error).__name__, now + wait)
        if following is not None and not self._context.relay.down:
            self._ahead.follow(following, body)
        self._done.put((message, result))
        count_delivery(result.outcome)
        if result.state == "accepted":
            due = message.due_at if message.attempts == 0 else message.written_at
            DWELL.observe((result.at - due).total_seconds())

    def _prepare(self, messages: Sequence[Message]) -> None:
        """Begin before the commit; when much is to be sent already, that would be for nothing."""
        if not self._held:
            self._ahead.begin(messages)

    def _behind_it(self, message: Message) -> Message | None:
        """The next mail to its address, which cannot go before the result of this one is kept."""
        with self._guard:
            behind = self._behind.get(message.recipient.address)
            return behind[0] if behind else None

    def _words_of(self, following: Message | None) -> bytes | None:
        with suppress(Exception):  # they are looked for again when it is sent, and a fault is seen there
            return None if following is None else deliver.compose(self._context, following)
        return None

    def _write(self, done: list[Done]) -> None:
        """Write results. Once they are committed a kill repeats none of them, so the next mails may go."""
        results = [result for _, result in done if result is not None]
        untried = [message for message, result in done if result is None]

        def job(tx: Transaction) -> None:
            if results:
                deliver.finish(tx, self._context, results)
            if untried:
                outbox.let_go(tx, untried)
            after_commit(tx, partial(self._next, done))

        try:
            self._context.db.write(job)
        except Exception:
            JOB_FAILURES.labels("results").inc()
            log.exception("results not written; these messages may go out once more")
            self._next(done)

    def _next(self, done: list[Done]) -> None:
        """Their addresses are free for what waits behind them; each is freed once."""
        following: list[Message] = []
        with self._guard:
            while done:
                message, _ = done.pop()
                self._held.pop(message.id, None)
                behind = self._behind[message.recipient.address]
                if behind:
                    following.append(behind.popleft())
                else:
                    del self._behind[message.recipient.address]
            claim = self._more and len(self._held) <= MOST_HELD // 2
        self._set_out(following)
        if claim:
            self._context.mail_due.set()

    def _renew(self) -> None:
        now = self._context.wall.now()
        if now - self._renewed < LEASE / 3:
            return
        self._renewed = now
        with self._guard:
            held = list(self._held.values())
        if held:
            self._context.db.write(lambda tx: outbox.renew(tx, held))

    def _probe(self) -> None:
        """One more than those that still wait for an answer: a silent connection hides no relay that is back."""
        with self._guard:
            if self._probes >= self._context.senders:
                return
            self._probes += 1
        self._pool.submit(self._ask)

    def _ask(self) -> None:
        try:
            relay.probe(self._context)
        except Exception:
            JOB_FAILURES.labels("probe").inc()
            log.exception("probe failed")
        finally:
            with self._guard:
                self._probes -= 1
