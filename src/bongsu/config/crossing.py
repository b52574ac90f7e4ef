"""Faults between sections: names that lead nowhere, tiers out of order, unknown machine types."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from datetime import timedelta
from email.utils import parseaddr

from bongsu.config.checks import address_fault, data_faults, impact_problems, zone_fault
from bongsu.config.delivering import delivery_problems
from bongsu.config.machines import machine_problems
from bongsu.config.rosters import layers_of, quiet_faults, roster_faults
from bongsu.config.sections import (
    Config,
    Grafana,
    IntegrationSection,
    PersonSection,
    PolicySection,
    Review,
    RouteSection,
    Service,
    TeamSection,
)
from bongsu.config.watching import watching_problems
from bongsu.config.web import web_faults
from bongsu.core.errors import InvalidInput
from bongsu.core.matcher import parse
from bongsu.profiles import shipped

FORMS = ("plain", "alertmanager", "grafana")
LOCALES = ("en", "ko")
_ADDRESS = re.compile(r"[^\s:/]+:\d{1,5}")
_HOURS = re.compile(r"([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d")


def crossed(config: Config) -> list[str]:
    """Faults between sections: names that lead nowhere, tiers out of order, unknown machine types."""
    problems: list[str] = machine_problems(config)
    for name, service in config.service.items():
        problems += _service_problems(f"service.{name}", service, config)
    for number, route in enumerate(config.route, start=1):
        problems += _route_problems(f"route[{number}]", route, config)
    for name, integration in config.integration.items():
        problems += _integration_problems(f"integration.{name}", name, integration, config)
    if config.alerts.default_service is not None:
        _known("alerts.default_service", config.alerts.default_service, config.service, problems)
    if config.store.audit_for < timedelta(days=1):
        problems.append("store.audit_for: must be at least P1D")
    if config.review is not None:
        problems += _review_problems(config.review, config)
    for name, profile in config.profile.items():
        if name in shipped():
            problems.append(
                f"profile.{name}: this name is taken by a profile of Bongsu's; choose another and say like = {name!r}"
            )
        if profile.like is not None:
            _known(f"profile.{name}.like", profile.like, shipped(), problems)
    for name, policy in config.policy.items():
        problems.extend(_policy_problems(f"policy.{name}", policy, config))
    for name, team in config.team.items():
        for member in team.members:
            _known(f"team.{name}.members", member, config.person, problems)
    for name, schedule in config.schedule.items():
        for place, layer in layers_of(schedule, f"schedule.{name}"):
            for person in layer.people:
                _known(f"{place}.people", person, config.person, problems)
    problems += roster_faults(config)
    problems += _target_problems("contacts", "report_to", config.contacts.report_to, config)
    problems += _target_problems("readiness", "mail_to", config.readiness.mail_to, config)
    readers: dict[str, PersonSection | TeamSection] = {f"person.{name}": each for name, each in config.person.items()}
    readers |= {f"team.{name}": each for name, each in config.team.items()}
    problems += [fault for at, each in readers.items() for fault in _reader_problems(at, each, config.channel)]
    _faulty("site.time_zone", zone_fault(config.site.time_zone), problems)
    sender = parseaddr(config.smtp.sender)[1] if "<" in config.smtp.sender else config.smtp.sender
    _faulty("smtp.from", address_fault(sender), problems)
    problems += [
        f"prometheus.jobs.{name}: {target!r} is not host:port"
        for name, targets in config.prometheus.jobs.items()
        for target in targets
        if not _ADDRESS.fullmatch(target)
    ]
    problems += _grafana_problems(config.grafana)
    problems += [fault for name, each in config.data.items() for fault in data_faults(f"data.{name}", each)]
    if config.timescale.speed <= 0:
        problems.append("timescale.speed: must be above 0")
    problems += delivery_problems(config) + web_faults(config.web)
    problems += watching_problems(config.heartbeat, config.heartbeat_out)
    for name, heartbeat in config.heartbeat.items():
        problems += _target_problems(f"heartbeat.{name}", "notify", heartbeat.notify, config)
    return problems


def _service_problems(at: str, service: Service, config: Config) -> list[str]:
    problems: list[str] = []
    _known(f"{at}.policy", service.policy, config.policy, problems)
    _known(f"{at}.profile", service.profile, {**shipped(), **config.profile}, problems)
    if service.owner is not None:
        _known(f"{at}.owner", service.owner, config.team, problems)
    problems += [
        f"{at}.targets: {target!r} is not host:port" for target in service.targets if not _ADDRESS.fullmatch(target)
    ]
    problems += impact_problems(f"{at}.impact", service.impact)
    if service.max_machines < 1:
        problems.append(f"{at}.max_machines: must be at least 1")
    return problems


def _integration_problems(at: str, name: str, integration: IntegrationSection, config: Config) -> list[str]:
    problems: list[str] = []
    if not re.fullmatch(r"[a-z0-9-]+", name):
        problems.append(f"{at}: a name has small letters, digits and - alone, for it is part of an address")
    if integration.form not in FORMS:
        problems.append(f"{at}.form: {integration.form!r} is none of {', '.join(FORMS)}")
    if integration.service is not None:
        _known(f"{at}.service", integration.service, config.service, problems)
    return problems


def _grafana_problems(grafana: Grafana) -> list[str]:
    problems: list[str] = []
    if grafana.locale not in LOCALES:
        problems.append(f"grafana.locale: {grafana.locale!r} is not spoken here; use {' or '.join(LOCALES)}")
    problems += [
        f"grafana.quiet_hours: {each!r} is not a span of the day; write 22:00-07:00"
        for each in grafana.quiet_hours
        if not _HOURS.fullmatch(each)
    ]
    _faulty("grafana.time_zone", zone_fault(grafana.time_zone), problems)
    return problems


def _reader_problems(at: str, reader: PersonSection | TeamSection, channels: Mapping[str, object]) -> list[str]:
    problems: list[str] = []
    if reader.locale not in LOCALES:
        problems.append(f"{at}.locale: {reader.locale!r} is not spoken here; use {' or '.join(LOCALES)}")
    for contact in reader.contact:
        if (contact.email is None) == (contact.channel is None):
            problems.append(f'{at}.contact: write either email = "name@host" or channel = "NAME"')
        elif contact.email is not None:
            _faulty(f"{at}.contact", address_fault(contact.email), problems)
        elif contact.channel is not None:
            _known(f"{at}.contact.channel", contact.channel, channels, problems)
    if isinstance(reader, PersonSection) and reader.quiet is not None:
        problems += quiet_faults(f"{at}.quiet", reader.quiet)
    if reader.time_zone is not None:
        _faulty(f"{at}.time_zone", zone_fault(reader.time_zone), problems)
    return problems


def _route_problems(at: str, route: RouteSection, config: Config) -> list[str]:
    problems: list[str] = []
    for text in route.match:
        try:
            parse(text)
        except InvalidInput as error:
            problems += [f"{at}.match: {problem}" for problem in error.problems]
    _known(f"{at}.service", route.service, config.service, problems)
    if route.policy is not None:
        _known(f"{at}.policy", route.policy, config.policy, problems)
    return problems


def _policy_problems(at: str, policy: PolicySection, config: Config) -> list[str]:
    problems: list[str] = []
    if not policy.tier:
        problems.append(f"{at}.tier: empty; give at least one tier, or nobody is ever told")
    afters = [tier.after for tier in policy.tier]
    if afters != sorted(afters):
        problems.append(f"{at}.tier: the tiers' `after` must rise")
    if any(tier.repeat is not None and tier.repeat < timedelta(minutes=1) for tier in policy.tier):
        problems.append(f"{at}.tier: `repeat` must be at least PT1M")
    if isinstance(policy.over, str) and policy.over != "baseline":
        problems.append(f'{at}.over: must be "baseline" or a number, not {policy.over!r}')
    targets = [("tier", target) for tier in policy.tier for target in tier.notify]
    for key, section in (("ceiling", policy.ceiling), ("runway", policy.runway)):
        targets += [(key, target) for target in (section.notify if section else [])]
    targets += [("throttled", target) for target in policy.throttled or []]
    targets += [("blind", target) for target in policy.blind or []]
    for key, target in targets:
        problems += _target_problems(at, f"{key}.notify", [target], config)
    return problems


def _target_problems(at: str, key: str, targets: list[str], config: Config) -> list[str]:
    """Targets that are none, or name somebody who is not there."""
    known: dict[str, Mapping[str, object]] = {
        "on-call": config.schedule,
        "team": config.team,
        "person": config.person,
    }
    problems: list[str] = []
    for target in targets:
        kind, _, name = target.partition(":")
        if kind not in known:
            problems.append(f"{at}.{key}: {target!r} is not on-call:NAME, team:NAME or person:NAME")
        else:
            _known(f"{at}.{key}", name, known[kind], problems, of=kind)
    return problems


def _review_problems(review: Review, config: Config) -> list[str]:
    problems: list[str] = []
    if review.start.tzinfo is None:
        problems.append("review.from: has no time zone; write 2026-01-08T10:00:00+09:00")
    if review.every < timedelta(days=1):
        problems.append("review.every: must be at least P1D")
    if not timedelta(0) <= review.notice <= review.every:
        problems.append("review.notice: must lie between PT0S and `every`")
    return problems + _target_problems("review", "invite", review.invite, config)


def _faulty(at: str, fault: str | None, problems: list[str]) -> None:
    if fault is not None:
        problems.append(f"{at}: {fault}")


def _known(at: str, name: str, among: Mapping[str, object], problems: list[str], of: str = "") -> None:
    if name in among:
        return
    near = difflib.get_close_matches(name, among, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(sorted(among)[:8]) or 'none yet'}"
    problems.append(f"{at}: there is no {of or at.rsplit('.', 1)[-1]} {name!r}; {hint}")
