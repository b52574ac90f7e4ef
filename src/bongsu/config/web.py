"""The console's section: where it listens, and who may use it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import msgspec

SENDER = "alertmanager_token"
"""The secret with which Prometheus sends alerts where that needs one."""


class Web(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The console: where it listens, the address that links in mails begin with, and its secrets' files.

    ``address`` (host:port) is where Prometheus and Grafana reach it, if that is not where it listens. ``anonymous``
    (none or viewer): what whoever is not logged in may do; ``alertmanager`` and ``metrics`` (open or token): whether
    sending alerts, and reading /metrics and /healthz, needs a token. A session ends when nobody used it for
    ``session_idle``, or after ``session_longest``.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    public_url: str | None = None
    address: str | None = None
    secrets: Path = Path("var/bongsu/secrets")
    link_expires: timedelta = timedelta(hours=24)
    anonymous: str = "none"
    alertmanager: str = "open"
    metrics: str = "open"
    session_idle: timedelta = timedelta(hours=12)
    session_longest: timedelta = timedelta(days=7)


def web_faults(web: Web) -> list[str]:
    """What is wrong with it."""
    problems = []
    known = {
        "anonymous": (web.anonymous, ("none", "viewer")),
        "alertmanager": (web.alertmanager, ("open", "token")),
        "metrics": (web.metrics, ("open", "token")),
    }
    for key, (value, among) in known.items():
        if value not in among:
            problems.append(f"web.{key}: {value!r} is neither {among[0]} nor {among[1]}")
    for key, span in (("session_idle", web.session_idle), ("session_longest", web.session_longest)):
        if span < timedelta(minutes=1):
            problems.append(f"web.{key}: must be at least PT1M")
    return problems
