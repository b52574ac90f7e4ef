"""What those who watch the watcher see: health, metrics, and the door for heartbeats."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from litestar import Litestar
from litestar.datastructures import State
from litestar.testing import TestClient
from sqlalchemy import text

from bongsu.engine import auditor, health
from bongsu.engine.context import Owed
from bongsu.telemetry import REGISTRY
from bongsu.testing import World
from bongsu.web.watching import watching_router
from tests.support import wait_for
from tests.web.serving import Server

Client = TestClient[Litestar]


@pytest.fixture
def client(world: World) -> Iterator[Client]:
    world.heartbeats = {"watchdog": Owed(timedelta(minutes=1), ("on-call:shop",), "a token")}
    world.restart()
    application = Litestar([watching_router], state=State({"context": world.context}), openapi_config=None)
    with TestClient(application) as opened:
        yield opened


def test_health_is_200_while_all_is_well(world: World, client: Client) -> None:
    world.alert("Watchdog", bongsu_heartbeat="watchdog")
    world.advance(minutes=1)
    answer = client.get("/healthz")
    assert answer.status_code == 200
    assert {key: answer.json()[key] for key in ("status", "reasons", "warnings")} == {
        "status": "ok", "reasons": [], "warnings": [],
    }  # fmt: skip


def test_health_is_503_with_every_reason(world: World, client: Client) -> None:
    world.cpu(0.42)
    world.advance(minutes=6)
    world.stop()
    world.advance(minutes=20)
    auditor.audit(world.context)
    answer = client.get("/healthz")
    assert answer.status_code == 503
    said = {each["what"]: each["why"] for each in answer.json()["reasons"]}
    assert said["watch_stuck"] == "the watch has not looked at everything for 1200 s"
    assert said["escalation_late"].startswith(f"the escalation of {world.incident().id} is late by ")
    assert REGISTRY.get_sample_value("bongsu_unhealthy", {"what": "escalation_late"}) == 1
    assert (REGISTRY.get_sample_value("bongsu_late", {"kind": "tier"}) or 0) >= 1
    assert client.get("/livez").status_code == 200


def test_a_database_that_cannot_be_written_is_a_reason(world: World, client: Client) -> None:
    world.advance(minutes=1)
    world.context.db.write(lambda tx: tx.execute(text("ALTER TABLE heartbeats RENAME TO gone")))
    with pytest.raises(Exception, match="heartbeats"):
        auditor.audit(world.context)
    assert [each.what for each in health.look(world.context).complaints] == ["database"]
    assert client.get("/healthz").status_code == 503
    world.context.db.write(lambda tx: tx.execute(text("ALTER TABLE gone RENAME TO heartbeats")))
    auditor.audit(world.context)
    assert client.get("/healthz").status_code == 200


def test_a_database_that_does_not_answer_is_a_reason(world: World, client: Client) -> None:
    world.advance(minutes=1)
    world.context.db.write(lambda tx: tx.execute(text("ALTER TABLE outbox RENAME TO gone")))
    assert client.get("/readyz").status_code == 503
    answer = client.get("/healthz")
    assert (answer.status_code, answer.json()["reasons"][0]["what"]) == (503, "database")
    world.context.db.write(lambda tx: tx.execute(text("ALTER TABLE gone RENAME TO outbox")))
    assert client.get("/readyz").status_code == 200


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_heartbeat_is_heard_with_its_token_alone(world: World, client: Client, method: str) -> None:
    for wrong in ("/heartbeat/watchdog", "/heartbeat/watchdog?token=wrong", "/heartbeat/nobody?token=", "/heartbeat/x"):
        assert client.request(method, wrong).status_code == 401, wrong
    world.advance(minutes=3)
    world.expect_mail(to="jimin", kind="heartbeat_missing")
    assert client.request(method, "/heartbeat/watchdog?token=a+token").status_code == 200
    world.advance(seconds=15)
    world.expect_mail(to="jimin", kind="heartbeat_back")
    bearer = {"Authorization": "Bearer a token"}
    assert client.request(method, "/heartbeat/watchdog", headers=bearer).json()["expected_every_s"] == 60


def test_a_real_server_answers_all_of_it(tmp_path: Path) -> None:
    more = '[heartbeat.cron]\nexpect_every = "PT1M"\n'
    server = Server(tmp_path, more=more)
    try:
        token = (tmp_path / "secrets" / "heartbeat-cron").read_text().strip()
        assert server.ask("GET", f"/heartbeat/cron?token={token}")[0] == 200
        assert server.ask("GET", "/readyz") == (200, {"status": "ok"})
        assert server.ask("GET", "/livez") == (200, {"status": "ok"})
        assert server.ask("GET", "/healthz")[1]["reasons"] == []

        def metrics() -> str:
            return str(server.ask("GET", "/metrics")[1])

        wait_for("the first audit", lambda: 'bongsu_late{kind="timer"} 0.0' in metrics())
        for name in ("bongsu_outbox_oldest_seconds", "bongsu_delivery_dwell_seconds_bucket",
                     "bongsu_escalation_lateness_seconds_count", "bongsu_job_last_success_timestamp_seconds",
                     "bongsu_heartbeat_age_seconds"):  # fmt: skip
            assert name in metrics(), name
    finally:
        server.process.terminate()
        assert server.process.wait(10) == 0
