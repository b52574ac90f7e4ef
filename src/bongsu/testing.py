"""A world for stories: services, machines and people on a clock that only ``advance`` moves.

The engine, the store, the escalation and the mails are the real ones; the metrics store, the balancer and the post
office are scripted here, because a story needs to say what they show and when.
"""

from __future__ import annotations

import email
import email.policy
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path

from bongsu.catalogue import load_catalogue
from bongsu.core.access import Access, Right
from bongsu.core.alert import Alert
from bongsu.core.contact import Weekly
from bongsu.core.incident import Incident
from bongsu.core.policy import Ceiling, Policy, Runway, Tier
from bongsu.core.rotation import Beat, Rotation, Schedule
from bongsu.core.routing import Route, Routing
from bongsu.core.schedule import Directory, Person, Team
from bongsu.core.service import BLIND, Service
from bongsu.engine import (
    announce,
    auditor,
    clocks,
    command,
    contacts,
    deliver,
    expose,
    heartbeat,
    intake,
    readiness,
    relay,
    report,
    respond,
    watch,
)
from bongsu.engine.context import Context, Out, Owed, SecondChannel
from bongsu.ports import Down, Letter, Reason, Rejected, Retryable, Samples, Unavailable
from bongsu.store import incidents, outbox
from bongsu.store.database import Database
from bongsu.store.migrate import migrate

START = datetime(2026, 1, 5, 20, 0, tzinfo=UTC)
SCRAPE = timedelta(seconds=15)


class ManualClock:
    """Time stands still until it is moved."""

    def __init__(self, now: datetime = START) -> None:
        self.time = now

    def now(self) -> datetime:
        """The time it was set to."""
        return self.time

    def advance(self, by: timedelta) -> None:
        """Move on."""
        self.time += by


@dataclass
class ScriptedMetrics:
    """A metrics store that holds what the story put in."""

    series: dict[str, dict[str, list[tuple[datetime, float]]]] = field(default_factory=dict)
    down: bool = False

    def put(self, signal: str, machine: str, at: datetime, value: float) -> None:
        """Store a sample."""
        self.series.setdefault(signal, {}).setdefault(machine, []).append((at, value))

    def samples(self, expression: str, since: datetime, until: datetime) -> Mapping[str, Samples]:
        """What was stored in the window."""
        if self.down:
            raise Unavailable("the metrics store is down in this story")
        found = self.series.get(expression, {})
        return {name: tuple(s for s in samples if since < s[0] <= until) for name, samples in found.items()}

    def values(self, expression: str, since: datetime, until: datetime, step: timedelta) -> Mapping[str, Samples]:  # noqa: ARG002
        """The same; a story's samples are their own steps."""
        return self.samples(expression, since, until)

    def skew(self) -> timedelta:
        """None."""
        return timedelta(0)


@dataclass
class PostOffice:
    """Takes letters, refuses some addresses for good, and can be closed."""

    letters: list[EmailMessage] = field(default_factory=list)
    refuses: set[str] = field(default_factory=set)
    closed: bool = False

    def send(self, letter: Letter) -> str:
        """Keep the letter."""
        self.ping()
        if letter.to in self.refuses:
            raise Rejected(Reason.REFUSED, "550 no such user")
        parsed = email.message_from_bytes(letter.body, policy=email.policy.default)
        assert isinstance(parsed, EmailMessage)
        self.letters.append(parsed)
        return f"250 kept as {len(self.letters)}"

    def open(self, to: str) -> None:
        """Nothing begins before the mail."""

    def ping(self) -> str:
        """Whether it is open."""
        if self.closed:
            raise Down(Reason.UNREACHABLE, "the post office is closed")
        return "250 open"


@dataclass
class ScriptedChannel:
    """A chat room."""

    said: list[tuple[str, str]] = field(default_factory=list)
    broken: bool = False

    def say(self, title: str, text: str) -> str:
        """Keep it."""
        if self.broken:
            raise Retryable(Reason.UNREACHABLE, "the chat room is closed")
        self.said.append((title, text))
        return "said"


@dataclass
class ScriptedBalancer:
    """A balancer whose members are a set."""

    names: set[str] = field(default_factory=set)
    drained: set[str] = field(default_factory=set)

    def members(self) -> frozenset[str]:
        """Who gets traffic."""
        return frozenset(self.names - self.drained)

    def add(self, name: str, address: str) -> None:  # noqa: ARG002
        """Give traffic."""
        self.names.add(name)
        self.drained.discard(name)

    def drain(self, name: str) -> None:
        """No new traffic."""
        self.drained.add(name)

    def remove(self, name: str) -> None:
        """Take it out."""
        self.names.discard(name)
        self.drained.discard(name)


@dataclass
class ScriptedMachines:
    """Starts machines that answer once the story says so."""

    started: list[str] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)
    ready: bool = True

    def start(self, name: str) -> None:
        """Remember it."""
        if name not in self.started:
            self.started.append(name)

    def answers(self, name: str) -> str | None:
        """An address once it is ready."""
        return "127.0.0.1:1" if self.ready and name in self.started else None

    def stop(self, name: str) -> None:
        """Remember it."""
        self.stopped.append(name)


BURST = Policy(
    name="burst",
    tiers=(
        Tier(timedelta(minutes=5), ("on-call:shop",)),
        Tier(timedelta(minutes=20), ("team:commerce",)),
        Tier(timedelta(minutes=40), ("team:headquarters",)),
    ),
    ceiling=Ceiling(("on-call:shop",)),
    runway=Runway(("on-call:shop",), timedelta(minutes=30)),
    throttled=("on-call:shop",),
    blind=("on-call:shop",),
)

AT_ONCE = Policy(
    name="at-once", tiers=(Tier(timedelta(0), ("on-call:shop",)), Tier(timedelta(minutes=10), ("team:commerce",)))
)

PEOPLE = Directory(
    people={
        "jimin": Person("jimin", "Kim Jimin", "ko", ("jimin@example.com",)),
        "sora": Person("sora", "Lee Sora", "en", ("sora@example.com",)),
    },
    teams={
        "commerce": Team("commerce", "Commerce department", ("jimin", "sora"), "en", ("commerce@example.com",)),
        "headquarters": Team("headquarters", "Headquarters", ("sora",), "en", ("hq@example.com",)),
    },
    schedules={
        "shop": Schedule((Rotation(("jimin", "sora"), Beat(START - timedelta(days=1), timedelta(days=7))),)),
    },
)


class World:
    """The story's stage. Levels are CPU 0..1; balances are credits of a ``lightsail:small-2GB`` (cap 576)."""

    def __init__(
        self,
        url: str,
        folder: Path,
        *,
        policy: Policy = BURST,
        directory: Directory = PEOPLE,
        machines: int = 2,
        service: Service | None = None,
        start: datetime = START,
    ) -> None:
        """``service``: another than the shop of the stories."""
        self.url, self.folder = url, folder
        self.clock = ManualClock(start)
        self.metrics = ScriptedMetrics()
        self.post = PostOffice()
        self.room = ScriptedChannel()
        self.balancer = ScriptedBalancer({f"machine-{n}" for n in range(1, machines + 1)})
        self.provider = ScriptedMachines()
        self.levels: dict[str, float] = {f"machine-{n}": 0.08 for n in range(1, machines + 1)}
        self.balances: dict[str, float | None] = dict.fromkeys(self.levels, 400.0)
        self.extra: dict[str, dict[str, float]] = {}
        self.silent: set[str] = set()
        self.routes: tuple[Route, ...] = ()
        self.watching = True
        self.seen = 0
        self._began: dict[tuple[object, ...], datetime] = {}
        self.policy, self.directory = policy, directory
        self.service = service or self._shop()
        self.verify, self.readiness = Weekly(), Weekly()
        self.heartbeats: dict[str, Owed] = {}
        self.heartbeat_out: Out | None = None
        self.context = self._open()

    def _shop(self) -> Service:
        return Service(
            name="shop",
            machine=load_catalogue()["lightsail:small-2GB"],
            policy=self.policy,
            blind=self.policy.when_blind(BLIND),
            signals={"cpu": "cpu", "balance": "balance", "throttled": "throttled", "steal": "steal"},
            stale=3 * SCRAPE,
            most_machines=6,
        )

    def _open(self) -> Context:
        db = Database(self.url)
        migrate(db)
        name = self.service.name
        return Context(
            db=db,
            clock=self.clock,
            wall=self.clock,
            services={name: self.service},
            routing=Routing({name: (self.policy.name, BLIND)}, self.routes, name),
            policies={self.policy.name: self.policy, "at-once": AT_ONCE},
            directory=self.directory,
            verify=self.verify,
            readiness=self.readiness,
            metrics=self.metrics,
            notifier=self.post,
            channels={"room": self.room},
            second=SecondChannel("room", timedelta(minutes=1), "en"),
            link_key=b"a key for stories",
            api_token="a token for stories",  # noqa: S106
            balancers={name: self.balancer},
            machines={name: self.provider},
            sender="bongsu@example.com",
            host="example.com",
            started_at=self.clock.now(),
            heartbeats=self.heartbeats,
            heartbeat_out=self.heartbeat_out,
            access=Access(anonymous=Right.VIEWER),
        )

    def close(self) -> None:
        """End of the story."""
        self.context.db.close()

    def restart(self) -> None:
        """Bongsu stops and starts on the same database."""
        self.context.db.close()
        self.context = self._open()
        self.context.db.write(outbox.release)
        self.watching = True

    def stop(self) -> None:
        """Bongsu is down; time and Prometheus go on."""
        self.watching = False

    def cpu(self, level: float, *machines: str) -> None:
        """From now on these machines (all if none is named) use this much."""
        for name in machines or tuple(self.levels):
            self.levels[name] = level
            self.balances.setdefault(name, 400.0)

    def advance(self, *, minutes: float = 0, seconds: float = 0) -> None:
        """Let time pass, scrape by scrape; the engine looks after each."""
        end = self.clock.time + timedelta(minutes=minutes, seconds=seconds)
        while self.clock.time < end:
            self.clock.advance(min(SCRAPE, end - self.clock.time))
            self._scrape()
            if self.watching:
                self.tick()

    def _scrape(self) -> None:
        now = self.clock.now()
        for name, level in self.levels.items():
            if name in self.silent:
                continue
            self.metrics.put("cpu", name, now, level)
            balance = self.balances.get(name)
            if balance is not None:
                self.metrics.put("balance", name, now, balance)
            for signal, value in self.extra.get(name, {}).items():
                self.metrics.put(signal, name, now, value)

    def tick(self) -> None:
        """One look of the engine, and everything that is due because of it."""
        watch.watch(self.context)
        command.due(self.context)
        intake.decide_touched(self.context)
        intake.look_again(self.context)
        announce.announce(self.context)
        respond.respond(self.context)
        respond.shrink(self.context)
        report.keep(self.context)
        contacts.due(self.context)
        readiness.due(self.context)
        heartbeat.look(self.context)
        self.deliver()
        expose.expose(self.context)
        clocks.compare(self.context)
        audited = self.context.pulse.audited_at
        if audited is None or self.context.wall.now() - audited >= auditor.EVERY:
            auditor.audit(self.context)
        heartbeat.send(self.context)

    def deliver(self) -> None:
        """Send what is due, once each."""
        relay.look(self.context)
        if self.context.relay.down:
            relay.probe(self.context)
        now, mail = self.context.wall.now(), not self.context.relay.down
        if not self.context.db.read(lambda tx: outbox.is_due(tx, now, mail=mail)):
            return
        for message in deliver.claim(self.context, limit=100):
            deliver.deliver(self.context, message)

    def incident(self, policy: str = "burst") -> Incident:
        """The newest incident of the service under a policy."""
        found = self.context.db.read(lambda tx: incidents.latest(tx, self.service.name, policy))
        assert found is not None, f"there is no incident under {policy!r}"
        return found

    def alert(self, name: str, *, seconds: float = 300, **labels: str) -> None:
        """An alert arrives that fires for so long if it is not sent again; 0 seconds: it is resolved."""
        now = self.clock.now()
        begun = self._began.setdefault((name, *sorted(labels.items())), now)
        said = {"alertname": name, "bongsu_service": "shop", **labels}
        said = {key: value for key, value in said.items() if value}
        intake.receive(self.context, [Alert(said, begun, now + timedelta(seconds=seconds))])

    def acknowledge(self, by: str = "Kim Jimin") -> Incident:
        """Somebody takes the incident."""
        return command.acknowledge(self.context, self.incident().id, by)

    def expect_mail(self, to: str, kind: str, tier: int | None = None) -> EmailMessage:
        """The next letter not looked at yet goes to this address (its part before the @) and is of this kind."""
        assert self.seen < len(self.post.letters), f"no more mail; expected {kind} to {to}"
        letter = self.post.letters[self.seen]
        self.seen += 1
        got = (letter["To"].addresses[0].username, letter["X-Bongsu-Kind"], letter["X-Bongsu-Tier"])
        assert got == (to, kind, None if tier is None else str(tier)), f"expected {(to, kind, tier)}, got {got}"
        return letter

    def expect_silence(self) -> None:
        """No letter that was not looked at."""
        rest = [f"{m['X-Bongsu-Kind']} {m['X-Bongsu-Tier'] or ''} to {m['To']}" for m in self.post.letters[self.seen :]]
        assert not rest, f"unexpected mail: {rest}"
