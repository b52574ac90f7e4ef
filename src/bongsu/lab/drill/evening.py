"""One evening in the lab: a calm shop, a sale, a responder or none; everything that is needed to judge it is kept."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from bongsu.client import Client, Refused
from bongsu.core.drill import Scenario, predicted_exhaustion
from bongsu.core.errors import BongsuError
from bongsu.core.timescale import Timescale
from bongsu.lab.calibration import Calibration
from bongsu.lab.drill.demand import Demand
from bongsu.lab.drill.responder import Responder, read_lines
from bongsu.lab.drill.scenarios import ACK_ONLY, NOBODY, RESPONDED, Sabotage
from bongsu.lab.inbox import Behaviour, set_behaviour
from bongsu.lab.latency import Sample, read_samples
from bongsu.lab.plan import LabPlan
from bongsu.lab.policy import PolicyText
from bongsu.lab.running import RunningLab, RunningLoad, start_lab, start_load
from bongsu.lab.traffic import Segment

ON_CALL = "jimin@example.com"
DEPARTMENT = "commerce@example.com"
UPPER = "headquarters@example.com"


class Watcher(Protocol):
    """Somebody who looks on: the terminal, or nobody."""

    def say(self, line: str) -> None:
        """A line of what happens."""
        ...

    def look(self, now: Glance) -> None:
        """How things stand."""
        ...


@dataclass(frozen=True, slots=True)
class Glance:
    """How things stand at one moment, for the screen. ``recorded_at``: of ``machines``, in seconds since 1970."""

    run: str
    service_time: datetime
    minutes: float
    phase: str
    recorded_at: float
    machines: dict[str, dict[str, Any]]
    second: dict[str, Any]
    mails: list[dict[str, Any]]
    status: str
    elapsed_s: float


@dataclass
class Evening:
    """What is known of a run when it is over. ``*_at`` are wall times in seconds since 1970."""

    run: str
    scenario: Scenario
    timescale: Timescale
    began_at: float
    sale_at: float
    ended_at: float
    incident: dict[str, Any] | None
    report: dict[str, Any] | None
    report_file: str
    inbox: list[dict[str, Any]]
    governor: list[dict[str, Any]]
    samples: list[Sample]
    scraped: dict[str, list[tuple[float, float]]]
    acknowledged_at: float | None
    scaled_at: float | None
    responder_error: str = ""
    lost_parts: list[str] = field(default_factory=list)

    def deliveries(self, *kinds: str) -> list[dict[str, Any]]:
        """Messages of these kinds (all without any), in the order decided."""
        found: list[dict[str, Any]] = (self.incident or {}).get("deliveries", [])
        return [each for each in found if not kinds or each["kind"] in kinds]


def plan_of(scenario: Scenario, sabotage: Sabotage | None) -> LabPlan:
    """The lab for a scenario, with its policy, broken as the sabotage says."""
    broken = sabotage or Sabotage("", "", "")
    policy = PolicyText(
        tiers=scenario.tiers,
        settle=scenario.settle,
        ack_holds=0.0 if broken.ignore_acks else scenario.ack_holds,
        runway_under=scenario.runway_under,
        resolve_full_burn=scenario.resolve_full_burn,
        flat_line=not broken.no_flat_line,
        without_tier=broken.without_tier,
    )
    return LabPlan(
        machines=scenario.machines,
        size=scenario.size,
        speed=scenario.speed,
        machine_type=scenario.machine_type,
        opening_balance=scenario.opening_balance,
        newcomer_balance=scenario.newcomer_balance,
        max_machines=scenario.scale_to,
        prepared=True,
        policy=policy,
    )


class Run:
    """Plays one evening. Use it from the main thread, for the lab's children end with the thread that started them."""

    def __init__(
        self, run: str, scenario: Scenario, calibration: Calibration, folder: Path, watcher: Watcher,
        sabotage: Sabotage | None = None,
    ) -> None:  # fmt: skip
        self._run, self._scenario, self._calibration, self._folder = run, scenario, calibration, folder
        self._watcher, self._sabotage = watcher, sabotage
        self._phase = "calm"

    def play(self) -> Evening:
        """Start a lab, let the evening pass, keep what it left, end the lab."""
        self._watcher.say(f"{self._run}: starting the lab")
        with start_lab(plan_of(self._scenario, self._sabotage), self._folder / "lab") as lab:
            if self._sabotage is not None and self._sabotage.dead_mail:
                set_behaviour(lab.directory.inbox, Behaviour(dead=True))
            self._client = Client(lab.endpoints["bongsu"])
            self._scale = Timescale(datetime.fromisoformat(lab.origin), lab.speed)
            with start_load(lab, self._segments(), self._folder / "load") as load:
                return self._evening(lab, load)

    def _rate(self, level: float) -> float:
        return self._calibration.rate(level, self._scenario.machines, self._scenario.size)

    def _segments(self) -> tuple[Segment, ...]:
        calm_s = self._scenario.calm_minutes * 60.0 / self._scenario.speed
        calm, sale = self._rate(self._scenario.calm), self._rate(self._scenario.plateau)
        return Segment(calm_s, calm, "calm"), Segment(3600.0, sale, "sale")

    def _evening(self, lab: RunningLab, load: RunningLoad) -> Evening:
        began = time.time()
        sale = began + self._scenario.calm_minutes * 60 / self._scenario.speed
        responder = self._responder(lab)
        if responder is not None:
            responder.start()
        self._live(lab, load, began, sale)
        if responder is not None:
            responder.stop()
        ended = time.time()
        load.stop()
        return self._keep(lab, load, responder, (began, sale, ended))

    def _responder(self, lab: RunningLab) -> Responder | None:
        if self._run == NOBODY:
            return None
        scales_out = self._run == RESPONDED
        return Responder(lab.directory.inbox, ON_CALL, scales_out=scales_out, reaction=1.0, say=self._watcher.say)

    def _live(self, lab: RunningLab, load: RunningLoad, began: float, sale: float) -> None:
        """Look on until the evening has shown what it is for, or its time is up."""
        limit = began + self._longest() * 60 / self._scenario.speed
        done_at: float | None = None
        each = self._scenario
        demand = Demand(load, each, self._rate(each.plateau))
        while time.time() < limit and (done_at is None or time.time() < done_at):
            tick = time.time()
            glance = self._glance(lab, load, tick, sale)
            self._watcher.look(glance)
            demand.steer(glance.minutes, glance.second, glance.recorded_at, glance.machines)
            if done_at is None:
                more = self._shown(glance)
                done_at = None if more is None else time.time() + more * 60 / self._scenario.speed
            time.sleep(max(0.0, tick + 0.5 - time.time()))

    def _longest(self) -> float:
        """Lab minutes after which a run ends whatever was seen."""
        each = self._scenario
        last = (predicted_exhaustion(each, plan_of(each, None).type) or each.tiers[2]) * 1.25
        return each.calm_minutes + max(last, each.tiers[2]) + each.after_exhaustion

    def _shown(self, now: Glance) -> float | None:
        """How many lab minutes to go on once the run has shown its point; None while it has not."""
        if self._run == NOBODY:
            return self._scenario.after_exhaustion if any(m.get("empty") for m in now.machines.values()) else None
        if self._run == RESPONDED:
            return self._scenario.rises_for + 2 if now.status == "resolved" else None
        told = any(mail["headers"].get("X-Bongsu-Tier") == "2" for mail in now.mails)
        return 3.0 if self._run == ACK_ONLY and told else None

    def _glance(self, lab: RunningLab, load: RunningLoad, now: float, sale: float) -> Glance:
        record, second = _last(lab.directory.records), _last(load.seconds)
        incident: dict[str, Any] = {}
        with suppress(Refused):
            incident = next((each for each in self._client.incidents() if each["policy"]["name"] == "burst"), {})
        minutes = (now - sale) * self._scenario.speed / 60
        sabotaged = f", {self._sabotage.name}" if self._sabotage else ""
        phase = "calm" if minutes < 0 else "peak" if minutes < self._scenario.peak_minutes else "plateau"
        return Glance(
            run=self._run + sabotaged,
            service_time=self._scale.to_service(datetime.fromtimestamp(now, self._scale.origin.tzinfo)),
            minutes=minutes,
            phase=phase,
            recorded_at=record.get("at", now),
            machines=record.get("machines", {}),
            second=second,
            mails=read_lines(lab.directory.inbox / "inbox.jsonl"),
            status=incident.get("status", "calm"),
            elapsed_s=float(incident.get("elapsed_s", 0.0)),
        )

    def _keep(
        self, lab: RunningLab, load: RunningLoad, responder: Responder | None, times: tuple[float, float, float]
    ) -> Evening:
        began, sale, ended = times
        incident = report = None
        page = ""
        with suppress(BongsuError):
            found = [each for each in self._client.incidents() if each["policy"]["name"] == "burst"]
            if found:
                incident = self._client.incident(found[-1]["id"])
                report = self._client.report(incident["id"])
                page = self._save_report(incident["id"])
        return Evening(
            run=self._run,
            scenario=self._scenario,
            timescale=self._scale,
            began_at=began,
            sale_at=sale,
            ended_at=ended,
            incident=incident,
            report=report,
            report_file=page,
            inbox=read_lines(lab.directory.inbox / "inbox.jsonl"),
            governor=read_lines(lab.directory.records),
            samples=read_samples(load.samples),
            scraped=scraped_cpu(lab.endpoints["prometheus"], began, ended),
            acknowledged_at=responder.acknowledged_at if responder else None,
            scaled_at=responder.scaled_at if responder else None,
            responder_error=responder.error if responder else "",
        )

    def _save_report(self, incident_id: str) -> str:
        for name, path in (("report.html", "report"), ("report.ko.html", "report?lang=ko"), ("report.md", "report.md")):
            text = self._client.text(f"/incidents/{incident_id}/{path}")
            (self._folder / name).write_text(text, encoding="utf-8")
        return str(self._folder / "report.html")


def scraped_cpu(prometheus: str, begin: float, end: float) -> dict[str, list[tuple[float, float]]]:
    """The CPU samples as Prometheus stored them, by machine, with its own timestamps (wall seconds)."""
    import urllib3

    window = max(1, int(end - begin) + 1)
    fields = {"query": f'system_cpu_usage{{job="application"}}[{window}s]', "time": f"{end:.3f}"}
    try:
        answer = urllib3.request("GET", f"{prometheus}/api/v1/query", fields=fields, timeout=10.0, retries=False)
        found = json.loads(answer.data)["data"]["result"]
    except (urllib3.exceptions.HTTPError, KeyError, ValueError):
        return {}
    return {
        series["metric"]["instance"]: [(float(at), float(value)) for at, value in series["values"]] for series in found
    }


def _last(file: Path) -> dict[str, Any]:
    """The newest whole line of a file of JSON lines."""
    try:
        with file.open("rb") as stream:
            stream.seek(0, 2)
            stream.seek(max(0, stream.tell() - 16384))
            lines = stream.read().decode(errors="replace").splitlines(keepends=True)
    except FileNotFoundError:
        return {}
    whole = [line for line in lines if line.endswith("\n") and line.startswith("{")]
    return dict(json.loads(whole[-1])) if whole else {}


def wall(evening: Evening, service_time: str) -> float:
    """A service time (ISO) as wall seconds since 1970."""
    return evening.timescale.to_wall(datetime.fromisoformat(service_time)).timestamp()


def minutes(evening: Evening, begin: float, end: float) -> float:
    """Lab minutes between two wall times."""
    return timedelta(seconds=end - begin) * evening.scenario.speed / timedelta(minutes=1)
