"""Requests: names, labels, and what is counted when things go wrong."""

from __future__ import annotations

import asyncio
import logging
from types import SimpleNamespace
from typing import Any

import pytest

from bongsu_instrument import Instrument, note_error, route_template

NONE = {"exception": "none", "error": "none"}


async def _nothing() -> dict[str, Any]:
    return {"type": "http.request", "body": b"", "more_body": False}


def ask(
    app: Any, path: str = "/", method: str = "GET", receive: Any = _nothing, **scope: Any
) -> tuple[list[dict[str, Any]], BaseException | None]:
    """One request: the messages sent, and what the application raised."""
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    async def run() -> BaseException | None:
        try:
            await app({"type": "http", "method": method, "path": path, "headers": []} | scope, receive, send)
        except BaseException as error:  # also cancellation
            return error
        return None

    return sent, asyncio.run(run())


def answering(status: int, template: str | None = None, **extra: Any) -> Any:
    """An application that answers, having found a route or not."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if template is not None:
            scope["route"] = SimpleNamespace(path=template)
        scope.update(extra)
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b"x"})

    return app


def count(instrument: Instrument, **labels: str) -> float | None:
    return instrument.registry.get_sample_value("http_server_requests_seconds_count", labels)


def series(instrument: Instrument) -> list[dict[str, str]]:
    families = {each.name: each for each in instrument.registry.collect()}
    samples = families["http_server_requests_seconds"].samples
    return [each.labels for each in samples if each.name.endswith("_count")]


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(101, "INFORMATIONAL"), (200, "SUCCESS"), (302, "REDIRECTION"), (404, "CLIENT_ERROR"), (503, "SERVER_ERROR")],
)
def test_a_request_is_counted_by_its_route(status: int, outcome: str) -> None:
    instrument = Instrument()
    ask(instrument.asgi(answering(status, "/products/{id}")), "/products/7")
    labels = {"method": "GET", "uri": "/products/{id}", "status": str(status), "outcome": outcome, **NONE}
    assert series(instrument) == [labels]
    assert count(instrument, **labels) == 1
    value = instrument.registry.get_sample_value
    assert 0 < (value("http_server_requests_seconds_max", labels) or 0) < 1
    assert value("http_server_requests_seconds_bucket", {**labels, "le": "0.3"}) == 1


def test_a_request_without_a_route_has_no_uri_of_its_own() -> None:
    instrument = Instrument()
    app = instrument.asgi(answering(404))
    for path in ("/a", "/b", "/c"):
        ask(app, path)
    assert [(each["uri"], each["status"]) for each in series(instrument)] == [("UNKNOWN", "404")]


def test_an_unhandled_error_is_a_500_with_its_name() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        scope["route"] = SimpleNamespace(path="/orders")
        raise KeyError("x")

    instrument = Instrument()
    _, raised = ask(instrument.asgi(app), method="POST")
    assert isinstance(raised, KeyError)
    wanted = {"method": "POST", "uri": "/orders", "status": "500", "outcome": "SERVER_ERROR"}
    assert series(instrument) == [{**wanted, "exception": "KeyError", "error": "KeyError"}]


def test_a_handled_error_keeps_its_name_when_noted() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        note_error(scope, TimeoutError())
        await answering(503, "/a")(scope, receive, send)

    instrument = Instrument()
    ask(instrument.asgi(app))
    assert [(each["status"], each["exception"]) for each in series(instrument)] == [("503", "TimeoutError")]


def test_an_answer_that_breaks_off_keeps_the_status_the_client_saw() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise OSError("gone")

    instrument = Instrument()
    ask(instrument.asgi(app))
    assert [(each["status"], each["exception"]) for each in series(instrument)] == [("200", "OSError")]


def test_a_client_that_left_has_no_status() -> None:
    async def gone() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()

    instrument = Instrument()
    ask(instrument.asgi(app), receive=gone)
    (labels,) = series(instrument)
    assert (labels["status"], labels["outcome"], labels["exception"]) == ("UNKNOWN", "UNKNOWN", "ClientDisconnect")


def test_a_disconnect_after_the_answer_is_nothing() -> None:
    async def gone() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await answering(200)(scope, receive, send)
        await receive()

    instrument = Instrument()
    ask(instrument.asgi(app), receive=gone)
    assert [(each["status"], each["exception"]) for each in series(instrument)] == [("200", "none")]


def test_a_cancelled_request_has_no_status() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise asyncio.CancelledError

    instrument = Instrument()
    ask(instrument.asgi(app))
    assert [(each["status"], each["exception"]) for each in series(instrument)] == [("UNKNOWN", "CancelledError")]


def test_requests_in_flight_are_told() -> None:
    seen: dict[str, float] = {}
    instrument = Instrument()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        for family in instrument.registry.collect():
            seen.update({each.name: each.value for each in family.samples if each.labels.get("method") == "POST"})
        await answering(200)(scope, receive, send)

    ask(instrument.asgi(app), method="POST")
    assert seen["http_server_requests_active_seconds_count"] == 1
    assert seen["http_server_requests_active_seconds_max"] > 0
    text = instrument.exposition().decode()
    assert 'http_server_requests_active_seconds_count{exception="none",method="GET"' in text
    assert 'active_seconds_count{exception="none",method="POST"' not in text


def test_neither_methods_nor_routes_grow_without_bound(caplog: pytest.LogCaptureFixture) -> None:
    instrument = Instrument(max_uris=3)
    with caplog.at_level(logging.WARNING):
        for number in range(10):
            ask(instrument.asgi(answering(200, f"/{number}")), method=f"M{number}")
    assert {each["uri"] for each in series(instrument)} == {"/0", "/1", "/2", "UNKNOWN"}
    assert {each["method"] for each in series(instrument)} == {"UNKNOWN"}
    assert len(caplog.records) == 1


def test_templates_of_frameworks() -> None:
    route = SimpleNamespace(path="/{id}")
    context = SimpleNamespace(path_format="/v1/{id}")
    assert route_template({"route": route}) == "/{id}"
    assert route_template({"route": route, "fastapi": {"effective_route_context": context}}) == "/v1/{id}"
    assert route_template({"path_template": "/litestar/{id:int}"}) == "/litestar/{id:int}"
    assert route_template({"route": route, "root_path": "/outer/mounted"}, "/outer") == "/mounted/{id}"
    assert route_template({}) == "UNKNOWN"


def test_the_actuator_is_answered_and_counted_when_asked_for() -> None:
    instrument = Instrument()
    app = instrument.asgi(answering(404), actuator=True)
    (start, body), _ = ask(app, "/actuator/prometheus")
    assert start["status"] == 200
    assert b"http_server_requests_seconds" in body["body"]
    assert [each["uri"] for each in series(instrument)] == ["/actuator/prometheus"]
    (_, health), _ = ask(app, "/actuator/health")
    assert health["body"] == b'{"status":"UP"}'
    (hidden, _), _ = ask(Instrument().asgi(answering(404)), "/actuator/prometheus")
    assert hidden["status"] == 404


def test_other_protocols_pass() -> None:
    passed = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        passed.append(scope["type"])

    ask(Instrument().asgi(app), type="lifespan")
    assert passed == ["lifespan"]
