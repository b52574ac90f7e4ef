"""WSGI applications behind real servers: what is counted, when, and that nothing about the answers changes."""

from __future__ import annotations

import http.client
import socket
import struct
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from wsgiref.util import FileWrapper

import pytest
from kinds import Series, Serve, Wait

from bongsu_instrument import Instrument, note_error

TEXT = [("Content-Type", "text/plain")]


def ask(port: int, path: str = "/", method: str = "GET") -> tuple[int, bytes, dict[str, str]]:
    """One request on a connection of its own; a broken-off body is cut where it broke."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        try:
            body = answer.read()
        except http.client.IncompleteRead as broken:
            body = broken.partial
        return answer.status, body, dict(answer.getheaders())
    finally:
        connection.close()


def answering(status: str = "200 OK", body: Iterable[bytes] = (b"hello",)) -> Any:
    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response(status, TEXT)
        return list(body)

    return app


def streaming(chunks: Callable[[], Iterator[bytes]]) -> Any:
    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", TEXT)
        return chunks()

    return app


def in_flight(instrument: Instrument) -> float:
    families = {each.name: each for each in instrument.registry.collect()}
    samples = families["http_server_requests_active_seconds"].samples
    return sum(each.value for each in samples if each.name.endswith("_count"))


def test_a_request_is_counted_by_the_route_that_the_application_names(
    instrument: Instrument, serve: Serve, series: Series, wait_for: Wait
) -> None:
    def route(environ: dict[str, Any]) -> str | None:
        return "/products/{id}" if environ["PATH_INFO"].startswith("/products/") else None

    with serve(instrument.wsgi(answering(), route=route)) as port:
        status, body, headers = ask(port, "/products/7")
        ask(port, "/products/8", "POST")
        ask(port, "/elsewhere")
        wait_for("three series", lambda: len(series(instrument)) == 3 and in_flight(instrument) == 0)
    assert (status, body) == (200, b"hello")
    assert headers.get("Content-Length", "5") == "5"
    wanted = {("GET", "/products/{id}"), ("POST", "/products/{id}"), ("GET", "UNKNOWN")}
    assert {(method, uri) for method, uri, _, _ in series(instrument)} == wanted


def test_without_a_route_no_path_becomes_a_label(
    instrument: Instrument, serve: Serve, series: Series, wait_for: Wait
) -> None:
    with serve(instrument.wsgi(answering("404 Not Found"))) as port:
        for path in ("/a", "/b", "/c"):
            assert ask(port, path)[0] == 404
        wait_for("the last to end", lambda: in_flight(instrument) == 0)
    assert series(instrument) == [("GET", "UNKNOWN", "404", "none")]


def test_an_answer_of_one_chunk_keeps_its_length(instrument: Instrument, serve: Serve) -> None:
    lengths = []
    for app in (answering(), instrument.wsgi(answering())):
        with serve(app) as port:
            lengths.append(ask(port)[2].get("Content-Length"))
    assert lengths[0] == lengths[1]


def test_a_request_lasts_until_its_body_is_closed(
    instrument: Instrument, serve: Serve, series: Series, wait_for: Wait
) -> None:
    go_on = threading.Event()

    def chunks() -> Iterator[bytes]:
        yield b"first"
        assert go_on.wait(20)
        yield b"second"

    with serve(instrument.wsgi(streaming(chunks))) as port, ThreadPoolExecutor(1) as client:
        answer = client.submit(ask, port)
        wait_for("the request", lambda: in_flight(instrument) == 1)
        assert series(instrument) == []
        go_on.set()
        assert answer.result(20)[1] == b"firstsecond"
        wait_for("its end", lambda: in_flight(instrument) == 0)
    assert series(instrument) == [("GET", "UNKNOWN", "200", "none")]


def test_an_unhandled_error_is_a_500_with_its_name(
    instrument: Instrument, serve: Serve, series: Series, wait_for: Wait
) -> None:
    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", TEXT)  # which no client will see
        raise KeyError("x")

    def before_the_first_chunk() -> Iterator[bytes]:
        raise ValueError
        yield

    for each in (app, streaming(before_the_first_chunk)):
        with serve(instrument.wsgi(each)) as port:
            assert ask(port)[0] == 500
            wait_for("the end", lambda: in_flight(instrument) == 0)
    assert [each[2:] for each in series(instrument)] == [("500", "KeyError"), ("500", "ValueError")]


def test_an_answer_that_breaks_off_keeps_the_status_the_client_saw(
    instrument: Instrument, serve: Serve, series: Series, wait_for: Wait
) -> None:
    def chunks() -> Iterator[bytes]:
        yield b"half"
        raise ArithmeticError

    with serve(instrument.wsgi(streaming(chunks))) as port:
        assert ask(port)[0] == 200
        wait_for("the end", lambda: in_flight(instrument) == 0)
    assert series(instrument) == [("GET", "UNKNOWN", "200", "ArithmeticError")]


def test_a_client_that_left_in_the_middle_is_told_by_the_exception(
    instrument: Instrument, serve: Serve, series: Series, wait_for: Wait
) -> None:
    closed = threading.Event()

    def chunks() -> Iterator[bytes]:
        try:
            while True:
                yield b"x" * 65536
        finally:
            closed.set()

    with serve(instrument.wsgi(streaming(chunks))) as port:
        with socket.create_connection(("127.0.0.1", port), 20) as client:
            client.sendall(b"GET / HTTP/1.0\r\n\r\n")
            client.recv(100)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # leaves without goodbye
        wait_for("the end", lambda: in_flight(instrument) == 0)
    assert closed.is_set(), "the application's own body is closed as well"
    assert series(instrument) == [("GET", "UNKNOWN", "200", "ClientDisconnect")]


def test_an_error_that_an_answer_replaces_is_named(
    instrument: Instrument, serve: Serve, series: Series, wait_for: Wait
) -> None:
    def by_exc_info(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        import sys

        try:
            raise LookupError
        except LookupError:
            start_response("503 Service Unavailable", TEXT, sys.exc_info())
        return [b"later"]

    def by_note(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        note_error(environ, TimeoutError())
        start_response("503 Service Unavailable", TEXT)
        return [b"later"]

    for app in (by_exc_info, by_note):
        with serve(instrument.wsgi(app)) as port:
            assert ask(port)[:2] == (503, b"later")
            wait_for("the end", lambda: in_flight(instrument) == 0)
    assert [each[2:] for each in series(instrument)] == [("503", "LookupError"), ("503", "TimeoutError")]


@pytest.mark.parametrize(("method", "status"), [("HEAD", "200 OK"), ("GET", "304 Not Modified")])
def test_answers_without_a_body_are_complete(
    instrument: Instrument, serve: Serve, series: Series, wait_for: Wait, method: str, status: str
) -> None:
    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response(status, TEXT if status.startswith("200") else [])
        return []

    with serve(instrument.wsgi(app)) as port:
        ask(port, method=method)
        wait_for("the end", lambda: in_flight(instrument) == 0)
    assert series(instrument) == [(method, "UNKNOWN", status[:3], "none")]


def test_a_file_stays_the_servers_own_kind(instrument: Instrument, series: Series, tmp_path: Path) -> None:
    """So that it may send it without reading it."""
    (tmp_path / "file").write_bytes(b"content")
    file = (tmp_path / "file").open("rb")

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", TEXT)
        return FileWrapper(file)

    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/", "wsgi.file_wrapper": FileWrapper}
    body: Any = instrument.wsgi(app)(environ, lambda *_: None)
    assert isinstance(body, FileWrapper)
    assert series(instrument) == []
    body.close()
    assert file.closed
    assert series(instrument) == [("GET", "UNKNOWN", "200", "none")]


def test_a_body_that_nobody_closes_is_over_when_it_is_dropped(instrument: Instrument, series: Series) -> None:
    body: Any = instrument.wsgi(answering())({"REQUEST_METHOD": "GET"}, lambda *_: None)
    assert in_flight(instrument) == 1
    del body
    assert in_flight(instrument) == 0
    assert series(instrument) == [("GET", "UNKNOWN", "200", "ClientDisconnect")]


def test_the_servers_own_end_leaves_no_answer(instrument: Instrument, series: Series) -> None:
    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        raise SystemExit(1)

    with pytest.raises(SystemExit):
        instrument.wsgi(app)({"REQUEST_METHOD": "GET"}, lambda *_: None)
    assert series(instrument) == [("GET", "UNKNOWN", "UNKNOWN", "SystemExit")]


def test_the_actuator_is_answered_and_counted_when_asked_for(
    instrument: Instrument, serve: Serve, series: Series, wait_for: Wait
) -> None:
    with serve(instrument.wsgi(answering("404 Not Found"), actuator=True)) as port:
        status, text, headers = ask(port, "/actuator/prometheus")
        assert (status, headers["Content-Type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
        assert b"http_server_requests_seconds" in text
        assert ask(port, "/actuator/health")[:2] == (200, b'{"status":"UP"}')
        assert ask(port, "/actuator/prometheus", "POST")[0] == 404
        wait_for("the last to end", lambda: in_flight(instrument) == 0)
    uris = {(method, uri) for method, uri, _, _ in series(instrument)}
    assert uris == {("GET", "/actuator/prometheus"), ("GET", "/actuator/health"), ("POST", "UNKNOWN")}


def test_a_watched_application_inside_a_watched_one_counts_once(
    instrument: Instrument, serve: Serve, series: Series, wait_for: Wait
) -> None:
    with serve(instrument.wsgi(instrument.wsgi(answering()))) as port:
        ask(port)
        wait_for("the end", lambda: in_flight(instrument) == 0)
    value = instrument.registry.get_sample_value
    labels = {"method": "GET", "uri": "UNKNOWN", "status": "200", "outcome": "SUCCESS", "exception": "none"}
    assert value("http_server_requests_seconds_count", {**labels, "error": "none"}) == 1


def test_under_load_every_request_is_counted_once(instrument: Instrument, serve: Serve, wait_for: Wait) -> None:
    def route(environ: dict[str, Any]) -> str:
        return f"/{environ['PATH_INFO'][1]}/{{id}}"

    def visit(number: int) -> int:
        return ask(port, f"/{number % 3}/{number}")[0]

    with serve(instrument.wsgi(answering(), route=route)) as port, ThreadPoolExecutor(8) as visitors:
        assert set(visitors.map(visit, range(300))) == {200}
        wait_for("the last to end", lambda: in_flight(instrument) == 0)
    families = {each.name: each for each in instrument.registry.collect()}
    counts = [each.value for each in families["http_server_requests_seconds"].samples if each.name.endswith("_count")]
    assert counts == [100, 100, 100]
