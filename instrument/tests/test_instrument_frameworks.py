"""Flask and Django as people use them, behind a real server. FastAPI and Starlette: see the shop's tests."""

from __future__ import annotations

import asyncio
import http.client
import logging
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import flask
import pytest
from kinds import Series, Serve, Wait

from bongsu_instrument import Instrument, note_error


def ask(port: int, *paths: str, method: str = "GET") -> list[int]:
    """The statuses of some requests in turn."""
    statuses = []
    for path in paths:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        connection.request(method, path)
        answer = connection.getresponse()
        answer.read()
        statuses.append(answer.status)
        connection.close()
    return statuses


def flask_app() -> flask.Flask:
    app = flask.Flask("things")

    @app.before_request
    def closed() -> str | None:
        return "closed for today" if "closed" in flask.request.args else None

    @app.get("/things/<int:number>")
    def thing(number: int) -> str:
        app.logger.warning("asked for %d", number)
        return str(number)

    @app.get("/broken")
    def broken() -> str:
        raise ZeroDivisionError

    @app.get("/busy")
    def busy() -> str:
        raise TimeoutError

    @app.errorhandler(TimeoutError)
    def too_busy(error: TimeoutError) -> tuple[str, int]:
        note_error(flask.request.environ, error)
        return "busy", 503

    @app.get("/stream")
    def stream() -> flask.Response:
        return flask.Response(flask.stream_with_context(str(each) for each in range(3)))

    shelf = flask.Blueprint("shelf", "shelf", url_prefix="/shelf")

    @shelf.get("/<name>")
    def book(name: str) -> str:
        return name

    app.register_blueprint(shelf)
    return app


def test_flask_is_watched_by_one_line(instrument: Instrument, serve: Serve, series: Series, wait_for: Wait) -> None:
    app = flask_app()
    app.logger.addHandler(logging.NullHandler())
    assert instrument.watch(app) is app
    with serve(app) as port:
        assert ask(port, "/things/1", "/things/2", "/shelf/moby", "/stream", "/things/x") == [200, 200, 200, 200, 404]
        assert ask(port, "/nowhere", "/things/1?closed", "/broken", "/busy") == [404, 200, 500, 503]
        assert ask(port, "/things/1", method="POST") == [405]
        wait_for("all to end", lambda: len(series(instrument)) == 7)
    assert set(series(instrument)) == {
        ("GET", "/things/<int:number>", "200", "none"),
        ("GET", "/shelf/<name>", "200", "none"),
        ("GET", "/stream", "200", "none"),
        ("GET", "UNKNOWN", "404", "none"),
        ("GET", "/broken", "500", "ZeroDivisionError"),
        ("GET", "/busy", "503", "TimeoutError"),
        ("POST", "UNKNOWN", "405", "none"),
    }
    # Two things, and the one of closing time that never reached its function.
    assert instrument.registry.get_sample_value("logback_events_total", {"level": "warn"}) == 2


def test_flasks_own_test_client_sees_the_same(instrument: Instrument, series: Series) -> None:
    app = flask_app()
    instrument.watch(app, actuator=True)
    assert app.test_client().get("/shelf/moby").text == "moby"
    text = app.test_client().get("/actuator/prometheus").text
    assert 'uri="/shelf/<name>"' in text


@pytest.fixture(scope="module")
def django_settings() -> Iterator[None]:
    """Django is configured once in a process: views, an included list of routes, and one of regular expressions."""
    import django
    from django.conf import settings
    from django.http import FileResponse, HttpRequest, HttpResponse, StreamingHttpResponse
    from django.urls import include, path, re_path

    def thing(request: HttpRequest, number: int) -> Any:
        logging.getLogger("things").warning("asked for %d", number)
        return HttpResponse(str(number))

    def broken(request: HttpRequest) -> Any:
        raise ZeroDivisionError

    def busy(request: HttpRequest) -> Any:
        note_error(request.environ, TimeoutError())
        return HttpResponse("busy", status=503)

    def stream(request: HttpRequest, year: str) -> Any:
        return StreamingHttpResponse(f"{year}-{each}" for each in (1, 2))

    def file(request: HttpRequest) -> Any:
        return FileResponse(open(__file__, "rb"))  # noqa: PTH123 -- Django closes it

    async def patient(request: HttpRequest) -> Any:
        await asyncio.sleep(0)
        return HttpResponse("done")

    urls: Any = ModuleType("things_urls")
    urls.urlpatterns = [
        path("things/<int:number>/", thing),
        path("shop/", include([path("broken", broken), path("busy", busy)])),
        re_path(r"^years/(?P<year>[0-9]{4})$", stream),
        path("file", file),
        path("patient", patient),
    ]
    sys.modules["things_urls"] = urls
    logging.getLogger("django").addHandler(logging.NullHandler())
    settings.configure(
        ROOT_URLCONF="things_urls", ALLOWED_HOSTS=["*"], SECRET_KEY="x", DEBUG=False, LOGGING_CONFIG=None
    )
    django.setup()
    yield
    del sys.modules["things_urls"]


def test_django_is_watched_by_one_line(
    django_settings: None, instrument: Instrument, serve: Serve, series: Series, wait_for: Wait
) -> None:
    from django.core.wsgi import get_wsgi_application

    application = instrument.watch(get_wsgi_application())
    with serve(application) as port:
        assert ask(port, "/things/1/", "/things/2/", "/shop/broken", "/shop/busy") == [200, 200, 500, 503]
        assert ask(port, "/years/2026", "/file", "/patient", "/nowhere") == [200, 200, 200, 404]
        wait_for("all to end", lambda: len(series(instrument)) == 7)
    assert set(series(instrument)) == {
        ("GET", "/things/<int:number>/", "200", "none"),
        ("GET", "/shop/broken", "500", "ZeroDivisionError"),
        ("GET", "/shop/busy", "503", "TimeoutError"),
        ("GET", "/^years/(?P<year>[0-9]{4})$", "200", "none"),
        ("GET", "/file", "200", "none"),
        ("GET", "/patient", "200", "none"),
        ("GET", "UNKNOWN", "404", "none"),
    }
    # Django warns of what it cannot find.
    assert instrument.registry.get_sample_value("logback_events_total", {"level": "warn"}) == 3


def test_django_on_asgi(django_settings: None, instrument: Instrument, series: Series) -> None:
    from django.core.asgi import get_asgi_application

    application = instrument.watch(get_asgi_application())

    async def visit(path: str) -> int:
        sent: list[dict[str, Any]] = []

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        asked = iter([{"type": "http.request", "body": b"", "more_body": False}])

        async def receive() -> dict[str, Any]:
            for message in asked:
                return message
            await asyncio.Event().wait()
            raise AssertionError

        scope = {"type": "http", "method": "GET", "path": path, "headers": [(b"host", b"here")], "query_string": b""}
        await application(scope, receive, send)
        return int(sent[0]["status"])

    async def visit_all() -> list[int]:
        return [await visit(each) for each in ("/patient", "/things/3/", "/shop/broken", "/nowhere")]

    assert asyncio.run(visit_all()) == [200, 200, 500, 404]
    assert series(instrument) == [
        ("GET", "/patient", "200", "none"),
        ("GET", "/things/<int:number>/", "200", "none"),
        ("GET", "/shop/broken", "500", "ZeroDivisionError"),
        ("GET", "UNKNOWN", "404", "none"),
    ]


def test_other_applications_are_refused_with_what_to_write(instrument: Instrument) -> None:
    with pytest.raises(TypeError, match=r"a function is not an application of .* app = instrument.wsgi\(app\)"):
        instrument.watch(ask)


def test_frameworks_are_not_imported_by_us() -> None:
    import subprocess

    program = "import bongsu_instrument as b, sys; b.Instrument().count_logs(); print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout.split()
    loaded = {each.partition(".")[0] for each in modules}
    assert "prometheus_client" in loaded
    assert not loaded & {
        "flask",
        "django",
        "starlette",
        "fastapi",
        "sqlalchemy",
        "structlog",
        "psycopg",
        "psycopg_pool",
    }
