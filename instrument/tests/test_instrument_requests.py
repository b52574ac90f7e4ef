"""Requests: names, labels, and what is counted when things go wrong."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bongsu_instrument import Instrument, note_error, route_template
from bongsu_instrument.requests import MAX_ERRORS, METHODS, Request, RequestMeters

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


@pytest.mark.parametrize(("swallowed", "name"), [(OSError, "IncompleteResponse"), (KeyError, "BrokenPipeError")])
def test_a_server_that_says_by_an_error_that_the_client_left(swallowed: type[Exception], name: str) -> None:
    async def gone(message: Any) -> None:
        if message["type"] == "http.response.body":
            raise BrokenPipeError

    async def app(scope: Any, receive: Any, send: Any) -> None:
        with contextlib.suppress(swallowed):
            await answering(200)(scope, receive, send)

    async def run() -> None:
        with contextlib.suppress(OSError):
            await instrument.asgi(app)({"type": "http", "method": "GET", "path": "/", "headers": []}, _nothing, gone)

    instrument = Instrument()
    asyncio.run(run())
    assert [(each["status"], each["exception"]) for each in series(instrument)] == [("200", name)]


def test_an_answer_without_an_end_is_told_by_the_exception() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"x", "more_body": True})

    instrument = Instrument()
    ask(instrument.asgi(app))
    assert [(each["status"], each["exception"]) for each in series(instrument)] == [("200", "IncompleteResponse")]


def test_no_answer_at_all_is_a_500() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        pass

    instrument = Instrument()
    ask(instrument.asgi(app))
    assert [(each["status"], each["exception"]) for each in series(instrument)] == [("500", "none")]


def test_a_file_sent_by_the_server_is_a_whole_answer() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.pathsend", "path": "/file"})

    instrument = Instrument()
    ask(instrument.asgi(app))
    assert [(each["status"], each["exception"]) for each in series(instrument)] == [("200", "none")]


def test_what_happens_after_the_answer_is_not_the_requests() -> None:
    instrument, seen = Instrument(), []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await answering(200)(scope, receive, send)
        seen.append(series(instrument))
        raise RuntimeError("a background task that failed")

    _, raised = ask(instrument.asgi(app))
    assert isinstance(raised, RuntimeError)
    assert seen == [series(instrument)]
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


def test_further_routes_are_unknown_and_the_log_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    instrument = Instrument(max_uris=3)
    with caplog.at_level(logging.WARNING):
        for number in range(10):
            ask(instrument.asgi(answering(200, f"/{number}")))
    assert {each["uri"] for each in series(instrument)} == {"/0", "/1", "/2", "UNKNOWN"}
    assert [each.getMessage() for each in caplog.records] == ["3 different uris are counted; any other is UNKNOWN"]


REQUESTS = st.lists(
    st.tuples(
        st.one_of(st.sampled_from(sorted(METHODS)), st.text(max_size=5)),
        st.one_of(st.none(), st.text(max_size=4)),
        st.integers(-1, 1000),
        st.one_of(st.none(), st.text(max_size=3)),
    ),
    max_size=300,
)


def begun(meters: RequestMeters, method: str) -> Request:
    request = Request()
    request.method, request.began = method, perf_counter()
    meters.active.add(request)
    return request


@settings(deadline=None)
@given(REQUESTS)
def test_labels_stay_few_whatever_clients_and_applications_do(requests: list[tuple[str, Any, int, Any]]) -> None:
    instrument = Instrument(max_uris=5)
    meters = instrument._requests
    for method, uri, status, error in requests:
        meters.end(begun(meters, method), uri, status, error)
    counted = series(instrument)
    assert {each["method"] for each in counted} <= METHODS | {"UNKNOWN"}
    assert len({each["uri"] for each in counted} - {"UNKNOWN"}) <= 5
    assert len({each["exception"] for each in counted} - {"UNKNOWN", "none"}) <= MAX_ERRORS
    assert all(each["status"] == "UNKNOWN" or 100 <= int(each["status"]) <= 599 for each in counted)
    families = {each.name: each for each in instrument.registry.collect()}
    samples = families["http_server_requests_seconds"].samples
    assert sum(each.value for each in samples if each.name.endswith("_count")) == len(requests)
    assert len(meters._timers) == len(counted), "nothing is kept beside the series"


def test_threads_do_not_get_past_the_bounds() -> None:
    instrument = Instrument(max_uris=5)
    meters = instrument._requests

    def visit(number: int) -> None:
        meters.end(begun(meters, "GET"), f"/{number % 50}", 200, None)

    with ThreadPoolExecutor(8) as visitors:
        list(visitors.map(visit, range(5000)))
    assert len({each["uri"] for each in series(instrument)}) == 6
    families = {each.name: each for each in instrument.registry.collect()}
    samples = families["http_server_requests_seconds"].samples
    assert sum(each.value for each in samples if each.name.endswith("_count")) == 5000


def test_templates_of_frameworks() -> None:
    route = SimpleNamespace(path="/{id}")
    context = SimpleNamespace(path_format="/v1/{id}")
    assert route_template({"route": route}) == "/{id}"
    assert route_template({"route": route, "fastapi": {"effective_route_context": context}}) == "/v1/{id}"
    assert route_template({"path_template": "/litestar/{id:int}"}) == "/litestar/{id:int}"
    assert route_template({"route": route, "root_path": "/outer"}, "/outer") == "/{id}"
    # What a mount's own parameters were is not known here: the client's words are no template.
    assert route_template({"route": route, "root_path": "/outer/users/7"}, "/outer") == "/**/{id}"
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
