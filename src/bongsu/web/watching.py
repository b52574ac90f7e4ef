"""For those who watch the watcher: health, metrics, and the door for heartbeats."""

from __future__ import annotations

import hmac
import logging
import threading
from typing import Any

import msgspec
from litestar import Request, Response, Router, get, route
from litestar.datastructures import State
from litestar.exceptions import NotAuthorizedException
from litestar.params import FromPath, FromQuery
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from bongsu.engine import burst, health, heartbeat
from bongsu.engine.context import Context
from bongsu.store import outbox
from bongsu.telemetry import REGISTRY

log = logging.getLogger("bongsu.web")
_ONE_SCRAPE = threading.Lock()
"""Gauges are cleared and set anew: nobody may read them in between."""
_PUBLIC, _METRICS = {"right": "public"}, {"right": "metrics"}


@get("/healthz", sync_to_thread=True, opt=_METRICS)
def healthz(state: State) -> Response[dict[str, Any]]:
    """Whether Bongsu does its work: 200, or 503 with every reason why it cannot be relied on."""
    context: Context = state.context
    found = health.look(context)
    said = {
        "status": "failing" if found.complaints else "ok",
        "reasons": msgspec.to_builtins(found.complaints),
        "warnings": msgspec.to_builtins(found.warnings),
        "outbox": dict(found.outbox),
        "time": context.clock.now().isoformat(),
    }
    return Response(said, status_code=503 if found.complaints else 200)


@get("/livez", sync_to_thread=False, opt=_PUBLIC)
def livez() -> dict[str, str]:
    """The process answers; when it does not, start it again."""
    return {"status": "ok"}


@get("/readyz", sync_to_thread=True, opt=_PUBLIC)
def readyz(state: State) -> Response[dict[str, str]]:
    """Whether requests can be answered: the database is there."""
    context: Context = state.context
    try:
        context.db.read(outbox.counts)
    except Exception as error:  # whatever it is, requests would meet it too
        return Response({"status": f"the database does not answer ({type(error).__name__})"}, status_code=503)
    return Response({"status": "ok"})


@get("/metrics", sync_to_thread=True, media_type="text/plain", opt=_METRICS)
def metrics(state: State) -> Response[bytes]:
    """Bongsu's own metrics; those of machines' credits are as new as the last look."""
    with _ONE_SCRAPE:
        try:
            burst.expose(state.context)
        except Exception:  # whatever is wrong with the database, the other metrics are there to tell
            log.exception("metrics of burst credits not refreshed")
        return Response(generate_latest(REGISTRY), headers={"Content-Type": CONTENT_TYPE_LATEST})


@route("/heartbeat/{name:str}", http_method=["GET", "POST"], status_code=200, sync_to_thread=True, opt=_PUBLIC)
def take_heartbeat(
    request: Request[Any, Any, Any], state: State, name: FromPath[str], token: FromQuery[str] = ""
) -> dict[str, Any]:
    """A heartbeat is heard, if its token is right."""
    context: Context = state.context
    owed = context.heartbeats.get(name)
    given = token or request.headers.get("authorization", "").removeprefix("Bearer ")
    if not hmac.compare_digest(given.encode(), (owed.token if owed else "").encode()) or owed is None:
        raise NotAuthorizedException("send ?token=TOKEN, from the file heartbeat-NAME of the server's secrets")
    heartbeat.beat(context, [name])
    return {"heartbeat": name, "expected_every_s": owed.every.total_seconds()}


watching_router = Router("/", route_handlers=[healthz, livez, readyz, metrics, take_heartbeat])
