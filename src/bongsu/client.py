"""A client of Bongsu's own API, for the command line and the drills."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import urllib3

from bongsu.core.errors import BongsuError


class Refused(BongsuError):
    """The server answered with a problem."""


class Client:
    """Talks to one server."""

    def __init__(self, url: str, token: str = "", timeout: float = 10.0) -> None:
        self._url, self._token = url.rstrip("/"), token
        self._pool = urllib3.PoolManager(timeout=urllib3.Timeout(total=timeout), retries=False)

    def health(self) -> dict[str, Any]:
        """What /healthz says. Raises Refused."""
        found: dict[str, Any] = self._ask("GET", "/healthz")
        return found

    def incidents(self, **query: str) -> list[dict[str, Any]]:
        """Incidents, the newest first."""
        found: list[dict[str, Any]] = self._ask("GET", "/api/incidents", fields=query)
        return found

    def incident(self, incident_id: str) -> dict[str, Any]:
        """One incident with its timeline, deliveries and actions."""
        found: dict[str, Any] = self._ask("GET", f"/api/incidents/{incident_id}")
        return found

    def report(self, incident_id: str) -> dict[str, Any]:
        """An incident's report as facts."""
        found: dict[str, Any] = self._ask("GET", f"/api/incidents/{incident_id}/report")
        return found

    def text(self, path: str) -> str:
        """A page as text."""
        return self._send("GET", path, None, None).data.decode()

    def get(self, path: str, **fields: str) -> Any:
        """What a GET answers, as JSON. Raises Refused."""
        return self._ask("GET", path, fields=fields)

    def post(self, path: str, body: Mapping[str, object]) -> Any:
        """What a POST of JSON answers, as JSON; None when it answers nothing. Raises Refused."""
        return self._ask("POST", path, body=body)

    def raw(self, path: str) -> bytes:
        """What stands at a path, as it is. Raises Refused."""
        return self._send("GET", path, None, None).data

    def command(self, incident_id: str, verb: str, by: str, **more: float) -> dict[str, Any]:
        """acknowledge, snooze (minutes), escalate (tier), resolve or scale-out."""
        found: dict[str, Any] = self._ask("POST", f"/api/incidents/{incident_id}/{verb}", body={"by": by, **more})
        return found

    def _ask(
        self,
        method: str,
        path: str,
        *,
        fields: dict[str, str] | None = None,
        body: Mapping[str, object] | None = None,
    ) -> Any:
        answer = self._send(method, path, fields, body)
        return msgspec.json.decode(answer.data) if answer.data else None

    def _send(
        self, method: str, path: str, fields: dict[str, str] | None, body: Mapping[str, object] | None
    ) -> urllib3.BaseHTTPResponse:
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        try:
            if body is not None:
                headers["Content-Type"] = "application/json"
                answer = self._pool.request(method, self._url + path, body=msgspec.json.encode(body), headers=headers)
            else:
                answer = self._pool.request(method, self._url + path, fields=fields, headers=headers)
        except urllib3.exceptions.HTTPError as error:
            raise Refused(f"Bongsu at {self._url} does not answer ({error}); is `bongsu serve` running?") from None
        if answer.status >= 300:
            raise Refused(f"{method} {path}: {answer.status} {_message(answer.data)}")
        return answer


def _message(data: bytes) -> str:
    try:
        found = msgspec.json.decode(data)
    except msgspec.DecodeError:
        return data[:200].decode(errors="replace")
    return str(found.get("message", found)) if isinstance(found, dict) else str(found)
