"""What each framework needs to be watched. It is imported by whoever has it, never by us."""

from __future__ import annotations

import sys
from collections.abc import Callable, MutableMapping
from typing import TYPE_CHECKING, Any

from bongsu_instrument.requests import ROUTE, note_error

if TYPE_CHECKING:
    from bongsu_instrument.instrument import Instrument


def watch(instrument: Instrument, app: Any, *, actuator: bool) -> Any:
    """The application, watched; see ``Instrument.watch``."""
    if _is_a(app, "starlette.applications", "Starlette"):
        app.add_middleware(instrument.asgi, actuator=actuator)
        return app
    if _is_a(app, "flask", "Flask"):
        _note_flask_routes(app)
        app.wsgi_app = instrument.wsgi(app.wsgi_app, actuator=actuator)
        return app
    if _is_a(app, "django.core.handlers.wsgi", "WSGIHandler"):
        _note_django_routes(app)
        return instrument.wsgi(app, actuator=actuator)
    if _is_a(app, "django.core.handlers.asgi", "ASGIHandler"):
        _note_django_routes(app)
        return instrument.asgi(app, actuator=actuator)
    raise TypeError(
        f"a {type(app).__name__} is not an application of FastAPI, Starlette, Flask or Django; "
        "wrap another one with app = instrument.asgi(app) or app = instrument.wsgi(app)"
    )


def _is_a(app: object, module: str, name: str) -> bool:
    kind = getattr(sys.modules.get(module), name, None)
    return kind is not None and isinstance(app, kind)


def _note_flask_routes(app: Any) -> None:
    """By signals: they come before every function of the application, which might answer on its own."""
    from flask import got_request_exception, request, request_started

    def route_found(_: Any) -> None:
        request.environ[ROUTE] = request.url_rule.rule if request.url_rule is not None else None

    def failed(_: Any, exception: BaseException) -> None:
        note_error(request.environ, exception)

    request_started.connect(route_found, app, weak=False)
    got_request_exception.connect(failed, app, weak=False)


def _note_django_routes(handler: Any) -> None:
    from django.core.signals import got_request_exception

    resolve: Callable[[Any], Any] = handler.resolve_request

    def resolve_request(request: Any) -> Any:
        found = resolve(request)
        _carrier(request)[ROUTE] = "/" + request.resolver_match.route
        return found

    handler.resolve_request = resolve_request
    got_request_exception.connect(_django_failed, weak=False, dispatch_uid=f"{__name__}.failed")


def _django_failed(*, request: Any = None, **_: Any) -> None:
    error = sys.exc_info()[1]
    if error is not None and request is not None:
        note_error(_carrier(request), error)


def _carrier(request: Any) -> MutableMapping[str, Any]:
    carrier: MutableMapping[str, Any] = getattr(request, "environ", None) or request.scope
    return carrier
