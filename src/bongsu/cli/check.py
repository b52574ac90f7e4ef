"""``bongsu check``: the configuration and what it leads to, before anything is wrong."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer
from rich.console import Console
from rich.markup import escape

from bongsu import config as configuration
from bongsu.cli.data import data_in_care
from bongsu.cli.serve import ConfigOption
from bongsu.core.checkup import Finding, Level
from bongsu.core.errors import InvalidInput
from bongsu.core.placement import Places, of_heartbeat, of_placement
from bongsu.core.scraping import Target, Watched, is_loopback, of_intervals, of_skew

JOB = "bongsu"
"""Bongsu's own scrape job."""
_HEARTBEAT = "time() - max(bongsu_last_look_timestamp_seconds)"


def check(
    config: ConfigOption = Path("bongsu.toml"),
    offline: Annotated[bool, typer.Option("--offline", help="Only the file; ask nothing outside.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of text.")] = False,
) -> None:
    """Check the configuration: every fault at once, who cannot be reached, and whether the outside answers.

    Warnings are shown and do not fail; a fault does, with exit code 2.

    Examples: bongsu check --config bongsu.toml

    bongsu check --offline --json
    """
    try:
        loaded = configuration.load(config)
    except InvalidInput as error:
        if not as_json:
            raise
        found = [Finding(Level.ERROR, problem, str(config)) for problem in error.problems]
    else:
        found = [Finding(Level.OK, _counted(loaded), str(config)), *unreachable(loaded), *asleep(loaded)]
        found += _links(loaded)
        found += data_in_care(loaded)
        if not offline:
            found += outside(loaded)
    problems = [each for each in found if each.level is Level.ERROR]
    if as_json:
        print(json.dumps({"ok": not problems, "findings": [asdict(each) for each in found]}, ensure_ascii=False))  # noqa: T201
        raise typer.Exit(2 if problems else 0)
    _show([each for each in found if each.level is not Level.ERROR])
    if problems:
        raise InvalidInput([_sentence(each) for each in problems])


def _show(findings: Collection[Finding]) -> None:
    """What is fine, then what is not so fine."""
    console = Console(highlight=False, soft_wrap=True)
    for each in findings:
        if each.level is Level.OK:
            console.print(f"[green]ok[/green]       {escape(_sentence(each))}")
    for each in findings:
        if each.level is Level.WARNING:
            console.print(f"[yellow]warning[/yellow]  {escape(_sentence(each))}")


def _sentence(finding: Finding) -> str:
    return f"{finding.where}: {finding.what}" + (f"; {finding.do}" if finding.do else "")


def _counted(loaded: configuration.Config) -> str:
    parts = [
        (len(loaded.service), "service", "services"),
        (len(loaded.policy), "policy", "policies"),
        (len(loaded.person), "person", "people"),
    ]
    return ", ".join(f"{number} {one if number == 1 else many}" for number, one, many in parts)


def unreachable(loaded: configuration.Config) -> list[Finding]:
    """Targets that mean nobody now, and gaps: what readiness can say of the file alone."""
    from bongsu.adapters.clock import ScaledClock
    from bongsu.bootstrap import directory_of, policy_of
    from bongsu.core.readiness import judge
    from bongsu.core.timescale import Timescale
    from bongsu.render.people import fault_words
    from bongsu.render.words import Words

    directory = directory_of(loaded)
    policies = {name: policy_of(name, section) for name, section in loaded.policy.items()}
    now = ScaledClock(Timescale(loaded.timescale.origin, loaded.timescale.speed)).now()
    found = []
    for fault in judge(directory, policies, now):
        what, do = fault_words(fault, Words("en", directory.zone))
        grave = fault.code in ("nobody", "target")
        found.append(Finding(Level.ERROR if grave else Level.WARNING, what, fault.where, do))
    return found


def asleep(loaded: configuration.Config) -> list[Finding]:
    """Whom quiet hours may leave asleep, by policy and tier. An alert's own severity counts before the policy's."""
    from bongsu.adapters.clock import SystemClock
    from bongsu.bootstrap import directory_of, policy_of
    from bongsu.core.sleepers import sleepers

    directory, now = directory_of(loaded), SystemClock().now()
    found = []
    for name, section in loaded.policy.items():
        for each in sleepers(policy_of(name, section), directory, now):
            how = "waits for the end of" if each.waits else "is told in"
            what = f"tier {each.level} {how} the quiet hours of {each.name}: severity {section.severity}"
            found.append(Finding(Level.OK, f"{what}, they are woken by {each.unless}", f"policy.{name}"))
    return found


def _links(loaded: configuration.Config) -> list[Finding]:
    """Links that nobody but this computer can open."""
    if (loaded.web.public_url and not is_loopback(loaded.web.public_url)) or _is_lab(loaded):
        return []
    address = loaded.web.public_url or loaded.web.host
    what = f"the links in mails lead to {address}: they work on this computer alone"
    do = "set [web] public_url to the address under which people reach it (docs/install.md: behind a reverse proxy)"
    return [Finding(Level.WARNING, what, "web.public_url", do)]


def _is_lab(loaded: configuration.Config) -> bool:
    return loaded.timescale.speed != 1 or any(each.machines is not None for each in loaded.service.values())


def outside(loaded: configuration.Config) -> list[Finding]:
    """Ask Prometheus, the mail relay and the balancers for a sign of life, and where they all run."""
    from bongsu.ports import Unavailable

    try:
        found = _prometheus(loaded)
    except Unavailable as error:
        found = [Finding(Level.ERROR, str(error), "prometheus.url")]
    return [*found, *_balancers(loaded), _relay(loaded)]


def _prometheus(loaded: configuration.Config) -> list[Finding]:
    from bongsu.adapters.clock import SystemClock
    from bongsu.adapters.prometheus_status import PrometheusStatus

    status = PrometheusStatus(loaded.prometheus.url, SystemClock(), loaded.prometheus.timeout)
    ahead = status.ahead()
    targets = status.targets()
    found = [_answering(name, service.job, targets) for name, service in loaded.service.items()]
    found += of_skew(ahead, "prometheus.url")
    found += of_intervals(targets, [_watched(loaded, name) for name in loaded.service])
    found += _placed(loaded, targets)
    age = [value for _, value in status.values(_HEARTBEAT)]
    last_look = timedelta(seconds=age[0]) if age else None
    sent = loaded.heartbeat_out is not None
    found.append(of_heartbeat(JOB, {each.job for each in targets}, last_look, sent=sent))
    return found


def _answering(name: str, job: str, targets: Collection[Target]) -> Finding:
    states = [each.health for each in targets if each.job == job]
    if not states:
        return Finding(
            Level.ERROR, f"Prometheus has no target of job {job!r}", f"service.{name}.job", "check scrape_configs"
        )
    up = sum(state == "up" for state in states)
    return Finding(Level.OK if up else Level.WARNING, f"{up} of {len(states)} targets answer", f"service {name}")


def _watched(loaded: configuration.Config, name: str) -> Watched:
    """What the watch of a service needs of the scrapes; the shortest time of a policy is its dip or its first tier."""
    service = loaded.service[name]
    policy = loaded.policy[service.policy]
    tightest = min(policy.settle, *(tier.after for tier in policy.tier))
    return Watched(f"service {name}", service.job, tightest, loaded.prometheus.scrape, loaded.timescale.speed)


def _placed(loaded: configuration.Config, targets: Collection[Target]) -> list[Finding]:
    from bongsu.adapters import hosts

    if _is_lab(loaded):
        what = "a lab: that Bongsu, Prometheus and the machines share this computer is meant"
        return [Finding(Level.OK, what, "placement")]
    machines = {
        name: {each.instance: _host(each) for each in targets if each.job == service.job and _host(each)}
        for name, service in loaded.service.items()
    }
    prometheus = urlsplit(loaded.prometheus.url).hostname or ""
    named = {prometheus, *(host for each in machines.values() for host in each.values())}
    known = hosts.addresses(named)
    ours = hosts.ours({address for each in known.values() for address in each})
    places = Places(known, ours, prometheus)
    return [finding for name, each in machines.items() for finding in of_placement(name, each, places)]


def _host(target: Target) -> str:
    """Where a target is scraped; its instance where Prometheus does not tell."""
    try:
        return urlsplit(target.url or f"//{target.instance}").hostname or ""
    except ValueError:
        return ""


def _balancers(loaded: configuration.Config) -> list[Finding]:
    from bongsu.adapters.haproxy import HAProxy
    from bongsu.ports import Unavailable

    found = []
    for name, service in loaded.service.items():
        if service.balancer is None:
            continue
        try:
            members = HAProxy(service.balancer.socket, service.balancer.backend).members()
            found.append(Finding(Level.OK, f"{len(members)} machines", f"balancer of {name}"))
        except Unavailable as error:
            found.append(Finding(Level.ERROR, str(error), f"service.{name}.balancer"))
    return found


def _relay(loaded: configuration.Config) -> Finding:
    from bongsu.bootstrap import smtp_of
    from bongsu.ports import Rejected, Retryable

    relay = smtp_of(loaded)
    try:
        return Finding(Level.OK, relay.ping(), "mail relay")
    except (Retryable, Rejected) as error:
        return Finding(Level.ERROR, error.answer, "smtp")
    finally:
        relay.close()
