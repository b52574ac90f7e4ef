"""The express lane for alerts: ``POST /api/v2/alerts`` is answered in front of the framework.

Decoding is most of the work of a small POST, the framework's routing most of the rest (measured: bench/ingest.py). The
route stands in the framework too, for the API's description; both do the same.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import msgspec
from litestar.datastructures import Headers

from bongsu.core.errors import BongsuError
from bongsu.engine.context import Context
from bongsu.engine.sessions import sends_alerts
from bongsu.web.alertmanager import take
from bongsu.web.problems import status_of
from bongsu.web.rights import bearer

log = logging.getLogger("bongsu.web")
_TYPE = (b"content-type", b"application/json")


class Door:
    """An ASGI application in front of another."""

    def __init__(self, app: Any, context: Context, largest_body: int) -> None:
        self._app, self._context, self._largest = app, context, largest_body

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer posted alerts, pass everything else on."""
        posted = scope["type"] == "http" and scope["path"] == "/api/v2/alerts" and scope["method"] == "POST"
        if not posted or not self._open_to(scope):
            await self._app(scope, receive, send)
            return
        code, said = 200, b""
        try:
            body = await self._body(receive)
            if body is None:
                return
            await take(self._context, body)
        except BongsuError as error:
            code, said = status_of(error), msgspec.json.encode(str(error))
        except _TooLarge:
            code, said = 413, msgspec.json.encode(f"the body is larger than {self._largest} bytes; send fewer alerts")
        except asyncio.CancelledError:
            raise
        except Exception:
            log.exception("alerts not kept")
            code, said = 500, msgspec.json.encode("the alerts could not be kept; send them again")
        headers = [_TYPE, (b"content-length", b"%d" % len(said))]
        await send({"type": "http.response.start", "status": code, "headers": headers})
        await send({"type": "http.response.body", "body": said})

    def _open_to(self, scope: Any) -> bool:
        """Whether alerts are taken here; whoever needs another token than Prometheus' is asked by the guard."""
        access = self._context.access
        return access.alerts_open or sends_alerts(access, bearer(Headers.from_scope(scope)) or "")

    async def _body(self, receive: Any) -> bytes | None:
        """The whole body; None when the client is gone."""
        parts: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            part = message.get("body", b"")
            size += len(part)
            if size > self._largest:
                raise _TooLarge
            parts.append(part)
            if not message.get("more_body"):
                return b"".join(parts)


class _TooLarge(Exception):
    pass
