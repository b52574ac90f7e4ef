"""Scaling out and in, as stories (rule 16)."""

from __future__ import annotations

from bongsu.core.incident import Status
from bongsu.engine import command
from bongsu.store import timeline
from bongsu.testing import World


def lines(world: World) -> list[str]:
    """What the timeline says."""
    incident = world.incident()
    return [entry.what for entry in world.context.db.read(lambda tx: timeline.of(tx, incident.id))]


def test_scaling_out_gives_traffic_only_to_machines_that_answer(world: World) -> None:
    world.provider.ready = False
    world.cpu(0.42)
    world.advance(minutes=6)
    names = command.scale_out(world.context, world.incident().id, "Kim Jimin")
    assert names == ("machine-3", "machine-4", "machine-5", "machine-6")
    assert command.scale_out(world.context, world.incident().id, "Kim Jimin") == ()
    world.advance(minutes=1)
    assert world.balancer.names == {"machine-1", "machine-2"}
    world.provider.ready = True
    world.advance(seconds=15)
    assert world.balancer.names == {f"machine-{n}" for n in range(1, 7)}


def scaled_out(world: World) -> None:
    """A breach that was answered by four more machines, and is over."""
    world.cpu(0.42)
    world.advance(minutes=6)
    command.scale_out(world.context, world.incident().id, "Kim Jimin")
    world.advance(seconds=15)
    world.cpu(0.12, *(f"machine-{n}" for n in range(1, 7)))
    world.advance(minutes=3)
    assert world.incident().status is Status.RESOLVED


def test_scaling_in_waits_for_half_an_hour_of_calm_and_takes_one_machine_at_a_time(world: World) -> None:
    scaled_out(world)
    world.advance(minutes=60)
    assert len(world.balancer.members()) == 6, "at 14.4 % the survivors would not be under 14 %"
    world.cpu(0.05, *(f"machine-{n}" for n in range(1, 7)))
    world.advance(minutes=29)
    assert len(world.balancer.members()) == 6
    world.advance(minutes=5)
    assert world.provider.stopped == ["machine-6"]
    assert world.balancer.names == {f"machine-{n}" for n in range(1, 6)}
    world.advance(minutes=20)
    assert world.provider.stopped == ["machine-6"]


def test_scaling_in_never_takes_a_machine_that_bongsu_did_not_add(world: World) -> None:
    scaled_out(world)
    world.cpu(0.01, *(f"machine-{n}" for n in range(1, 7)))
    world.advance(minutes=300)
    assert world.balancer.names == {"machine-1", "machine-2"}
    assert set(world.provider.stopped) == {f"machine-{n}" for n in range(3, 7)}


def test_scaling_in_is_undone_when_the_cpu_rises(world: World) -> None:
    scaled_out(world)
    world.cpu(0.05, *(f"machine-{n}" for n in range(1, 7)))
    world.advance(minutes=30, seconds=30)
    assert "machine-6" in world.balancer.drained
    world.cpu(0.15, *(f"machine-{n}" for n in range(1, 6)))
    world.advance(seconds=30)
    assert "machine-6" in world.balancer.members()
    assert "machine_kept" in lines(world)


def test_scaling_in_never_happens_while_blind(world: World) -> None:
    scaled_out(world)
    world.cpu(0.01, *(f"machine-{n}" for n in range(1, 7)))
    world.silent.add("machine-1")
    world.advance(minutes=60)
    assert len(world.balancer.names) == 6
