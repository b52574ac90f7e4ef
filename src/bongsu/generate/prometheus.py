"""prometheus.yml and the rules."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from bongsu.config.web import SENDER
from bongsu.core.errors import InvalidInput
from bongsu.generate import promql
from bongsu.generate.alerts import Alert, alerts_of, heartbeat, watchdogs
from bongsu.generate.recording import recordings
from bongsu.generate.setup import Guarded, Setup, duration

OWN_JOBS = ("bongsu", "prometheus")
_VALUE = ".Value"


def server(setup: Setup) -> dict[str, Any]:
    """prometheus.yml."""
    interval = duration(setup.scrape)
    return {
        "global": {"scrape_interval": interval, "scrape_timeout": interval, "evaluation_interval": interval},
        "rule_files": ["rules/*.yml"],
        "alerting": {
            "alertmanagers": [
                {"api_version": "v2", "static_configs": [{"targets": [setup.bongsu]}], **_credentials(setup)},
            ],
        },
        "scrape_configs": [_scraping(name, path, targets) for name, (path, targets) in _jobs(setup).items()],
    }


def _credentials(setup: Setup) -> dict[str, Any]:
    """The file with the token, where sending alerts needs one; Prometheus must be able to read it."""
    web = setup.config.web
    if web.alertmanager != "token":
        return {}
    return {"authorization": {"credentials_file": str((web.secrets / SENDER).absolute())}}


def _jobs(setup: Setup) -> dict[str, tuple[str, list[str]]]:
    """Every job with its path and targets. Raises InvalidInput where two want one name for different things."""
    jobs: dict[str, tuple[str, list[str]]] = {}
    problems: list[str] = []
    prometheus = urlsplit(setup.config.prometheus.url).netloc.rpartition("@")[2]
    for service in setup.services:
        job, path, targets = service.section.job, service.section.metrics_path, service.section.targets
        if not targets:
            continue
        known, before = jobs.get(job, (path, []))
        if known != path:
            problems.append(f"service.{service.name}.metrics_path: job {job!r} has {known!r} already; use another job")
        jobs[job] = (path, [*before, *(each for each in targets if each not in before)])
    others = {"bongsu": [setup.bongsu], "prometheus": [prometheus], **setup.config.prometheus.jobs}
    for job, targets in others.items():
        if job in jobs:
            problems.append(f"prometheus.jobs: job {job!r} is a service's already; give one of the two another name")
        jobs[job] = ("/metrics", list(targets))
    problems += [
        f"prometheus.jobs.{job}: this name is Bongsu's own; choose another"
        for job in OWN_JOBS
        if job in setup.config.prometheus.jobs
    ]
    if problems:
        raise InvalidInput(problems)
    fixed = [*(s.section.job for s in setup.services if s.section.job in jobs), *OWN_JOBS]
    return {job: jobs[job] for job in [*dict.fromkeys(fixed), *sorted(set(jobs) - set(fixed))]}


def _scraping(job: str, path: str, targets: list[str]) -> dict[str, Any]:
    made: dict[str, Any] = {"job_name": job, "metrics_path": path, "static_configs": [{"targets": targets}]}
    hosts = {target.rpartition(":")[0] for target in targets}
    if len(hosts) == len(targets) and job not in OWN_JOBS:
        # a machine has one name: in the balancer, in the mails, and for its node exporter on another port
        relabel = {"source_labels": ["__address__"], "regex": r"(.+):\d+", "target_label": "instance"}
        made["relabel_configs"] = [relabel]
    return made


def rules(setup: Setup) -> dict[str, Any]:
    """The rule groups: one about Bongsu itself, and one for each service, whose rules build on each other in order."""
    evaluated = {"record": promql.EVALUATED, "expr": "vector(1)"}
    itself = [_alerting(each, setup) for each in (heartbeat(setup), *watchdogs(setup))]
    groups = [_group("bongsu", [evaluated, *itself], setup)]
    groups += [_group(f"bongsu-{service.name}", service_rules(service, setup), setup) for service in setup.services]
    return {"groups": groups}


def service_rules(service: Guarded, setup: Setup) -> list[dict[str, Any]]:
    """A service's recording rules, and the alerts that read what they record."""
    recording = [
        {"record": rule.record, "expr": rule.expr, "labels": rule.labels} for rule in recordings(service, setup)
    ]
    return recording + [_alerting(alert, setup, service.section.job) for alert in alerts_of(service, setup)]


def _alerting(alert: Alert, setup: Setup, job: str = "") -> dict[str, Any]:
    rule: dict[str, Any] = {"alert": alert.name, "expr": alert.expr}
    if alert.hold:
        rule["for"] = duration(alert.hold)
    return {**rule, "labels": dict(alert.labels), "annotations": alert.annotations(_VALUE, setup, job)}


def _group(name: str, members: list[dict[str, Any]], setup: Setup) -> dict[str, Any]:
    return {"name": name, "interval": duration(setup.scrape), "rules": members}
