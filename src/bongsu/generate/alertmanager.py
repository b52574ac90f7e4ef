"""alertmanager.yml, for teams that keep their Alertmanager and want Bongsu's tiers in it."""

from __future__ import annotations

from typing import Any

from bongsu.core.alert import HEARTBEAT_LABEL
from bongsu.generate.alerts import CRITICAL, watchdogs
from bongsu.generate.contacts import QUIET_HOURS, Contact, Delivery, Route, message, quiet_intervals, subject, timing
from bongsu.generate.setup import Setup

NOBODY = "nobody"


def configuration(setup: Setup, delivery: Delivery) -> dict[str, Any]:
    """The whole file: the relay, routes by service and tier, and a receiver for each contact."""
    quiet = quiet_intervals(setup)
    made: dict[str, Any] = {
        "global": _relay(setup),
        "route": {
            "receiver": delivery.root.name,
            **timing(),
            "routes": [_route(route, bool(quiet)) for route in delivery.routes],
        },
        "receivers": [_receiver(contact) for contact in delivery.contacts],
    }
    if watchdogs(setup):  # a heartbeat is for Bongsu alone, and no mail
        made["route"]["routes"].insert(0, {"receiver": NOBODY, "matchers": [f'{HEARTBEAT_LABEL}!=""']})
        made["receivers"].append({"name": NOBODY})
    if quiet:
        made["time_intervals"] = [{"name": QUIET_HOURS, "time_intervals": quiet}]
    return made


def _relay(setup: Setup) -> dict[str, Any]:
    mail = setup.config.smtp
    made: dict[str, Any] = {
        "smtp_smarthost": f"{mail.host}:{mail.port}",
        "smtp_from": mail.sender,
        "smtp_require_tls": mail.tls == "starttls",
    }
    if mail.user:
        made["smtp_auth_username"] = mail.user
    if mail.password_file:
        made["smtp_auth_password_file"] = str(mail.password_file)
    return made


def _route(route: Route, quiet: bool) -> dict[str, Any]:
    made: dict[str, Any] = {
        "receiver": route.contact,
        "matchers": [f'{name}="{value}"' for name, value in route.labels.items()],
    }
    if quiet:
        muted = [QUIET_HOURS]
        made["routes"] = [
            {"receiver": route.contact, "matchers": [f'severity!="{CRITICAL}"'], "mute_time_intervals": muted}
        ]
    return made


def _receiver(contact: Contact) -> dict[str, Any]:
    mails = [
        {
            "to": recipient.address,
            "send_resolved": True,
            "headers": {"Subject": subject(recipient.locale)},
            "html": "",
            "text": message(recipient.locale),
        }
        for recipient in contact.recipients
    ]
    return {"name": contact.name, "email_configs": mails}
