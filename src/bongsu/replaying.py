"""A recorded incident on a virtual clock, under today's configuration: does its alarm chain still hold?

The tests that ``bongsu incidents replay`` writes call it. Engine, store, escalation and mails are the real ones.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from bongsu import config as configuration
from bongsu.bootstrap import directory_of, service_of
from bongsu.config.replays import Replay, load_replay
from bongsu.core.errors import InvalidInput
from bongsu.core.incident import Incident
from bongsu.core.replay import Alarm, broken
from bongsu.core.schedule import Directory
from bongsu.core.service import Service
from bongsu.engine import command
from bongsu.store import incidents, outbox
from bongsu.testing import SCRAPE, World

MARGIN = 2 * SCRAPE
"""How much later an alarm may come: the watch looks at other moments than it did."""


def broken_chain(scenario: Path, config: Path, folder: Path) -> list[str]:
    """What of the recorded alarms would no longer come, would come late or reach nobody. Raises InvalidInput."""
    recorded = load_replay(scenario)
    loaded = configuration.load(config)
    section = loaded.service.get(recorded.service)
    if section is None:
        raise InvalidInput([f"{config}: there is no service {recorded.service!r} any more, so nobody is told"])
    service = service_of(recorded.service, section, loaded)
    signals = [name for name in ("cpu", "balance", "throttled") if getattr(recorded, name)]
    again = Again(recorded, replace(service, signals={name: name for name in signals}), folder, directory_of(loaded))
    try:
        return again.play()
    finally:
        again.close()


class Again(World):
    """A world whose samples are those of a record."""

    def __init__(self, recorded: Replay, service: Service, folder: Path, directory: Directory) -> None:
        self._recorded = recorded
        begins = recorded.started_at - timedelta(seconds=recorded.lead)
        super().__init__(
            f"sqlite:///{folder / 'replay.db'}",
            folder,
            policy=service.policy,
            directory=directory,
            machines=0,
            service=service,
            start=begins,
        )
        self._put = -recorded.lead - 1.0

    def _moment(self, offset: float) -> datetime:
        return self._recorded.started_at + timedelta(seconds=offset)

    def _scrape(self) -> None:
        """Everything recorded since the last look; machines come and go with their samples."""
        now = (self.clock.now() - self._recorded.started_at).total_seconds()
        for name in self.service.signals:
            for machine, samples in getattr(self._recorded, name).items():
                for at, value in samples:
                    if self._put < at <= now:
                        self.metrics.put(name, machine, self._moment(at), value)
        self.balancer.names = {
            machine
            for machine, samples in self._recorded.cpu.items()
            if samples and samples[0][0] <= now <= samples[-1][0] + self.service.stale.total_seconds()
        }
        self._put = now

    def play(self) -> list[str]:
        """Let it happen; what of the chain is broken."""
        taken = self._recorded.acknowledged
        if taken is not None and taken < self._recorded.ends:
            self._until(taken)
            found = self._found()
            if found is not None and found.open:
                command.acknowledge(self.context, found.id, self._recorded.acknowledged_by)
        self._until(self._recorded.ends)
        found = self._found()
        told = [] if found is None else [self._alarm(found, number) for number in range(len(found.told))]
        return broken(self._recorded.alarms, told, self._reached(found), MARGIN.total_seconds())

    def _until(self, offset: float) -> None:
        self.advance(seconds=max(0.0, (self._moment(offset) - self.clock.now()).total_seconds()))

    def _found(self) -> Incident | None:
        return self.context.db.read(lambda tx: incidents.latest(tx, self.service.name, self.policy.name))

    def _alarm(self, found: Incident, number: int) -> Alarm:
        told, policy = found.told[number], found.policy
        notify = policy.tiers[told.level - 1].notify if told.level else told.kind.at_once(policy)
        return Alarm(told.kind, (told.at - self._recorded.started_at).total_seconds(), notify, told.level)

    def _reached(self, found: Incident | None) -> dict[str, int]:
        if found is None:
            return {}
        sent = self.context.db.read(lambda tx: outbox.of(tx, found.id))
        return Counter(Alarm(m.kind, 0.0, (), m.level).name for m in sent if m.state == "accepted")
