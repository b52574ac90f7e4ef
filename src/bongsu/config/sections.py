"""The sections of ``bongsu.toml``: one typed tree. Unknown keys are errors."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from bongsu.config.providing import ProviderSection
from bongsu.config.quiet import QuietSection
from bongsu.config.watching import HeartbeatOut, HeartbeatSection, Time
from bongsu.config.web import Web
from bongsu.core.burst import Mode, OnStop
from bongsu.core.delivery import CHANNEL
from bongsu.core.impact import GRACE
from bongsu.core.severity import Severity
from bongsu.profiles import ProfileSection


class HAProxy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="haproxy", tag_field="kind"):
    """A HAProxy whose runtime API listens on ``socket``; servers of ``backend`` are named like the machines."""

    socket: str
    backend: str


class Lab(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="lab", tag_field="kind"):
    """The lab's supervisor starts and stops machines; ``url`` is its control address."""

    url: str


class ImpactSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How affected users are counted: from when a request is slow (one limit, or one by route), what is not a user's.

    ``shop_log``: files of the application's own log, joined by request id. ``goals`` such as "POST /orders". ``bots``
    and ``synthetic`` are patterns of user agents, ``staff`` tokens of users as the log has them, ``routes`` patterns of
    paths ("/products/{slug}"). ``orders`` and ``revenue`` are counters in Prometheus.
    """

    slow_over: timedelta | dict[str, timedelta] | None = None
    goals: list[str] = []
    grace: timedelta = GRACE
    bots: list[str] = []
    synthetic: list[str] = []
    staff: list[str] = []
    monitoring: list[str] = []
    routes: list[str] = []
    shop_log: list[str] = []
    orders: str | None = None
    revenue: str | None = None
    currency: str = "KRW"


class Service(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A service to watch: its Prometheus job, where its signals live, its machine type and its policy.

    ``access_log``: a file, or a list of files and patterns (rotated ones too). ``targets`` (host:port) and
    ``metrics_path`` are for ``bongsu generate``; ``owner`` is the owning team.
    """

    job: str = "application"
    profile: str = "micrometer"
    machine: str
    policy: str
    signals: dict[str, str] = {}
    balancer: HAProxy | None = None
    machines: Lab | None = None
    provider: ProviderSection | None = None
    max_machines: int = 4
    access_log: str | list[str] | None = None
    impact: ImpactSection = ImpactSection()
    targets: list[str] = []
    metrics_path: str = "/actuator/prometheus"
    owner: str | None = None


class MachineSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A machine type that the catalogue does not know; a service names it by ``machine = "NAME"``.

    ``baseline``: the share of each vCPU that may be used for ever. ``cap``: 24 hours' earnings if not given.
    ``surplus_price``: per vCPU-hour in unlimited mode.
    """

    vcpus: int
    baseline: float
    cap: float | None = None
    launch_credits: float = 0.0
    mode: Mode = Mode.STANDARD
    on_stop: OnStop = OnStop.UNKNOWN
    surplus_price: float | None = None
    currency: str = "USD"
    ramp_minutes: float = 0.0
    month_price: float | None = None


class TierSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whom to tell after how long; ``repeat``: again and again after so long, until somebody acknowledges."""

    after: timedelta
    notify: list[str]
    repeat: timedelta | None = None


class CeilingSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The level that calls at once."""

    at: float = 0.95
    samples: int = 2
    notify: list[str]
    again_after: timedelta = timedelta(hours=1)


class RunwaySection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Calls when the credits would last less than this at 100 % CPU."""

    full_burn_under: timedelta = timedelta(minutes=30)
    notify: list[str]


class PolicySection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An escalation policy; ``over`` is ``"baseline"`` or a number (0..1 for the CPU)."""

    severity: Severity = Severity.CRITICAL
    signal: str = "cpu"
    over: float | str = "baseline"
    settle: timedelta = timedelta(minutes=2)
    rejoin: timedelta = timedelta(minutes=30)
    ack_holds: timedelta = timedelta(minutes=15)
    tier: list[TierSection]
    ceiling: CeilingSection | None = None
    runway: RunwaySection | None = None
    throttled: list[str] | None = None
    blind: list[str] | None = None
    resolve_full_burn: timedelta = timedelta(minutes=10)
    flat_line: bool = True


class ContactSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A way to reach somebody: a mail address, or a channel by its name. One of the two."""

    email: str | None = None
    channel: str | None = None

    @property
    def address(self) -> str:
        """The address as deliveries know it."""
        return self.email if self.email is not None else f"{CHANNEL}{self.channel}"


class ChannelSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A way beside mail, such as a chat room. ``url_file`` holds its address in Apprise's form: it is a secret.

    ``locale``: in which language it is told of what concerns nobody in particular.
    """

    url_file: Path
    locale: str = "en"


class PersonSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A person, with the language of the mails and the time zone they show times in (the site's if not given)."""

    name: str
    locale: str = "en"
    time_zone: str | None = None
    quiet: QuietSection | None = None
    contact: list[ContactSection] = []


class TeamSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A team or department."""

    name: str
    locale: str = "en"
    time_zone: str | None = None
    members: list[str] = []
    contact: list[ContactSection] = []


class Site(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What holds for everybody here. ``time_zone``: in which mails, pages and reports show times (``Asia/Seoul``)."""

    time_zone: str = "UTC"


class RotationSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"start": "from"}):
    """People who take turns. ``every`` in days (P7D) keeps its local time; in hours (PT168H) it is so long exactly.

    ``only``: the hours of the week it covers, such as "mon-fri 09:00-18:00", "sat,sun" or "22:00-07:00".
    """

    people: list[str]
    every: str
    start: datetime
    only: list[str] = []


class ScheduleSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who is on call: a rotation, and layers above it, of which the last that has somebody counts.

    ``time_zone``: by whose calendar turns change and hours are meant; the site's if not given.
    """

    rotation: RotationSection | None = None
    layer: list[RotationSection] = []
    time_zone: str | None = None


class Contacts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whether people can be reached: asked by mail every so many days, at a local time; None is only when told to.

    ``answer_within``: after that a round is over and its report goes to ``report_to`` (team:NAME, person:NAME).
    """

    verify_every: str | None = None
    weekday: str = "mon"
    at: str = "10:00"
    answer_within: timedelta = timedelta(days=2)
    report_to: list[str] = []


class Readiness(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What would go wrong in an alarm, mailed to ``mail_to`` every so many days, and only when something is wrong."""

    mail_every: str | None = None
    weekday: str = "mon"
    at: str = "09:00"
    mail_to: list[str] = []


class Prometheus(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The metrics store; ``scrape`` is its scrape interval in service time.

    ``jobs`` are further jobs that ``bongsu generate`` lets it scrape at /metrics: targets (host:port) by name.
    """

    url: str = "http://127.0.0.1:9090"
    scrape: timedelta = timedelta(seconds=5)
    timeout: float = 5.0
    jobs: dict[str, list[str]] = {}


class Watch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How often to look, in service time, and how far back when nothing is known yet."""

    every: timedelta = timedelta(seconds=5)
    look_back: timedelta = timedelta(hours=6)


class Smtp(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"sender": "from"}):
    """The mail relay. ``tls``: none, starttls or implicit; ``ca_file``: who vouches for it, if not this system's list.

    ``timeout`` in seconds, for every step; ``total`` for a whole transaction. ``connections``: at the most at a time.
    """

    host: str = "127.0.0.1"
    port: int = 25
    sender: str = "bongsu@localhost"
    tls: str = "none"
    user: str | None = None
    password_file: Path | None = None
    ca_file: Path | None = None
    timeout: float = 10.0
    total: float = 30.0
    connections: int = 8


class Grafana(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Grafana: its address, where it reaches Prometheus, its dashboards' language, and whether it mails by itself.

    ``mails`` false: its alert rules mail only while Bongsu's heartbeat is missing. ``quiet_hours`` (such as
    "22:00-07:00", in ``time_zone``) hold back its warnings, never a tier, a ceiling, empty credits or a dead machine.
    """

    url: str = "http://127.0.0.1:3000"
    prometheus_url: str = "http://127.0.0.1:9090"
    locale: str = "en"
    mails: bool = False
    quiet_hours: list[str] = []
    time_zone: str = "UTC"


class RouteSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Alerts from outside for which every matcher holds go to ``service``; ``group_by``: an incident for each value.

    ``policy``: whose tiers are told; the service's own if not given.
    """

    match: list[str]
    service: str
    policy: str | None = None
    group_by: list[str] = []


class IntegrationSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Somebody who sends webhooks to /api/hooks/NAME; the token is made in the folder of secrets: integration-NAME.

    ``form``: plain, alertmanager or grafana. ``times_out``: when an alert ends that is never resolved.
    """

    form: str = "plain"
    service: str | None = None
    times_out: timedelta = timedelta(hours=12)


class Alerts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``default_service``: who is responsible for alerts that no label and no route names.

    ``second_channel`` hears of it when mail has not gone out for ``second_after``. Whoever would get more than
    ``digest_over`` mails in a minute gets what may wait in one.
    """

    default_service: str | None = None
    second_channel: str | None = None
    second_after: timedelta = timedelta(minutes=1)
    digest_over: int = 10


class Review(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"start": "from"}):
    """The regular review; ``invite`` gets the agenda ``notice`` before it. ``drills``: where drills leave results."""

    every: timedelta = timedelta(days=14)
    start: datetime
    invite: list[str] = []
    notice: timedelta = timedelta(days=1)
    drills: Path | None = None


class Store(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Bongsu's own database: ``sqlite:///file`` or ``postgresql+psycopg://...``. ``audit_for``: how long the audit
    log's lines are kept, by the wall."""

    url: str = "sqlite:///var/bongsu/bongsu.db"
    audit_for: timedelta = timedelta(days=400)


class DataSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A service's PostgreSQL, to verify, back up and recover. Its name is the service's.

    ``dsn`` or ``dsn_file``: where it is; ``invariants``: the folder with the queries; ``backups``: where backups go, of
    which ``keep`` stay, and all younger than ``keep_for``. ``every`` and ``verify_every`` (service time): how often a
    backup is made, and the invariants are asked; ``prove``: each such backup is restored and verified. ``timeout``:
    seconds for one invariant; ``scratch``: where backups are restored (the system's temporary folder if not given).
    """

    dsn: str | None = None
    dsn_file: Path | None = None
    invariants: Path
    backups: Path = Path("var/bongsu/backups")
    keep: int = 14
    keep_for: timedelta = timedelta(days=14)
    every: timedelta | None = None
    verify_every: timedelta | None = None
    prove: bool = True
    timeout: float = 60.0
    scratch: Path | None = None


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole of ``bongsu.toml``."""

    service: dict[str, Service] = {}
    profile: dict[str, ProfileSection] = {}
    machine: dict[str, MachineSection] = {}
    policy: dict[str, PolicySection] = {}
    person: dict[str, PersonSection] = {}
    team: dict[str, TeamSection] = {}
    channel: dict[str, ChannelSection] = {}
    route: list[RouteSection] = []
    alerts: Alerts = Alerts()
    integration: dict[str, IntegrationSection] = {}
    schedule: dict[str, ScheduleSection] = {}
    review: Review | None = None
    site: Site = Site()
    contacts: Contacts = Contacts()
    readiness: Readiness = Readiness()
    prometheus: Prometheus = Prometheus()
    watch: Watch = Watch()
    smtp: Smtp = Smtp()
    web: Web = Web()
    grafana: Grafana = Grafana()
    store: Store = Store()
    data: dict[str, DataSection] = {}
    heartbeat: dict[str, HeartbeatSection] = {}
    heartbeat_out: HeartbeatOut | None = None
    timescale: Time = Time()
