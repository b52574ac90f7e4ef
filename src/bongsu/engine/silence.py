"""Silence alerts for a while, and end it."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import islice

from bongsu.core.alert import Alert
from bongsu.core.errors import InvalidInput
from bongsu.core.incident import Incident
from bongsu.core.matcher import Matcher, all_match, parse
from bongsu.core.muting import services_of, to_confirm
from bongsu.core.routing import Destination
from bongsu.core.silence import Silence, expire, problems_of, revise
from bongsu.engine.context import Context
from bongsu.store import alerts, incidents, silences
from bongsu.store.alerts import Kept
from bongsu.store.database import Transaction

REMEMBERED = timedelta(days=7)
"""How far back a preview looks."""
LISTED, SEARCHED = 50, 1000
"""Incidents that a preview names at the most, and of how many it looks for them."""
KEEPS = timedelta(days=5)
"""How long a silence that is over is listed."""


def keep(context: Context, silence: Silence, *, changes: bool) -> Silence:
    """Keep a silence; the one that now holds. With ``changes`` one of this id is there already.

    Raises InvalidInput with every fault, and NotFound.
    """
    problems = problems_of(silence, context.clock.now())
    if problems:
        raise InvalidInput(problems)
    kept = context.db.write(lambda tx: _keep(tx, context, silence, changes))
    _wake(context)
    return kept


@dataclass(frozen=True, slots=True)
class Preview:
    """What a silence would mute: what fires, the incidents of the last week, and the services it may concern."""

    firing: tuple[Kept, ...]
    incidents: tuple[Incident, ...]
    services: tuple[str, ...]


def matchers_of(texts: Sequence[str]) -> tuple[Matcher, ...]:
    """Matchers from their usual form. Raises InvalidInput with every fault."""
    found: list[Matcher] = []
    problems: list[str] = []
    for text in texts:
        try:
            found.append(parse(text))
        except InvalidInput as error:
            problems += error.problems
    if problems or not found:
        raise InvalidInput(problems or ["matchers: empty; write for example alertname=PoolTimeouts"])
    return tuple(found)


def preview(context: Context, matchers: Sequence[Matcher]) -> Preview:
    """What these would mute now, and would have muted for as long as alerts are remembered."""
    now = context.clock.now()

    def read(tx: Transaction) -> Preview:
        known = [kept for kept in alerts.firing(tx, now - REMEMBERED) if all_match(matchers, kept.alert.labels)]
        firing = tuple(kept for kept in known if kept.alert.ends_at > now)
        return Preview(firing, _of(tx, known), services_of(matchers, context.services))

    return context.db.read(read)


def _of(tx: Transaction, known: Sequence[Kept]) -> tuple[Incident, ...]:
    """The newest incidents that spoke for some of these alerts."""
    there: dict[Destination, list[Alert]] = {}
    for kept in known:
        there.setdefault(kept.to, []).append(kept.alert)
    spoke = (
        each
        for each in incidents.search(tx, limit=SEARCHED)
        for alerts_there in [there.get(Destination(each.service, each.policy.name, each.group), [])]
        if any(each.open_between(alert.starts_at, alert.ends_at) for alert in alerts_there)
    )
    return tuple(islice(spoke, LISTED))


def add(context: Context, silence: Silence, shown: Collection[str], *, confirmed: bool) -> Silence:
    """Keep a silence that somebody has seen the preview of. Raises InvalidInput when it mutes more than was shown."""
    muted = [kept.fingerprint for kept in preview(context, silence.matchers).firing]
    problems = [] if confirmed else to_confirm(silence.matchers, muted, shown)
    if problems:
        raise InvalidInput([f"{problem}; or confirm" for problem in problems])
    return keep(context, silence, changes=False)


def end(context: Context, silence_id: str) -> Silence:
    """End a silence now. Raises NotFound, and InvalidInput when it is over already."""
    ended = context.db.write(lambda tx: _end(tx, context, silence_id))
    _wake(context)
    return ended


def _keep(tx: Transaction, context: Context, silence: Silence, changes: bool) -> Silence:
    if not changes:
        silences.put(tx, silence)
        return silence
    kept, fresh = revise(silences.load(tx, silence.id), silence, context.clock.now())
    silences.put(tx, kept)
    if fresh is None:
        return kept
    fresh = replace(fresh, id=str(uuid.uuid4()))
    silences.put(tx, fresh)
    return fresh


def _end(tx: Transaction, context: Context, silence_id: str) -> Silence:
    ended = expire(silences.load(tx, silence_id), context.clock.now())
    silences.put(tx, ended)
    return ended


def _wake(context: Context) -> None:
    """Whatever fires may be heard or muted from now on."""
    now = context.clock.now()
    firing = context.db.read(lambda tx: alerts.firing(tx, now))
    context.touched.add({kept.to for kept in firing if kept.to.service})
