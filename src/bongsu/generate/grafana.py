"""Grafana's provisioning files: data source, dashboards, contact points, notification policies and alert rules.

The shapes are those of the files, which differ from the API's. What Grafana does to a ``$`` differs from field to
field and from version to version, so none of these files has one.
"""

from __future__ import annotations

import hashlib
import math
import re
from typing import Any

from bongsu.generate import promql, words
from bongsu.generate.alerts import CRITICAL, Alert, about_itself, alerts_of, heartbeat
from bongsu.generate.contacts import QUIET_HOURS, Delivery, Route, message, quiet_intervals, subject, timing
from bongsu.generate.setup import PATIENCE, Setup, duration

DATASOURCE = "prometheus"
"""The uid that dashboards and rules refer to."""
DASHBOARDS = "/var/lib/grafana/dashboards"
"""Where Grafana finds the dashboards; mount the generated folder there."""
_TICK = 10.0
"""Grafana evaluates rules every ten seconds, or a multiple of that."""
_LONGEST_UID = 40
_VALUE = ".Values.A.Value"


def datasource(setup: Setup) -> dict[str, Any]:
    """Prometheus; ``timeInterval`` makes $__rate_interval right."""
    source = {
        "name": "Prometheus",
        "uid": DATASOURCE,
        "type": "prometheus",
        "access": "proxy",
        "orgId": 1,
        "url": setup.config.grafana.prometheus_url,
        "isDefault": True,
        "editable": False,
        "jsonData": {"httpMethod": "POST", "timeInterval": duration(setup.scrape), "manageAlerts": True},
    }
    return {"apiVersion": 1, "prune": True, "datasources": [source]}


def dashboard_provider() -> dict[str, Any]:
    """Where the dashboards are."""
    provider = {
        "name": "bongsu",
        "orgId": 1,
        "folder": "Bongsu",
        "folderUid": "bongsu",
        "type": "file",
        "disableDeletion": False,
        "updateIntervalSeconds": 30,
        "allowUiUpdates": False,
        "options": {"path": DASHBOARDS, "foldersFromFilesStructure": False},
    }
    return {"apiVersion": 1, "providers": [provider]}


def alerting(setup: Setup, delivery: Delivery, mails: bool) -> dict[str, Any]:
    """Rules and whom they reach. ``mails`` false: they say something only while Bongsu's heartbeat is missing."""
    quiet = quiet_intervals(setup)
    made: dict[str, Any] = {
        "apiVersion": 1,
        "groups": _groups(setup, mails),
        "contactPoints": [
            {"orgId": 1, "name": contact.name, "receivers": [
                {
                    "uid": uid("bongsu", contact.name, recipient.address),
                    "type": "email",
                    # a gated rule ends because Bongsu is back, which does not mean that the breach is over
                    "disableResolveMessage": not mails,
                    "settings": {
                        "addresses": recipient.address,
                        "singleEmail": True,
                        "subject": subject(recipient.locale),
                        "message": message(recipient.locale),
                    },
                }
                for recipient in contact.recipients  # one receiver each: a bad address never stops another
            ]}
            for contact in delivery.contacts
        ],
        "policies": [_policy(delivery, bool(quiet))],
    }  # fmt: skip
    if quiet:
        made["muteTimes"] = [{"orgId": 1, "name": QUIET_HOURS, "time_intervals": quiet}]
    return made


def uid(*parts: str) -> str:
    """A stable id of at most 40 letters, digits and dashes; what would be lost is told apart by a hash."""
    plain = "-".join(parts)
    slug = re.sub(r"[^A-Za-z0-9]+", "-", plain).strip("-")
    if slug == plain and len(slug) <= _LONGEST_UID:
        return slug
    digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:8]
    return f"{slug[: _LONGEST_UID - 9].rstrip('-')}-{digest}"


def _policy(delivery: Delivery, quiet: bool) -> dict[str, Any]:
    return {
        "orgId": 1,
        "receiver": delivery.root.name,
        **timing(),
        "routes": [_route(route, quiet) for route in delivery.routes],
    }


def _route(route: Route, quiet: bool) -> dict[str, Any]:
    made: dict[str, Any] = {
        "receiver": route.contact,
        "object_matchers": [[name, "=", value] for name, value in route.labels.items()],
    }
    if quiet:
        warnings = [["severity", "!=", CRITICAL]]
        made["routes"] = [
            {"receiver": route.contact, "object_matchers": warnings, "mute_time_intervals": [QUIET_HOURS]}
        ]
    return made


def _groups(setup: Setup, mails: bool) -> list[dict[str, Any]]:
    unheard = f"absent_over_time({promql.EVALUATED}[{duration(PATIENCE)}])"
    about = [
        _rule(heartbeat(setup), setup),
        _rule(about_itself("BongsuRulesMissing", unheard, words.RULES_MISSING, setup), setup),
        # no answer is the reason: Grafana cannot see Bongsu's heartbeat now, so that it mails without it
        _rule(
            about_itself("BongsuPrometheusDown", "vector(0)", words.PROMETHEUS_DOWN, setup),
            setup, above=0, unanswered="Alerting",
        ),
    ]  # fmt: skip
    groups = [_group("bongsu", about, setup)]
    for service in setup.services:
        rules = [
            _rule(alert, setup, service.name, service.section.job, gate=not mails)
            for alert in alerts_of(service, setup)
        ]
        groups.append(_group(f"bongsu-{service.name}", rules, setup))
    return groups


def _group(name: str, rules: list[dict[str, Any]], setup: Setup) -> dict[str, Any]:
    interval = f"{_TICK * max(1, math.ceil(setup.scrape.total_seconds() / _TICK)):.0f}s"
    # the dashboards' folder has a uid of its own; rules make theirs by its title
    return {"orgId": 1, "name": name, "folder": "Bongsu alerts", "interval": interval, "rules": rules}


def _rule(
    alert: Alert,
    setup: Setup,
    service: str = "",
    job: str = "",
    *,
    gate: bool = False,
    above: int = -1,
    unanswered: str = "OK",
) -> dict[str, Any]:
    """A rule: every series that A returns and that lies above ``above`` is a reason to mail.

    ``unanswered`` is its state when Prometheus does not answer: one rule alarms about that, not each of them.
    """
    expr = promql.gated(alert.expr, setup) if gate else alert.expr
    query = {
        "refId": "A", "queryType": "", "relativeTimeRange": {"from": 600, "to": 0}, "datasourceUid": DATASOURCE,
        "model": {
            "refId": "A", "datasource": {"type": "prometheus", "uid": DATASOURCE}, "editorMode": "code",
            "expr": expr, "instant": True, "range": False, "intervalMs": 1000, "maxDataPoints": 43200,
        },
    }  # fmt: skip
    threshold = {
        "refId": "C", "queryType": "", "relativeTimeRange": {"from": 600, "to": 0}, "datasourceUid": "__expr__",
        "model": {
            "refId": "C", "datasource": {"type": "__expr__", "uid": "__expr__"}, "type": "threshold",
            "expression": "A", "conditions": [{"evaluator": {"type": "gt", "params": [above]}}],
        },
    }  # fmt: skip
    return {
        "uid": uid(alert.name, service) if service else uid(alert.name),
        "title": f"{alert.name} {service}".strip(),
        "condition": "C",
        "data": [query, threshold],
        "noDataState": unanswered,
        "execErrState": unanswered,
        "for": duration(alert.hold),
        "annotations": alert.annotations(_VALUE, setup, job),
        "labels": dict(alert.labels),
        "isPaused": False,
    }
