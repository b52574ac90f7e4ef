"""HAProxy's runtime API over its admin socket (HAProxy Management Guide, section 9.3)."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from bongsu.ports import Unavailable

_OPERATIONAL, _ADMIN = 5, 6
_DRAIN, _MAINT = 0x08, 0x01
"""Bits of srv_admin_state in ``show servers state``: forced drain, forced maintenance."""


class HAProxy:
    """One backend, whose servers are named like the machines."""

    def __init__(self, path: str, backend: str, timeout: float = 3.0) -> None:
        self._path, self._backend, self._timeout = path, backend, timeout

    def members(self) -> frozenset[str]:
        """Servers with traffic or on their way to it: neither in maintenance nor drained."""
        return frozenset(name for name, admin in self._servers().items() if not admin & (_DRAIN | _MAINT))

    def add(self, name: str, address: str) -> None:
        """Add a server with a health check, or give one that is there its traffic back."""
        where = f"{self._backend}/{name}"
        if name not in self._servers():
            # every server has weight 100, because percentages are truncated
            check = "check inter 1s fastinter 250ms fall 5 rise 1"
            said = self._ask(f"add server {where} {address} {check} weight 100 maxconn 64")
            if "New server registered" not in said:
                raise Unavailable(f"HAProxy does not add {where}: {said}")
            self._ask(f"enable health {where}")  # without it the check of a new server does not run
        self._ask(f"set server {where} state ready")

    def drain(self, name: str) -> None:
        """No new traffic for a server."""
        self._ask(f"set server {self._backend}/{name} state drain")

    def remove(self, name: str) -> None:
        """Delete an idle server."""
        if name not in self._servers():
            return
        where = f"{self._backend}/{name}"
        self._ask(f"set server {where} state maint")
        said = self._ask(f"del server {where}")
        if "deleted" not in said:
            raise Unavailable(f"HAProxy does not delete {where} yet: {said}")

    def _servers(self) -> dict[str, int]:
        lines = self._ask(f"show servers state {self._backend}").splitlines()
        rows = [line.split(" ") for line in lines if line and line[0].isdigit() and " " in line]
        return {row[3]: int(row[_ADMIN]) for row in rows if len(row) > _ADMIN}

    def _ask(self, command: str) -> str:
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
                line.settimeout(self._timeout)
                _connect(line, Path(self._path))
                line.sendall(f"{command}\n".encode())
                parts = []
                while part := line.recv(65536):
                    parts.append(part)
        except OSError as error:
            raise Unavailable(f"HAProxy at {self._path} does not answer: {error}") from None
        return b"".join(parts).decode().strip()


def _connect(line: socket.socket, path: Path) -> None:
    """Through the folder's descriptor, because an address holds 107 bytes and a path may be longer."""
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        line.connect(f"/proc/self/fd/{folder}/{path.name}")
    finally:
        os.close(folder)
