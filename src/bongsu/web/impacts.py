"""The page of an incident's impact: counts, estimates apart from them, and what the log leaves open."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from typing import Any

from litestar import Request, Response, Router, get
from litestar.datastructures import State
from litestar.params import FromPath

from bongsu.core.impact import Measured
from bongsu.engine import impact
from bongsu.engine.context import Context
from bongsu.render.impacts import Hurt
from bongsu.web.pages import ERROR_PAGES, page, words_of

SHOWN_FOR = timedelta(minutes=1)
"""How long a count is shown again before the log is read anew, in wall time."""
_kept: dict[tuple[int, str], tuple[datetime, Measured]] = {}
_counting = threading.Lock()


def _recent(context: Context, incident_id: str) -> Measured:
    """One count at a time: many readers must not cost many readings of the log."""
    key, now = (id(context.db), incident_id), context.wall.now()
    with _counting:
        for old in [each for each, (at, _) in _kept.items() if now - at >= SHOWN_FOR]:
            del _kept[old]
        if key not in _kept:
            _kept[key] = (now, impact.of_incident(context, incident_id))
        return _kept[key][1]


@get("/incidents/{incident_id:str}/impact", sync_to_thread=True, opt={"right": "viewer"})
def show_impact(request: Request[Any, Any, Any], state: State, incident_id: FromPath[str]) -> Response[str]:
    """Who was hurt, by route."""
    found = _recent(state.context, incident_id)
    said = Hurt(found, words_of(request))
    return page(request, "impact.html", {"said": said, "m": found, "fires": 1})


impacts_router = Router("/", route_handlers=[show_impact], exception_handlers=ERROR_PAGES, include_in_schema=False)
"""One page."""
