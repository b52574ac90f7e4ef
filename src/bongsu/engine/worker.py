"""The loops that keep everything going, and the only place that catches whatever a job may raise."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from bongsu.engine import announce, command, deliver, expose, intake, report, respond, watch
from bongsu.engine.context import Context
from bongsu.store import outbox
from bongsu.store.outbox import Message
from bongsu.telemetry import JOB_FAILURES, JOB_RUNS, count_delivery

log = logging.getLogger("bongsu.worker")
SENDERS = 4
"""Connections to the mail relay at the most, so that one silent answer does not hold the others up."""

STORM = 0.05
"""Seconds of deciding from which on it pauses, so that taking alerts in has the processor."""


class Worker:
    """Runs the watch, the timers, the deliveries and the actions on threads of their own until it is stopped."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._stop = threading.Event()
        self._senders = ThreadPoolExecutor(SENDERS, thread_name_prefix="sender")
        self._sending = threading.BoundedSemaphore(SENDERS)
        every = context.timescale.wall_span(context.watch_every)
        nap = threading.Event()
        loops: list[tuple[str, Callable[[], object], timedelta, threading.Event]] = [
            ("watch", self._look, every, nap),
            ("deliver", self._deliver, timedelta(seconds=1), context.mail_due),
            ("decide", self._decide, timedelta(seconds=5), context.touched.due),
            ("respond", self._respond, timedelta(seconds=0.5), context.work_due),
        ]
        self._nap = nap
        self._threads = [threading.Thread(target=self._loop, args=each, name=each[0], daemon=True) for each in loops]
        self._threads.append(threading.Thread(target=self._keep, name="keep", daemon=True))

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Finish what is under way and end."""
        self._stop.set()
        for wake in (self._nap, self._context.mail_due, self._context.touched.due, self._context.work_due):
            wake.set()
        self._context.arriving.wake()
        for thread in self._threads:
            thread.join(timeout=10)
        self._senders.shutdown(wait=True, cancel_futures=True)

    def _loop(self, name: str, job: Callable[[], object], every: timedelta, wake: threading.Event) -> None:
        while not self._stop.is_set():
            began = self._context.wall.now()
            wake.clear()
            self._guard(name, job)
            left = every - (self._context.wall.now() - began)
            if left > timedelta(0) and not self._stop.is_set():
                wake.wait(left.total_seconds())

    def _guard(self, name: str, job: Callable[[], object]) -> bool:
        JOB_RUNS.labels(name).inc()
        try:
            job()
        except Exception:
            JOB_FAILURES.labels(name).inc()
            log.exception("job failed", extra={"job": name})
            return False
        return True

    def _look(self) -> None:
        looked = self._guard("watch_services", lambda: watch.watch(self._context))
        timed = self._guard("timers", lambda: command.due(self._context))
        if looked and timed:  # otherwise the heartbeat stands still, and others may speak up
            self._guard("gauges", lambda: expose.expose(self._context))
        self._guard("alerts", lambda: intake.look_again(self._context))
        self._guard("announce", lambda: announce.announce(self._context))
        self._guard("shrink", lambda: respond.shrink(self._context))

    def _keep(self) -> None:
        while not self._stop.is_set():
            self._guard("keep", lambda: intake.keep_arriving(self._context))

    def _decide(self) -> None:
        """At once when it is quiet; in a storm of alerts deciding takes a tenth of the time at the most."""
        began = self._context.wall.now()
        self._guard("arrived", lambda: intake.decide_touched(self._context))
        took = (self._context.wall.now() - began).total_seconds()
        if took > STORM:
            self._stop.wait(9 * took)

    def _respond(self) -> None:
        self._guard("actions", lambda: respond.respond(self._context))
        self._guard("reports", lambda: report.keep(self._context))

    def _deliver(self) -> None:
        while not self._stop.is_set():
            self._sending.acquire()
            try:
                messages = deliver.claim(self._context, limit=1)
            except Exception:
                self._sending.release()
                raise
            if not messages:
                self._sending.release()
                return
            self._senders.submit(self._send, messages[0])

    def _send(self, message: Message) -> None:
        try:
            self._guard("delivery", lambda: count_delivery(deliver.deliver(self._context, message)))
        finally:
            self._sending.release()
            if self._context.db.read(outbox.next_due) is not None:
                self._context.mail_due.set()
