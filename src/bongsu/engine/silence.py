"""Silence alerts for a while, and end it."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import timedelta

from bongsu.core.errors import InvalidInput
from bongsu.core.silence import Silence, expire, problems_of, revise
from bongsu.engine.context import Context
from bongsu.store import alerts, silences
from bongsu.store.database import Transaction

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
