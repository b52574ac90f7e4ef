"""Ports and plain HTTP on 127.0.0.1, and nowhere else."""

from __future__ import annotations

import ipaddress
import json
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from bongsu.core.errors import BongsuError

HOST = "127.0.0.1"
# Below the range from which the kernel takes the ports of outgoing connections (32768 upwards): the load driver's
# own connections would otherwise take the port of a machine that is still to come.
FIRST_PORT, LAST_PORT = 20000, 32000


def free_ports(mark: str) -> Iterator[int]:
    """Free loopback ports, for ever; the same ``mark`` (hex) begins at the same place, so addresses stay put."""
    span = LAST_PORT - FIRST_PORT
    start = int(mark, 16) % span // 50 * 50
    offset = 0
    while offset < span:
        port = FIRST_PORT + (start + offset) % span
        offset += 1
        if is_free(port):
            yield port
    raise BongsuError(f"no free port between {FIRST_PORT} and {LAST_PORT} on {HOST}; end other labs and try again")


def is_free(port: int) -> bool:
    """Whether nobody listens on a loopback port; connections of the past do not count."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
            probe.listen(1)
        except OSError:
            return False
    return True


def is_loopback(url: str) -> bool:
    """Whether a URL leads to this machine's loopback and nowhere else."""
    parts = urlsplit(url)
    if parts.scheme != "http" or parts.hostname is None:
        return False
    try:
        return ipaddress.ip_address(parts.hostname).is_loopback
    except ValueError:
        return parts.hostname == "localhost"


def listens(port: int) -> bool:
    """Whether something accepts connections on a loopback port."""
    try:
        socket.create_connection((HOST, port), timeout=0.5).close()
    except OSError:
        return False
    return True


def answers(url: str, timeout: float = 1.0) -> bool:
    """Whether a URL answers with a status below 400."""
    try:
        with _open(urllib.request.Request(url), timeout):  # noqa: S310  (loopback only, see _open)
            return True
    except OSError:
        return False


def fetch(url: str, timeout: float = 5.0) -> str:
    """The body of a URL. Raises OSError."""
    with _open(urllib.request.Request(url), timeout) as answer:  # noqa: S310
        text: str = answer.read().decode()
        return text


def call(method: str, url: str, body: object = None, timeout: float = 15.0) -> Any:
    """A JSON call. Raises BongsuError with the other side's words when it refuses, or when it is not there."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(  # noqa: S310
        url, data=data, method=method, headers={"Content-Type": "application/json"}
    )
    try:
        with _open(request, timeout) as answer:
            return json.loads(answer.read())
    except urllib.error.HTTPError as error:
        text = error.read().decode(errors="replace")
        try:
            text = json.loads(text)["error"]
        except (ValueError, KeyError, TypeError):
            text = text or error.reason
        raise BongsuError(f"{method} {url}: {error.code}: {text}") from None
    except OSError as error:
        raise BongsuError(f"{method} {url}: nobody answers ({error})") from None


# Without proxies: an http_proxy in somebody's environment must not carry loopback calls away.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def _open(request: urllib.request.Request, timeout: float) -> Any:
    assert is_loopback(request.full_url), request.full_url
    return _OPENER.open(request, timeout=timeout)
