"""``/healthz``: alive, and ready for traffic."""

from __future__ import annotations

import anyio.to_thread
from anyio import CapacityLimiter
from fastapi import APIRouter
from starlette.responses import Response

from shop.routes.answers import Json
from shop.shop import Shop
from shop.visits import error_body


def health_routes(shop: Shop) -> APIRouter:
    """Neither may queue behind customers: a shop that is merely busy would be taken for a dead one."""
    routes = APIRouter(tags=["health"])
    own_threads = CapacityLimiter(2)

    @routes.get("/healthz/live")
    async def live() -> Response:
        return Json({"status": "UP"})

    @routes.get("/healthz/ready")
    async def ready() -> Response:
        problem = await anyio.to_thread.run_sync(shop.database.problem, limiter=own_threads)
        if problem is None:
            return Json({"status": "UP"})
        return Json(error_body("H503", problem), 503)

    return routes
