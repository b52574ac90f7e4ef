"""Puts the shop together as an ASGI application."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from psycopg_pool import PoolTimeout
from starlette.exceptions import HTTPException
from starlette.responses import Response

from bongsu_instrument import note_error, route_template
from shop import logs
from shop.refusals import Refusal
from shop.routes.answers import Json
from shop.routes.health import health_routes
from shop.routes.orders import order_routes
from shop.routes.points import point_routes
from shop.routes.products import product_routes
from shop.shop import Shop
from shop.visits import AccessLog, error_body, user_hasher, visit_of


def create_app(shop: Shop) -> FastAPI:
    """The application; its lifespan opens and closes the shop's connections."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        shop.open()
        if shop.instrument is not None:
            shop.instrument.started("shop")
        yield
        shop.close()

    app = FastAPI(
        title="Shop",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        # The shop is measured by bongsu_instrument; what FastAPI measures by itself would only cost CPU.
        telemetry={"tracing": False, "metrics": False, "logs": False, "operation_spans": False},
    )
    for routes in (product_routes, order_routes, point_routes, health_routes):
        app.include_router(routes(shop))
    _answer_errors(app)
    app.add_middleware(AccessLog, hasher=user_hasher(shop.settings.user_hash_key))
    if shop.instrument is not None:
        # Last added is outermost: also what the access log costs is counted.
        app.add_middleware(shop.instrument.asgi, actuator=True)
    return app


def _answer_errors(app: FastAPI) -> None:
    app.add_exception_handler(Refusal, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(PoolTimeout, _pool_exhausted)
    app.add_exception_handler(psycopg.OperationalError, _database_away)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)
    _note(request, logging.INFO, error.code, error.message)
    return Json(error_body(error.code, error.message, error.detail), error.status)


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    problems = [
        {"where": ".".join(str(each) for each in one["loc"]), "problem": str(one["msg"])} for one in error.errors()
    ]
    _note(request, logging.INFO, "V001", "invalid request")
    return Json(error_body("V001", "the request is not valid", problems), 400)


async def _http(request: Request, error: Exception) -> Response:
    """No such route, wrong method: codes R404, R405."""
    assert isinstance(error, HTTPException)
    body = error_body(f"R{error.status_code}", str(error.detail), {"path": request.url.path})
    return Json(body, error.status_code, dict(error.headers or {}))


async def _pool_exhausted(request: Request, error: Exception) -> Response:
    note_error(request.scope, error)
    _note(request, logging.ERROR, "DB001", str(error))
    return Json(error_body("DB001", "the shop is overloaded: try again in a moment"), 503, {"Retry-After": "1"})


async def _database_away(request: Request, error: Exception) -> Response:
    """The database is gone, or has ended a statement that took too long."""
    note_error(request.scope, error)
    code = "DB003" if isinstance(error, psycopg.errors.QueryCanceled) else "DB002"
    _note(request, logging.ERROR, code, f"{type(error).__name__}: {error}", error)
    message = "that took too long" if code == "DB003" else "the database does not answer"
    return Json(error_body(code, message), 503, {"Retry-After": "1"})


def _note(request: Request, level: int, code: str, message: str, error: Exception | None = None) -> None:
    """One line in the business log. Without a stack for what is expected: it would be the same each time."""
    if not logs.business.isEnabledFor(level):
        return
    visit = visit_of(request.scope)
    fields = {
        "request_id": visit.request_id,
        "method": request.method,
        "route": route_template(request.scope),
        "code": code,
        "message": message,
        "user": visit.user,
    }
    event = "refused" if level == logging.INFO else "failure"
    logs.business.log(level, event, exc_info=error, extra={"fields": fields})
