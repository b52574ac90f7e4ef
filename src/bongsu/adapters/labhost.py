"""The lab's supervisor as a provider of machines, over its control address."""

from __future__ import annotations

from typing import Any

import msgspec
import urllib3

from bongsu.ports import Unavailable


class LabHost:
    """Starts and stops lab machines."""

    def __init__(self, url: str, timeout: float = 5.0) -> None:
        self._url = url.rstrip("/")
        self._pool = urllib3.PoolManager(timeout=urllib3.Timeout(total=timeout), retries=False)

    def start(self, name: str) -> None:
        """Ask for a machine, unless it is there already."""
        if name not in self._machines():
            self._ask("POST", "/machines", {"name": name})

    def answers(self, name: str) -> str | None:
        """The machine's address once its readiness check says yes."""
        machine = self._machines().get(name)
        if machine is None or machine["state"] != "running":
            return None
        address: str = machine["address"]
        try:
            answer = self._pool.request("GET", f"http://{address}/healthz/ready", timeout=2.0)
        except urllib3.exceptions.HTTPError:
            return None
        return address if answer.status == 200 else None

    def stop(self, name: str) -> None:
        """Stop a machine, if it is there."""
        if name in self._machines():
            self._ask("DELETE", f"/machines/{name}")

    def _machines(self) -> dict[str, dict[str, Any]]:
        return {machine["name"]: machine for machine in self._ask("GET", "/machines")}

    def _ask(self, method: str, path: str, body: dict[str, str] | None = None) -> Any:
        sent = None if body is None else msgspec.json.encode(body)
        try:
            answer = self._pool.request(method, self._url + path, body=sent)
        except urllib3.exceptions.HTTPError as error:
            raise Unavailable(f"the lab at {self._url} does not answer: {error}") from None
        if answer.status >= 300:
            raise Unavailable(f"the lab refuses {method} {path}: {answer.status} {answer.data[:200].decode()}")
        return msgspec.json.decode(answer.data) if answer.data else None
