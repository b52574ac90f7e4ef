"""Stories of who watches the watcher: the auditor, and heartbeats both ways."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from bongsu.adapters.ping import Ping
from bongsu.engine import auditor, health
from bongsu.engine.context import Out, Owed
from bongsu.ports import Unavailable
from bongsu.store import heartbeats, outages
from bongsu.testing import World

MINUTE = timedelta(minutes=1)


def whats(world: World) -> list[str]:
    return [each.what for each in health.look(world.context).complaints]


def breach(world: World) -> None:
    world.cpu(0.42)
    world.advance(minutes=5, seconds=15)
    world.expect_mail(to="jimin", kind="tier", tier=1)


def asleep(world: World, minutes: float) -> None:
    """The watch and the timers do nothing; the auditor and delivery go on."""
    world.stop()
    world.advance(minutes=minutes)
    auditor.audit(world.context)
    world.deliver()


def test_a_watch_that_sleeps_through_a_tier_is_found_and_told_once(world: World) -> None:
    breach(world)
    asleep(world, 15)
    assert whats(world) == ["watch_stuck"], "within the tolerance"
    asleep(world, 2)
    assert whats(world) == ["watch_stuck", "escalation_late"]
    letter = world.expect_mail(to="jimin", kind="late")
    assert world.incident().id in letter.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    assert [title for title, _ in world.room.said] == ["Bongsu is late: alarms may not reach you in time"]
    asleep(world, 3)
    world.expect_silence()
    assert len(world.room.said) == 1


def test_its_end_is_told_to_the_same_people_and_a_restart_tells_nothing_anew(world: World) -> None:
    breach(world)
    asleep(world, 18)
    world.expect_mail(to="jimin", kind="late")
    world.restart()
    world.stop()
    asleep(world, 1)
    world.expect_silence()
    world.watching = True
    world.advance(seconds=30)
    world.expect_mail(to="commerce", kind="tier", tier=2)
    world.expect_mail(to="jimin", kind="late_over")
    assert world.room.said[-1][0] == "Bongsu is on time again"
    world.expect_silence()
    assert whats(world) == []


def test_mail_that_does_not_leave_is_a_complaint_and_a_dead_relay_one_alarm_alone(world: World) -> None:
    world.post.closed = True
    world.cpu(0.42)
    world.advance(minutes=8)
    assert whats(world) == ["delivery_stuck"]
    assert [title for title, _ in world.room.said] == ["Mail does not go out"]
    world.post.closed = False
    world.advance(seconds=30)
    assert whats(world) == []


def test_in_an_ordinary_evening_the_auditor_finds_nothing(world: World) -> None:
    breach(world)
    world.acknowledge()
    world.advance(minutes=50)
    world.cpu(0.05)
    world.advance(minutes=10)
    with world.context.db.engine.connect() as tx:
        assert outages.running(tx, "late") is None
    assert {str(letter["X-Bongsu-Kind"]) for letter in world.post.letters} == {"tier", "resolved"}


def owes(world: World) -> None:
    world.heartbeats = {"watchdog": Owed(MINUTE, ("on-call:shop", "team:commerce"), "a token")}
    world.restart()


def test_a_missing_heartbeat_is_one_alarm_with_an_end(world: World) -> None:
    owes(world)
    world.alert("Watchdog", bongsu_heartbeat="watchdog")
    world.advance(minutes=2)
    world.expect_silence()
    world.advance(seconds=15)
    for to in ("jimin", "commerce"):
        letter = world.expect_mail(to=to, kind="heartbeat_missing")
    assert letter["Subject"].endswith("No heartbeat from watchdog: Bongsu may be blind")
    world.advance(minutes=30)
    world.restart()
    world.advance(minutes=1)
    world.expect_silence()
    world.alert("Watchdog", bongsu_heartbeat="watchdog")
    world.advance(seconds=15)
    for to in ("jimin", "commerce"):
        letter = world.expect_mail(to=to, kind="heartbeat_back")
    assert "silent for 33" in letter.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    assert [title for title, _ in world.room.said] == [
        "No heartbeat from watchdog: Bongsu may be blind",
        "The heartbeat from watchdog is back",
    ]


def test_a_heartbeat_is_no_alert_unless_nobody_waits_for_it(world: World) -> None:
    owes(world)
    world.alert("Watchdog", bongsu_heartbeat="watchdog")
    world.alert("Stranger", bongsu_heartbeat="stranger")
    world.advance(seconds=15)
    incident = world.incident("alerts")
    assert incident.seen.facts["alertname"] == "Stranger"
    world.alert("Watchdog", seconds=0, bongsu_heartbeat="watchdog")  # resolved: Prometheus has stopped to say it
    heard = world.context.db.read(heartbeats.heard)
    assert world.clock.now() - heard["watchdog"] == timedelta(seconds=15)


def test_one_that_comes_in_time_is_never_told_of(world: World) -> None:
    owes(world)
    for _ in range(10):
        world.alert("Watchdog", bongsu_heartbeat="watchdog")
        world.advance(minutes=1)
    world.expect_silence()


class Waiting(BaseHTTPRequestHandler):
    """Takes heartbeats."""

    answer = 200
    heard: list[str]

    def do_GET(self) -> None:
        type(self).heard.append(self.path)
        self.send_response(type(self).answer)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        return None


@pytest.fixture
def waiting() -> Iterator[tuple[type[Waiting], int]]:
    handler = type("Handler", (Waiting,), {"heard": []})
    server = HTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield handler, server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


def sends(world: World, port: int) -> Path:
    file = world.folder / "beat"
    file.write_text(f"http://127.0.0.1:{port}/a-secret-path\n")
    world.heartbeat_out = Out(Ping(file, 5), MINUTE)
    world.restart()
    return file


def test_ours_goes_out_while_all_is_well_and_stops_when_it_is_not(
    world: World, waiting: tuple[type[Waiting], int]
) -> None:
    handler, port = waiting
    sends(world, port)
    world.advance(minutes=10)
    assert handler.heard == ["/a-secret-path"] * 10
    world.post.closed = True
    world.cpu(0.42)
    world.advance(minutes=8)
    stuck = len(handler.heard)
    world.advance(minutes=5)
    assert len(handler.heard) == stuck, "mail is stuck"
    world.post.closed = False
    world.advance(minutes=2)
    assert len(handler.heard) > stuck


def test_ours_stops_when_the_watch_sleeps(world: World, waiting: tuple[type[Waiting], int]) -> None:
    handler, port = waiting
    sends(world, port)
    world.advance(minutes=1)
    from bongsu.engine import heartbeat

    sent = len(handler.heard)
    world.stop()
    world.advance(minutes=2)
    auditor.audit(world.context)
    assert heartbeat.send(world.context) is None
    assert len(handler.heard) == sent


def test_an_address_that_fails_is_not_named(world: World, waiting: tuple[type[Waiting], int]) -> None:
    handler, port = waiting
    file = sends(world, port)
    handler.answer = 500
    out = world.context.heartbeat_out
    assert out is not None
    with pytest.raises(Unavailable, match="answers 500") as first:
        out.way.beat()
    file.write_text("http://127.0.0.1:9/a-secret-path")
    with pytest.raises(Unavailable, match="does not answer") as second:
        out.way.beat()
    assert "a-secret-path" not in f"{first.value} {second.value}"
    file.unlink()
    with pytest.raises(Unavailable, match="cannot be read"):
        replace(out).way.beat()
