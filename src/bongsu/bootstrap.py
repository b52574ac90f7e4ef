"""Puts the parts together: configuration in, a Context out. The only file that picks adapters."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta, tzinfo
from functools import partial
from pathlib import Path
from typing import TextIO

from bongsu.adapters.accesslog import EdgeLog
from bongsu.adapters.apprise import AppriseChannel
from bongsu.adapters.aws import Aws
from bongsu.adapters.backup_folder import BackupFolder
from bongsu.adapters.clock import ScaledClock, SharedClock, SystemClock
from bongsu.adapters.drills import newest
from bongsu.adapters.haproxy import HAProxy
from bongsu.adapters.labhost import LabHost
from bongsu.adapters.ping import Ping
from bongsu.adapters.prometheus import Prometheus
from bongsu.adapters.servicedata import ServiceData
from bongsu.adapters.smtp import Smtp
from bongsu.config import Config, PersonSection, PolicySection, TeamSection, machines_of, profiles_of
from bongsu.config import Service as ServiceSection
from bongsu.config.checks import zone
from bongsu.config.invariants import load_invariants
from bongsu.config.rosters import beat_of, hours, layers_of, quiet_of, weekly, zone_of
from bongsu.config.sections import DataSection, ScheduleSection
from bongsu.config.web import SENDER, Web
from bongsu.core.access import Access, Right
from bongsu.core.contact import Weekly
from bongsu.core.errors import BongsuError, InvalidInput
from bongsu.core.impact import BOTS, MONITORING, Rules, Sales
from bongsu.core.matcher import parse
from bongsu.core.policy import Ceiling, Policy, Runway, Tier
from bongsu.core.profile import MACHINE, expressions
from bongsu.core.review import Meeting
from bongsu.core.rotation import Rotation, Schedule
from bongsu.core.routing import ALERTS, Route, Routing
from bongsu.core.schedule import Directory, Person, Team
from bongsu.core.service import BLIND, Service
from bongsu.core.timescale import Timescale
from bongsu.engine.context import CareOf, Context, Integration, Out, Owed, SecondChannel
from bongsu.engine.known import Known
from bongsu.ports import Clock
from bongsu.store import actions, outbox
from bongsu.store.alone import claim
from bongsu.store.database import Database
from bongsu.store.migrate import migrate

SCRAPES_UNTIL_STALE = 3
SHARED_TRUST = timedelta(seconds=15)
"""How long an alert is known to be on disk as it was written, where another Bongsu may share the database."""


def policy_of(name: str, section: PolicySection) -> Policy:
    """A policy's core value; what calls at once and has no target of its own calls the first tier."""
    first = tuple(section.tier[0].notify)
    return Policy(
        name=name,
        tiers=tuple(Tier(tier.after, tuple(tier.notify), tier.repeat) for tier in section.tier),
        signal=section.signal,
        over=None if isinstance(section.over, str) else section.over,
        settle=section.settle,
        rejoin=section.rejoin,
        ack_holds=section.ack_holds,
        ceiling=Ceiling(
            tuple(section.ceiling.notify), section.ceiling.at, section.ceiling.samples, section.ceiling.again_after
        )
        if section.ceiling
        else None,
        runway=Runway(tuple(section.runway.notify), section.runway.full_burn_under) if section.runway else None,
        throttled=first if section.throttled is None else tuple(section.throttled),
        blind=first if section.blind is None else tuple(section.blind),
        resolve_full_burn=section.resolve_full_burn,
        flat_line=section.flat_line,
        severity=section.severity,
    )


def service_of(name: str, section: ServiceSection, config: Config) -> Service:
    """A service's core value."""
    policy = policy_of(section.policy, config.policy[section.policy])
    stale = SCRAPES_UNTIL_STALE * config.prometheus.scrape
    profile = profiles_of(config)[section.profile]
    span = f"{max(4, 4 * config.prometheus.scrape.total_seconds() / config.timescale.speed):.0f}s"
    return Service(
        name=name,
        machine=machines_of(config)[section.machine],
        policy=policy,
        blind=policy.when_blind(BLIND),
        signals=expressions(profile, section.signals, section.job, span),
        by_machine=expressions(profile, section.signals, section.job, span, by=MACHINE),
        stale=stale,
        look_back=config.watch.look_back,
        most_machines=section.max_machines,
        sales=sales_of(section),
        owner=section.owner,
    )


def routing_of(config: Config) -> Routing:
    """Where alerts go. With one service alone, that one answers for everything."""
    watched = {name: (each.policy, BLIND) for name, each in config.service.items()}
    routes = tuple(
        Route(
            tuple(parse(text) for text in each.match),
            each.service,
            each.policy if each.policy and each.policy not in watched[each.service] else ALERTS,
            tuple(each.group_by),
        )
        for each in config.route
    )
    alone = next(iter(watched)) if len(watched) == 1 else None
    return Routing(watched, routes, config.alerts.default_service or alone)


def meeting_of(config: Config) -> Meeting | None:
    """The regular review, if one is held."""
    held = config.review
    return None if held is None else Meeting(held.every, held.start, tuple(held.invite), held.notice)


def directory_of(config: Config) -> Directory:
    """Everybody who can be told."""
    return Directory(
        people={name: _person(name, each, config.site.time_zone) for name, each in config.person.items()},
        teams={name: _team(name, each) for name, each in config.team.items()},
        schedules={name: schedule_of(each, config) for name, each in config.schedule.items()},
        zone=zone(config.site.time_zone),
    )


def schedule_of(section: ScheduleSection, config: Config) -> Schedule:
    """Who is on call, by the configuration alone."""
    local = zone_of(section, config)
    layers = tuple(
        Rotation(tuple(each.people), beat_of(each, local), tuple(hours(text) for text in each.only))
        for _, each in layers_of(section, "")
    )
    return Schedule(layers, local)


def weeklies_of(config: Config) -> tuple[Weekly, Weekly]:
    """When contacts are verified, and when readiness is mailed."""
    site, asking, ready = config.site.time_zone, config.contacts, config.readiness
    verify = weekly(asking.verify_every, asking.weekday, asking.at, site) if asking.verify_every else None
    mail = weekly(ready.mail_every, ready.weekday, ready.at, site) if ready.mail_every else None
    return Weekly(verify, tuple(asking.report_to)), Weekly(mail, tuple(ready.mail_to))


def _person(name: str, section: PersonSection, site: str) -> Person:
    addresses = tuple(contact.address for contact in section.contact)
    quiet = quiet_of(section.quiet, section.time_zone or site) if section.quiet else None
    return Person(name, section.name, section.locale, addresses, _zone(section.time_zone), quiet)


def _team(name: str, section: TeamSection) -> Team:
    addresses = tuple(contact.address for contact in section.contact)
    return Team(name, section.name, tuple(section.members), section.locale, addresses, _zone(section.time_zone))


def _zone(name: str | None) -> tzinfo | None:
    return zone(name) if name is not None else None


def secret(folder: Path, name: str) -> str:
    """A secret from its file; made at the first start, readable by nobody else. Raises BongsuError when it is empty.

    It appears whole or not at all: whoever starts at the same moment reads what the first one made.
    """
    file = folder / name
    if not file.exists():
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = folder / f".{name}.{os.getpid()}.{secrets.token_hex(4)}"
        draft.touch(mode=0o600)
        draft.write_text(secrets.token_hex(32) + "\n", encoding="utf-8")
        with suppress(FileExistsError):
            os.link(draft, file)
        draft.unlink()
    found = file.read_text(encoding="utf-8").strip()
    if not found:
        raise BongsuError(f"{file} is empty; remove it, and a new one is made (links in old mails end then)")
    return found


def smtp_of(config: Config) -> Smtp:
    """The mail relay."""
    mail = config.smtp
    return Smtp(
        mail.host, mail.port, mail.sender, tls=mail.tls, user=mail.user, password_file=mail.password_file,
        ca_file=mail.ca_file, timeout=mail.timeout, total=mail.total, connections=mail.connections,
    )  # fmt: skip


def second_of(config: Config) -> SecondChannel | None:
    """The channel that hears of a dead mail relay."""
    name = config.alerts.second_channel
    return None if name is None else SecondChannel(name, config.alerts.second_after, config.channel[name].locale)


def heartbeats_of(config: Config) -> dict[str, Owed]:
    """The heartbeats that must come; whoever is told of a blind service is told when one does not."""
    blind = [policy_of(each.policy, config.policy[each.policy]).blind for each in config.service.values()]
    everybody = tuple(dict.fromkeys(target for targets in blind for target in targets))
    return {
        name: Owed(each.expect_every, tuple(each.notify) or everybody, secret(config.web.secrets, f"heartbeat-{name}"))
        for name, each in config.heartbeat.items()
    }


def out_of(config: Config) -> Out | None:
    """Where our own heartbeat goes."""
    out = config.heartbeat_out
    return None if out is None else Out(Ping(out.url_file, out.timeout), out.every)


def prometheus_of(config: Config, wall: Clock | None = None) -> Prometheus:
    """The metrics store."""
    scale, wall = Timescale(config.timescale.origin, config.timescale.speed), wall or SystemClock()
    return Prometheus(config.prometheus.url, config.prometheus.timeout, scale, wall, config.prometheus.scrape)


def data_of(name: str, section: DataSection) -> ServiceData:
    """A service's data. Raises InvalidInput with every fault of its files."""
    problems: list[str] = []
    dsn = section.dsn or ""
    if section.dsn_file is not None:
        try:
            dsn = section.dsn_file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            problems.append(f"data.{name}.dsn_file: {section.dsn_file} cannot be read ({error})")
        else:
            problems += [f"data.{name}.dsn_file: {section.dsn_file} is empty"] * (not dsn)
    try:
        invariants, rules = load_invariants(section.invariants)
    except InvalidInput as error:
        raise InvalidInput([*problems, *error.problems]) from None
    if problems:
        raise InvalidInput(problems)
    return ServiceData(
        name, dsn, invariants, rules, BackupFolder(section.backups, name), SystemClock(), section.keep,
        section.keep_for, section.timeout, section.scratch,
    )  # fmt: skip


def sales_of(section: ServiceSection) -> Sales | None:
    """The counters of orders and revenue, if any are named."""
    said = section.impact
    orders, revenue = (text.replace("$job", section.job) if text else "" for text in (said.orders, said.revenue))
    return Sales(orders, revenue, said.currency) if orders else None


def files_of(named: str | list[str] | None) -> tuple[Path, ...]:
    """Files and patterns of files."""
    return tuple(Path(each) for each in ([named] if isinstance(named, str) else named or ()))


def rules_of(section: ServiceSection) -> Rules:
    """How a service's requests are judged; what is configured adds to what is known anyway."""
    said = section.impact
    slow = said.slow_over if isinstance(said.slow_over, dict) else {"": said.slow_over} if said.slow_over else {}
    return Rules(
        slow_over=slow,
        goals=tuple((method.upper(), route) for method, _, route in (each.partition(" ") for each in said.goals)),
        grace=said.grace,
        bots=(*BOTS, *said.bots),
        synthetic=tuple(said.synthetic),
        staff=tuple(said.staff),
        monitoring=(*MONITORING, *said.monitoring),
        routes=tuple(said.routes),
    )


def logs_of(config: Config, threads: int = 1) -> dict[str, EdgeLog]:
    """The access logs, by service, of the services that have one."""
    scale = Timescale(config.timescale.origin, config.timescale.speed)
    return {
        name: EdgeLog(files_of(each.access_log), scale, rules_of(each), files_of(each.impact.shop_log), threads)
        for name, each in config.service.items()
        if each.access_log
    }


def wall_of(config: Config, db: Database) -> tuple[Clock, SharedClock | None]:
    """The wall's time; where servers may share the database, the one that they all go by."""
    own = SystemClock(config.timescale.ahead)
    if db.is_sqlite:
        return own, None
    shared = SharedClock(own, db.now)
    shared.synchronise()
    return shared, shared


def access_of(web: Web) -> Access:
    """Who may do what without a log-in, and how long one lasts."""
    opened = web.alertmanager == "open"
    return Access(
        anonymous=Right.VIEWER if web.anonymous == "viewer" else Right.PUBLIC,
        alerts_open=opened,
        metrics_open=web.metrics == "open",
        idle=web.session_idle,
        longest=web.session_longest,
        sender_token="" if opened else secret(web.secrets, SENDER),
    )


def providers_of(config: Config, services: Mapping[str, Service]) -> dict[str, Aws]:
    """Who knows the burst credits of the services that name somebody."""
    found = {}
    for name, each in config.service.items():
        said = each.provider
        if said is not None:
            machine = services[name].machine
            found[name] = Aws(said.kind, said.region, said.instances, SystemClock(), machine, said.endpoint)
    return found


def bootstrap(config: Config) -> Context:
    """Open the database, bring it to the present schema, and connect everything. Raises BongsuError."""
    scale = Timescale(config.timescale.origin, config.timescale.speed)
    db = Database(config.store.url)
    migrate(db)
    wall, shared = wall_of(config, db)
    watched = config.service.items()
    services = {name: service_of(name, each, config) for name, each in watched}
    verify, readiness = weeklies_of(config)
    return Context(
        db=db,
        clock=ScaledClock(scale, wall),
        wall=wall,
        shared=shared,
        services=services,
        routing=routing_of(config),
        policies={name: policy_of(name, section) for name, section in config.policy.items()},
        meeting=meeting_of(config),
        audit_for=config.store.audit_for,
        drills=partial(newest, config.review.drills) if config.review and config.review.drills else tuple,
        integrations={
            name: Integration(
                secret(config.web.secrets, f"integration-{name}"), each.form, each.service, each.times_out
            )
            for name, each in config.integration.items()
        },
        known=Known(None if db.is_sqlite else SHARED_TRUST),
        directory=directory_of(config),
        verify=verify,
        readiness=readiness,
        answer_within=config.contacts.answer_within,
        metrics=prometheus_of(config, wall),
        notifier=smtp_of(config),
        channels={name: AppriseChannel(name, each.url_file) for name, each in config.channel.items()},
        second=second_of(config),
        digest_over=config.alerts.digest_over,
        senders=config.smtp.connections,
        link_key=secret(config.web.secrets, "link_key").encode(),
        api_token=secret(config.web.secrets, "api_token"),
        balancers={
            name: HAProxy(each.balancer.socket, each.balancer.backend) for name, each in watched if each.balancer
        },
        machines={name: LabHost(each.machines.url) for name, each in watched if each.machines},
        providers=providers_of(config, services),
        logs=logs_of(config),
        timescale=scale,
        public_url=(config.web.public_url or f"http://{config.web.host}:{config.web.port}").rstrip("/"),
        link_expires=config.web.link_expires,
        sender=config.smtp.sender,
        host=config.smtp.sender.rpartition("@")[2] or "localhost",
        watch_every=config.watch.every,
        data={
            name: CareOf(data_of(name, each), each.every, each.verify_every, each.prove)
            for name, each in config.data.items()
        },
        started_at=wall.now(),
        heartbeats=heartbeats_of(config),
        heartbeat_out=out_of(config),
        access=access_of(config.web),
    )


def claim_alone(context: Context) -> TextIO | None:
    """Lock a SQLite database for this process and free the leases a killed one left. Raises InUse.

    Keep the returned file open for as long as the process serves. PostgreSQL may be shared: None.
    """
    if not context.db.is_sqlite or not context.db.url.database:
        return None
    lock = claim(Path(context.db.url.database))
    context.db.write(outbox.release)
    context.db.write(actions.release)
    return lock
