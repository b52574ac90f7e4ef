"""Do what was asked for on machines: add one when it really answers, remove one that is no longer needed (rule 16)."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

from bongsu.core.incident import Entry
from bongsu.core.scaling import HEADROOM, ScaleIn, calm_after_leaving, scale_in
from bongsu.core.service import Service
from bongsu.engine.context import Context
from bongsu.ports import Unavailable
from bongsu.store import actions, breaches, incidents, timeline
from bongsu.store.actions import Action
from bongsu.store.database import Transaction

log = logging.getLogger("bongsu.respond")
CALM = "calm"
"""The name under which is kept since when a service could do with a machine less."""


def respond(context: Context) -> int:
    """Work on every action that is asked for and not finished; the number that still waits here."""
    if not context.db.read(actions.unfinished):
        return 0
    held = context.db.write(actions.claim)
    try:
        return _work_on(context, held)
    finally:
        context.db.write(lambda tx: actions.let_go(tx, held))


def _work_on(context: Context, held: Sequence[Action]) -> int:
    waiting, began = 0, context.wall.now()
    for action in held:
        if context.wall.now() - began > actions.LEASE / 2:
            break  # the others are claimed anew, lest their lease run out meanwhile
        try:
            finished = _add(context, action) if action.kind == "add" else _remove(context, action)
        except Unavailable as error:
            log.warning("action waits", extra={"machine": action.machine, "why": str(error)})
            finished = False
        waiting += not finished
    return waiting


def _add(context: Context, action: Action) -> bool:
    machines = context.machines[action.service]
    machines.start(action.machine)
    address = machines.answers(action.machine)
    if address is None:
        return False
    if action.service in context.balancers:
        context.balancers[action.service].add(action.machine, address)
    return _change(context, action, "done", "machine_added", address)


def _remove(context: Context, action: Action) -> bool:
    """Drain it, watch the others carry its load for ``settle``, then take it away; give it back if they cannot."""
    balancer = context.balancers.get(action.service)
    service = context.services[action.service]
    if action.state == "requested" and balancer is not None:
        balancer.drain(action.machine)
        _change(context, action, "draining", "machine_draining", "")
        return False
    if balancer is not None:
        clock = context.db.read(lambda tx: breaches.load(tx, service.name, service.policy.name))
        others = [machine.cpu for name, machine in clock.machines.items() if name != action.machine]
        if not others or max(others) >= HEADROOM * service.machine.baseline:
            address = context.machines[action.service].answers(action.machine)
            if address is not None:
                balancer.add(action.machine, address)
            return _change(context, action, "undone", "machine_kept", "")
        if action.finished_at is None or context.clock.now() - action.finished_at < service.policy.settle:
            return False
        balancer.remove(action.machine)
    context.machines[action.service].stop(action.machine)
    return _change(context, action, "done", "machine_removed", "")


def _change(context: Context, action: Action, state: str, what: str, result: str) -> bool:
    def job(tx: Transaction) -> None:
        now = context.clock.now()
        if actions.change(tx, action, state, result, now):
            timeline.append(tx, action.incident_id, [Entry(now, what, {"machine": action.machine})])

    context.db.write(job)
    return True


def shrink(context: Context) -> None:
    """Ask for the removal of one machine of each service that can do without, by rule 16."""
    for service in context.services.values():
        if service.name in context.machines:
            decision = context.db.write(lambda tx, s=service: _shrink(tx, context, s))  # type: ignore[misc]
            if decision.machine is not None:
                context.work_due.set()


def _shrink(tx: Transaction, context: Context, service: Service) -> ScaleIn:
    now = context.clock.now()
    clock = breaches.load(tx, service.name, service.policy.name)
    past = actions.of_service(tx, service.name)
    removed = {action.machine for action in past if action.kind == "remove" and action.state != "undone"}
    added = [a.machine for a in past if a.kind == "add" and a.state == "done" and a.machine not in removed]
    used = {name: machine.cpu for name, machine in clock.machines.items()}
    kept = breaches.load(tx, service.name, CALM)
    calm = bool(added) and calm_after_leaving(used, service.machine.baseline)
    calm_since = (kept.since or now) if calm else None
    latest = incidents.latest(tx, service.name, service.policy.name)
    decision = scale_in(
        used,
        added,
        service.machine.baseline,
        resolved=latest is None or not latest.open,
        blind=any(machine.blind(now, service.stale) for machine in clock.machines.values()),
        calm_since=calm_since,
        now=now,
    )
    if decision.machine is not None and latest is not None:
        actions.request(tx, latest.id, service.name, "remove", [decision.machine], "bongsu", now)
        calm_since = None  # the next one goes only after another calm half hour
    if calm_since != kept.since:
        breaches.save(tx, service.name, CALM, replace(kept, since=calm_since))
    return decision
