"""The one object that a service holds."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, TypeVar

from prometheus_client import (
    GC_COLLECTOR,
    PROCESS_COLLECTOR,
    REGISTRY,
    CollectorRegistry,
    GCCollector,
    disable_created_metrics,
    generate_latest,
)

from bongsu_instrument import asgi, frameworks, wsgi
from bongsu_instrument.endpoint import Answer, Endpoint
from bongsu_instrument.logs import LogCount
from bongsu_instrument.pool import PoolCollector, PoolWatch
from bongsu_instrument.psycopg_pools import PsycopgWatch
from bongsu_instrument.requests import BUCKETS, MAX_URIS, RequestMeters
from bongsu_instrument.system import SystemCollector

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
METRICS_PATH, HEALTH_PATH = "/actuator/prometheus", "/actuator/health"
_P = TypeVar("_P")


class Instrument:
    """Metrics of one service under Micrometer's names.

    ``registry``: where own metrics may be added; a new, empty one by default. prometheus_client's own ``REGISTRY``
    may be given, to keep what is there; its process and garbage collection metrics give way to ours, of the same
    names. ``buckets``: bounds of the request histogram in seconds. ``max_uris``: routes counted apart; further ones
    are ``UNKNOWN``. ``disks``: folders whose file systems are measured.

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
        if self.registry is REGISTRY:
            for theirs in (PROCESS_COLLECTOR, GC_COLLECTOR):
                with suppress(KeyError):  # somebody has taken it out before
                    REGISTRY.unregister(theirs)
        self._requests = RequestMeters(self.registry, buckets, max_uris)
        self._system = SystemCollector(disks)
        self._pools = PoolCollector()
        self._logs: LogCount | None = None
        self.registry.register(self._system)
        self.registry.register(self._pools)
        GCCollector(self.registry)

    def watch(self, app: Any, *, actuator: bool = False) -> Any:
        """Count the requests of an application of FastAPI, Starlette, Flask or Django, and the process's log events.

        Use what is returned: for Django it is another object. Call it before the first request; of several
        middlewares the one added last sees most. ``actuator`` as in ``asgi``. Raises TypeError for anything else.
        """
        watched = frameworks.watch(self, app, actuator=actuator)
        self.count_logs()
        return watched

    def asgi(self, app: asgi.App, *, actuator: bool = False) -> asgi.App:
        """Count the requests of an ASGI application; also fit for ``app.add_middleware(instrument.asgi)``.

        ``actuator``: answer ``/actuator/prometheus`` and ``/actuator/health`` here as well, to everybody who reaches
        the application.
        """
        return asgi.AsgiMiddleware(app, self._requests, self._answers() if actuator else {})

    def wsgi(self, app: wsgi.App, *, route: wsgi.Route = wsgi.noted_route, actuator: bool = False) -> wsgi.App:
        """Count the requests of a WSGI application.

        ``route`` gets the environ when a request is over and gives the template that it took, such as
        ``/products/{id}``; None for none. Never give the path itself, which holds ids. ``actuator`` as in ``asgi``.
        """
        return wsgi.WsgiMiddleware(app, self._requests, self._answers() if actuator else {}, route)

    def count_logs(self) -> LogCount:
        """Count the process's log records by level from now on. Calling it again changes nothing.

        Where structlog prints by itself, its processors need ``instrument.count_logs().structlog`` as the first.
        """
        if self._logs is None:
            self._logs = LogCount(self.registry)
        return self._logs

    def watch_pool(self, pool: _P, name: str | None = None) -> _P:
        """Watch connections; call it before the first one is taken. Returns what it was given.

        ``pool``: a pool of psycopg_pool, or an engine of SQLAlchemy, synchronous or not. ``name``: the label
        ``pool``; by default the pool's own name, or the engine's ``logging_name`` or kind of database. Raises
        TypeError for what cannot be watched, ValueError for a name that is taken.
        """
        engine = _engine_of(pool)
        label = name or str(getattr(engine or pool, "logging_name", None) or getattr(engine or pool, "name", "pool"))
        if label in self._pools.pools:
            raise ValueError(f"a pool named {label!r} is watched already")
        watch: PoolWatch
        if engine is not None:
            from bongsu_instrument.sqlalchemy_pools import EngineWatch

            watch = EngineWatch(engine, label)
        elif all(hasattr(pool, each) for each in ("getconn", "putconn", "get_stats")):
            watch = PsycopgWatch(pool, label)  # type: ignore[arg-type]
        else:
            raise TypeError(f"{type(pool).__name__} is neither a pool of psycopg_pool nor an engine of SQLAlchemy")
        self._pools.pools[label] = watch
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

        Raises OSError when the address cannot be had. A thread does not survive a fork: call it in the process that
        answers requests.
        """
        return Endpoint(host, port, self._answers())

    def _answers(self) -> dict[str, Answer]:
        return {
            METRICS_PATH: lambda: (CONTENT_TYPE, self.exposition()),
            HEALTH_PATH: lambda: ("application/json", b'{"status":"UP"}'),
        }


def _engine_of(pool: object) -> Any:
    """The engine that does the work of an engine or asynchronous engine of SQLAlchemy; None for anything else."""
    kind = getattr(sys.modules.get("sqlalchemy"), "Engine", None)
    inner = getattr(pool, "sync_engine", pool)
    return inner if kind is not None and isinstance(inner, kind) else None
