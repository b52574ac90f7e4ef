"""What people ask for: acknowledge, snooze, escalate, judge, resolve, scale out."""

from __future__ import annotations

from datetime import timedelta

from bongsu.core import escalation
from bongsu.core.errors import InvalidInput
from bongsu.core.incident import Entry, Incident
from bongsu.core.scaling import ScaleOut
from bongsu.core.scaling import scale_out as plan_scale_out
from bongsu.core.triage import Triaged
from bongsu.engine.apply import apply
from bongsu.engine.context import Context
from bongsu.store import actions, breaches, incidents, timeline
from bongsu.store.database import Transaction

SNOOZE_AT_MOST = timedelta(hours=4)
LONGEST_REASON = 500


def acknowledge(context: Context, incident_id: str, by: str) -> Incident:
    """Take an incident. Raises NotFound or IllegalTransition."""
    return _put(context, incident_id, escalation.Acknowledged(by))


def snooze(context: Context, incident_id: str, by: str, span: timedelta) -> Incident:
    """Take an incident and let the next tiers wait. Raises NotFound, IllegalTransition, or InvalidInput."""
    if not timedelta(0) < span <= SNOOZE_AT_MOST:
        raise InvalidInput([f"a snooze lasts up to {SNOOZE_AT_MOST}, not {span}; hand the incident over instead"])
    return _put(context, incident_id, escalation.Snoozed(by, context.clock.now() + span))


def escalate(context: Context, incident_id: str, by: str, level: int) -> Incident:
    """Tell a tier now. Raises NotFound, IllegalTransition, or InvalidInput when there is no such tier."""
    tiers = context.db.read(lambda tx: incidents.load(tx, incident_id)).policy.tiers
    if not 1 <= level <= len(tiers):
        raise InvalidInput([f"there is no tier {level}; the policy has {len(tiers)}"])
    return _put(context, incident_id, escalation.Escalated(by, level))


def triage(context: Context, incident_id: str, by: str, *, urgent: bool, why: str) -> Incident:
    """Judge an incident. Raises NotFound, IllegalTransition, or InvalidInput when the reason is missing or too long."""
    reason = " ".join(why.split())
    if not 0 < len(reason) <= LONGEST_REASON:
        raise InvalidInput([f"say why in 1 to {LONGEST_REASON} characters, not {len(reason)}"])
    incident = context.db.read(lambda tx: incidents.load(tx, incident_id))
    service = context.services.get(incident.service)
    owner = (f"team:{service.owner}",) if service is not None and service.owner is not None else ()
    return _put(context, incident_id, Triaged(by, urgent, reason, owner))


def reassign(context: Context, incident_id: str, by: str, to: str) -> Incident:
    """Hand an incident to ``person:x`` or ``team:x``. Raises NotFound, IllegalTransition, or InvalidInput."""
    kind, _, name = to.partition(":")
    found = (context.directory.people if kind == "person" else context.directory.teams).get(name)
    if kind not in ("person", "team") or found is None:
        there = [f"person:{each}" for each in context.directory.people] + [
            f"team:{each}" for each in context.directory.teams
        ]
        raise InvalidInput([f"to: there is no {to!r}; there is {', '.join(sorted(there))}"])
    if not context.directory.resolve(to, context.clock.now()):
        raise InvalidInput([f"to: {found.name} has no address and could not be told; hand it to somebody else"])
    return _put(context, incident_id, escalation.Reassigned(by, to, found.name))


def resolve(context: Context, incident_id: str, by: str) -> Incident:
    """Declare an incident over. Raises StillBreached while the breach holds."""
    return _put(context, incident_id, escalation.Resolved(by))


def due(context: Context) -> int:
    """Wake every incident whose timer has passed; the number woken."""
    now = context.clock.now()
    waiting = context.db.read(lambda tx: incidents.due(tx, now))
    for incident in waiting:
        assert incident.due_at is not None
        _put(context, incident.id, escalation.Due(incident.due_at))
    return len(waiting)


def scale_out_plan(context: Context, incident_id: str) -> ScaleOut | None:
    """How many machines scaling out would add now; None when nothing is set up to start machines."""
    incident = context.db.read(lambda tx: incidents.load(tx, incident_id))
    return context.db.read(lambda tx: _plan(tx, context, incident))


def scale_out(context: Context, incident_id: str, by: str) -> tuple[str, ...]:
    """Ask for the machines that the plan names; their names. Asking again while they start adds none.

    Raises NotFound, and InvalidInput when the service has nobody who starts machines.
    """
    names = context.db.write(lambda tx: _scale_out(tx, context, incident_id, by))
    context.work_due.set()
    return names


def _put(context: Context, incident_id: str, event: escalation.Event) -> Incident:
    return context.db.write(lambda tx: apply(tx, context, incident_id, event, context.clock.now()))


def _plan(tx: Transaction, context: Context, incident: Incident) -> ScaleOut | None:
    service = context.services.get(incident.service)
    if service is None or service.name not in context.machines:
        return None
    clock = breaches.load(tx, service.name, service.policy.name)
    past = actions.of_service(tx, service.name)
    removed = {action.machine for action in past if action.kind == "remove" and action.state == "done"}
    coming = {action.machine for action in past if action.kind == "add"} - removed - clock.machines.keys()
    used = [machine.cpu for machine in clock.machines.values()] + [0.0] * len(coming)
    return plan_scale_out(used, service.machine.baseline, service.most_machines)


def _scale_out(tx: Transaction, context: Context, incident_id: str, by: str) -> tuple[str, ...]:
    watched = context.services.get(incidents.service_of(tx, incident_id))
    if watched is not None:  # the clock before the incident, in which order the watch locks them
        breaches.load(tx, watched.name, watched.policy.name)
    incident = incidents.load(tx, incident_id)
    plan = _plan(tx, context, incident)
    if plan is None:
        raise InvalidInput([f"service.{incident.service}: nobody starts machines; set machines = {{ kind = ... }}"])
    now = context.clock.now()
    names = _free_names(tx, context, incident.service, plan.count)
    actions.request(tx, incident_id, incident.service, "add", names, by, now)
    asked = Entry(now, "scale_out_requested", {"by": by, "count": plan.count, "machines": ", ".join(names)})
    timeline.append(tx, incident_id, [asked])
    return names


def _free_names(tx: Transaction, context: Context, service: str, count: int) -> tuple[str, ...]:
    """New names in the manner of the machines that are there: after ``m2`` comes ``m3``."""
    clock = breaches.load(tx, service, context.services[service].policy.name)
    taken = set(clock.machines) | {action.machine for action in actions.of_service(tx, service)}
    prefix = next((name.rstrip("0123456789") for name in sorted(taken)), "machine-")
    names = (f"{prefix}{number}" for number in range(1, len(taken) + count + 1))
    return tuple(name for name in names if name not in taken)[:count]
