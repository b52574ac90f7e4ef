"""Faults in how messages are to reach people: the mail relay, channels, digests."""

from __future__ import annotations

import re
from datetime import timedelta

from bongsu.config.sections import Config

MOST_CONNECTIONS = 16


def delivery_problems(config: Config) -> list[str]:
    """Every fault in [smtp], [channel.*] and what [alerts] says of delivery."""
    mail, alerts = config.smtp, config.alerts
    problems: list[str] = []
    if mail.tls not in ("none", "starttls", "implicit"):
        problems.append("smtp.tls: must be none, starttls or implicit")
    if not 1 <= mail.connections <= MOST_CONNECTIONS:
        problems.append(f"smtp.connections: must be 1 to {MOST_CONNECTIONS}, not {mail.connections}")
    if not 0 < mail.timeout <= mail.total:
        problems.append("smtp.timeout: must be above 0 and at most `total`, the seconds for a whole transaction")
    if (mail.user is None) != (mail.password_file is None):
        problems.append("smtp.user and smtp.password_file: give both to log in, or neither")
    problems += [
        f"channel.{name}: a name has letters, digits, - and _ alone"
        for name in config.channel
        if not re.fullmatch(r"[A-Za-z0-9_-]+", name)
    ]
    if alerts.second_channel is not None and alerts.second_channel not in config.channel:
        known = ", ".join(sorted(config.channel)) or "none yet; add [channel.NAME] with url_file"
        problems.append(f"alerts.second_channel: there is no channel {alerts.second_channel!r}; known: {known}")
    if alerts.second_after <= timedelta(0):
        problems.append("alerts.second_after: must be longer than nothing; a minute is PT1M")
    if alerts.digest_over < 1:
        problems.append("alerts.digest_over: must be at least 1")
    return problems
