"""Service in trouble: from the users down to the runtime, in the order in which one looks at three in the morning."""

from __future__ import annotations

from tools.dashboards import inside, resources, users
from tools.dashboards.marks import INSTANCE, JOB, MARKS
from tools.dashboards.model import Board

BOARD = Board(
    "service-in-trouble",
    "bongsu-service",
    "Service in trouble",
    "From top to bottom: are users hurt, is it the pool, is it the machine, what do the logs say, which instance.",
    (JOB, INSTANCE),
    MARKS,
    (*users.ROWS, *resources.ROWS, *inside.ROWS),
)
