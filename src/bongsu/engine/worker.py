"""The loops that keep everything going, and the only place that catches whatever a job may raise."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import timedelta

from bongsu.engine import (
    anchor,
    announce,
    auditor,
    burst,
    clocks,
    command,
    contacts,
    data,
    expose,
    followup,
    heartbeat,
    intake,
    readiness,
    report,
    respond,
    review,
    tidy,
    watch,
)
from bongsu.engine.context import Context
from bongsu.engine.postman import Postman
from bongsu.telemetry import JOB_ENDED, JOB_FAILURES, JOB_RUNS

log = logging.getLogger("bongsu.worker")
SOON = 0.5
"""Seconds between two steps of an action."""
STORM = 0.05
"""Seconds of deciding from which on it pauses, so that taking alerts in has the processor."""
LONGEST_PAUSE = 2.0


class Worker:
    """Runs the watch, the timers, the deliveries and the actions on threads of their own until it is stopped."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._stop = threading.Event()
        self._postman = Postman(context)
        self._unfinished = 0
        every = context.timescale.wall_span(context.watch_every)
        nap, week = threading.Event(), threading.Event()
        loops: list[tuple[str, Callable[[], object], timedelta | Callable[[], timedelta], threading.Event]] = [
            ("watch", self._look, every, nap),
            ("deliver", self._postman.round, lambda: self._postman.rest, context.mail_due),
            ("decide", self._decide, timedelta(seconds=5), context.touched.due),
            ("respond", self._respond, timedelta(seconds=2), context.work_due),
            ("reports", lambda: report.keep(context), timedelta(seconds=5), week),
            ("people", self._people, timedelta(seconds=20), week),
            ("remind", self._remind, timedelta(minutes=5), week),
            ("audit", lambda: auditor.audit(context), auditor.EVERY, threading.Event()),
            ("tidy", lambda: tidy.tidy(context), timedelta(hours=1), week),
            ("clocks", lambda: clocks.compare(context), clocks.EVERY, threading.Event()),
        ]
        foresight = max(context.timescale.wall_span(burst.STEP), timedelta(seconds=10))
        loops.append(("burst", lambda: burst.foresee(context), foresight, week))
        if context.providers:
            loops.append(("anchor", lambda: anchor.anchor_all(context), timedelta(minutes=5), week))
        if context.data:
            loops.append(("data", lambda: data.look_after(context), timedelta(seconds=2), nap))
        if context.heartbeats or context.heartbeat_out:
            loops.append(("heartbeats", self._beat, heartbeat.EVERY, threading.Event()))
        self._wakes = list(dict.fromkeys(each[3] for each in loops))
        self._threads = [threading.Thread(target=self._loop, args=each, name=each[0], daemon=True) for each in loops]
        self._keepers = context.db.writers
        for _ in range(self._keepers):
            self._threads.append(threading.Thread(target=self._keep, name="keep", daemon=True))
        self._writer = threading.Thread(target=self._postman.write, name="results", daemon=True)

    def start(self) -> None:
        """Begin."""
        for thread in (*self._threads, self._writer):
            thread.start()

    def stop(self) -> None:
        """Finish what is under way and end."""
        self._stop.set()
        for wake in self._wakes:
            wake.set()
        for _ in range(self._keepers):
            self._context.arriving.wake()
        for thread in self._threads:
            thread.join(timeout=10)
        self._postman.stop()
        self._writer.join(timeout=10)
        self._postman.give_back()

    def _loop(
        self,
        name: str,
        job: Callable[[], object],
        every: timedelta | Callable[[], timedelta],
        wake: threading.Event,
    ) -> None:
        while not self._stop.is_set():
            began = self._context.wall.now()
            wake.clear()
            self._guard(name, job)
            rest = every if isinstance(every, timedelta) else every()
            left = rest - (self._context.wall.now() - began)
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
        JOB_ENDED.labels(name).set(self._context.wall.now().timestamp())
        return True

    def _look(self) -> None:
        looked = self._guard("watch_services", lambda: watch.watch(self._context))
        timed = self._guard("timers", lambda: command.due(self._context))
        if looked and timed:  # otherwise the heartbeat stands still, and others may speak up
            self._guard("gauges", lambda: expose.expose(self._context))
        self._guard("alerts", lambda: intake.look_again(self._context))
        self._guard("announce", lambda: announce.announce(self._context))
        self._guard("shrink", lambda: respond.shrink(self._context))

    def _beat(self) -> None:
        self._guard("heartbeats_in", lambda: heartbeat.look(self._context))
        self._guard("heartbeat_out", lambda: heartbeat.send(self._context))

    def _keep(self) -> None:
        while not self._stop.is_set():
            self._guard("keep", lambda: intake.keep_arriving(self._context))

    def _decide(self) -> None:
        """At once when it is quiet; in a storm, when more wait already, it pauses: one decision speaks for many."""
        began = self._context.wall.now()
        self._guard("arrived", lambda: intake.decide_touched(self._context))
        took = (self._context.wall.now() - began).total_seconds()
        if took > STORM or self._context.touched.waiting:
            self._stop.wait(min(19 * took, LONGEST_PAUSE))

    def _respond(self) -> None:
        """Often while an action is under way, for a machine that answers should get traffic at once."""
        while self._guard("actions", self._act):
            if not self._unfinished or self._stop.wait(SOON):
                return

    def _act(self) -> None:
        self._unfinished = respond.respond(self._context)

    def _people(self) -> None:
        self._guard("contacts", lambda: contacts.due(self._context))
        self._guard("readiness", lambda: readiness.due(self._context))

    def _remind(self) -> None:
        self._guard("items", lambda: followup.remind(self._context))
        meeting = self._context.meeting
        if meeting is not None:
            self._guard("review", lambda: review.invite(self._context, meeting))
