"""Bongsu's own gauges say what it knows: who watches the watcher reads them."""

from __future__ import annotations

from bongsu.engine.expose import expose
from bongsu.telemetry import REGISTRY
from bongsu.testing import World


def gauge(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(name, labels)


def test_the_gauges_follow_a_breach_and_its_end(world: World) -> None:
    world.cpu(0.10)
    world.advance(minutes=1)
    expose(world.context)
    burst = {"service": "shop", "policy": "burst"}
    assert gauge("bongsu_incident_open", **burst) == 0
    assert gauge("bongsu_breach_seconds", **burst) == 0
    assert gauge("bongsu_last_look_timestamp_seconds") == world.context.wall.now().timestamp()
    world.cpu(0.50)
    world.advance(minutes=10)
    expose(world.context)
    assert gauge("bongsu_incident_open", **burst) == 1
    breach = gauge("bongsu_breach_seconds", **burst)
    assert breach is not None
    assert abs(breach - 600) <= 30
    assert gauge("bongsu_incident_open", service="prometheus", policy="blind") == 0
