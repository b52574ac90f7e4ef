"""What silences and maintenance are called on their page."""

from __future__ import annotations

from bongsu.core.silence import State
from bongsu.render.words import N_, Words

_STATE = {State.ACTIVE: N_("holds now"), State.PENDING: N_("planned"), State.EXPIRED: N_("over")}
_ALSO = {
    "ceiling": N_("the ceiling"),
    "exhaustion": N_("low credits and throttling"),
    "blindness": N_("missing data"),
}


def state_word(state: State, w: Words) -> str:
    """Where one stands."""
    return w.gettext(_STATE[state])


def also_word(name: str, w: Words) -> str:
    """What a maintenance mutes beside the tiers."""
    return w.gettext(_ALSO[name])
