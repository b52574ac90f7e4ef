"""The one object that a service holds."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TypeVar

from prometheus_client import CollectorRegistry, disable_created_metrics, generate_latest

from bongsu_instrument.endpoint import Answer, Endpoint
from bongsu_instrument.logs import LogCount
from bongsu_instrument.pool import Pool, PoolCollector, PoolWatch
from bongsu_instrument.requests import BUCKETS, MAX_URIS, App, RequestMeters, RequestMiddleware
from bongsu_instrument.system import SystemCollector

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
METRICS_PATH, HEALTH_PATH = "/actuator/prometheus", "/actuator/health"
_P = TypeVar("_P", bound=Pool)


class Instrument:
    """Metrics of one service under Micrometer's names.

    ``registry``: where own metrics may be added; a new, empty one by default, without prometheus_client's process,
    platform and garbage collector metrics, whose names would clash. ``buckets``: bounds of the request histogram in
    seconds. ``max_uris``: routes counted apart; further ones are ``UNKNOWN``. ``disks``: folders whose file systems
    are measured.

    One process is one target: several workers behind one port would each show a part.
    """

    def __init__(
        self,
        registry: CollectorRegistry | None = None,
        *,
        buckets: Sequence[float] = BUCKETS,
        max_uris: int = MAX_URIS,
        disks: Sequence[str | os.PathLike[str]] = (".",),
    ) -> None:
        # Micrometer has no `_created` series. The switch is the whole process's.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = registry if registry is not None else CollectorRegistry()
        self._requests = RequestMeters(self.registry, buckets, max_uris)
        self._system = SystemCollector(disks)
        self._pools = PoolCollector()
        self._logs: LogCount | None = None
        self.registry.register(self._system)
        self.registry.register(self._pools)

    def asgi(self, app: App, *, actuator: bool = False) -> App:
        """Count the requests of an ASGI application; also fit for ``app.add_middleware(instrument.asgi)``.

        ``actuator``: answer ``/actuator/prometheus`` and ``/actuator/health`` here as well, to everybody who reaches
        the application.
        """
        return RequestMiddleware(app, self._requests, self._answers() if actuator else {})

    def count_logs(self) -> LogCount:
        """Count the process's log records by level from now on. Calling it again changes nothing."""
        if self._logs is None:
            self._logs = LogCount(self.registry)
        return self._logs

    def watch_pool(self, pool: _P, name: str | None = None) -> _P:
        """Watch a psycopg pool; give it before its first connection is taken. Returns the same pool.

        ``name``: the label ``pool``; the pool's own name by default. Raises TypeError for an asynchronous pool,
        ValueError for a name that is taken.
        """
        label = name or str(getattr(pool, "name", "pool"))
        if label in self._pools.pools:
            raise ValueError(f"a pool named {label!r} is watched already")
        self._pools.pools[label] = PoolWatch(pool, label)
        return pool

    def forget_pool(self, name: str) -> None:
        """Watch it no more. An unknown name is no error."""
        watch = self._pools.pools.pop(name, None)
        if watch is not None:
            watch.stop()

    def started(self, application: str) -> None:
        """Say that the application answers from now on: ``application_started_time_seconds``."""
        self._system.started(application)

    def exposition(self) -> bytes:
        """All metrics in Prometheus' text format 0.0.4."""
        return generate_latest(self.registry)

    def serve(self, host: str = "127.0.0.1", port: int = 0) -> Endpoint:
        """Serve the metrics on a daemon thread and port of their own; port 0 takes a free one.

        Raises OSError when the address cannot be had.
        """
        return Endpoint(host, port, self._answers())

    def _answers(self) -> dict[str, Answer]:
        metrics: Callable[[], tuple[str, bytes]] = lambda: (CONTENT_TYPE, self.exposition())  # noqa: E731
        return {METRICS_PATH: metrics, HEALTH_PATH: lambda: ("application/json", b'{"status":"UP"}')}
