"""What bongsu_instrument tells of FastAPI and Starlette: here, because here they are installed."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from fastapi import APIRouter, BackgroundTasks, FastAPI
from fastapi.testclient import TestClient
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg_pool import AsyncConnectionPool, AsyncNullConnectionPool, PoolTimeout
from servers import wait_for
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Mount, Route, Router, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.websockets import WebSocket, WebSocketDisconnect

from bongsu_instrument import Instrument

Series = list[tuple[str, str, str]]


@pytest.fixture
def instrument() -> Iterator[Instrument]:
    made = Instrument()
    yield made
    made.count_logs().stop()


def series(instrument: Instrument) -> Series:
    """Uri, status and exception of every series, in order of their making."""
    families = {each.name: each for each in instrument.registry.collect()}
    samples = [each for each in families["http_server_requests_seconds"].samples if each.name.endswith("_count")]
    return [(each.labels["uri"], each.labels["status"], each.labels["exception"]) for each in samples]


def in_flight(instrument: Instrument) -> float:
    families = {each.name: each for each in instrument.registry.collect()}
    samples = families["http_server_requests_active_seconds"].samples
    return sum(each.value for each in samples if each.name.endswith("_count"))


def fastapi_app(files: Path) -> FastAPI:
    """Included routers, a mounted application of its own with a parameter in the mount, files."""
    app, inner, items = FastAPI(), FastAPI(), APIRouter(prefix="/items")

    @items.get("/{item}")
    def item(item: int) -> int:
        return item

    @inner.get("/orders/{order}")
    def order(order: int) -> int:
        return order

    @inner.get("/")
    def home() -> str:
        return "home"

    @app.get("/broken")
    def broken() -> None:
        raise ZeroDivisionError

    app.include_router(items, prefix="/v1")
    inner.include_router(items)
    app.mount("/users/{user}", inner)
    app.mount("/files", StaticFiles(directory=files))
    return app


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "a.txt").write_text("a")
    return tmp_path


def test_fastapi_is_watched_by_one_line(instrument: Instrument, files: Path) -> None:
    app = fastapi_app(files)
    assert instrument.watch(app) is app
    with TestClient(app, raise_server_exceptions=False) as client:
        asked = ["/v1/items/7", "/users/17/orders/3", "/users/18/orders/4", "/users/17/items/1", "/users/17/"]
        asked += ["/files/a.txt", "/files/none", "/users/17/none", "/none", "/broken", "/v1/items/x"]
        statuses = [client.get(each).status_code for each in asked]
        assert client.post("/v1/items/7").status_code == 405
    assert statuses == [200, 200, 200, 200, 200, 200, 404, 404, 404, 500, 422]
    assert series(instrument) == [
        ("/v1/items/{item}", "200", "none"),
        ("/users/{user}/orders/{order}", "200", "none"),
        ("/users/{user}/items/{item}", "200", "none"),
        ("/users/{user}/", "200", "none"),
        ("/files/**", "200", "none"),
        ("/files/**", "404", "none"),
        ("UNKNOWN", "404", "none"),
        ("/broken", "500", "ZeroDivisionError"),
        ("/v1/items/{item}", "422", "none"),
        ("/v1/items/{item}", "405", "none"),
    ]


def starlette_app(files: Path) -> Starlette:
    """Mounts in mounts, a mounted application, files."""

    def answer(request: Request) -> PlainTextResponse:
        return PlainTextResponse("here")

    inner = Starlette(routes=[Route("/deep/{x:int}", answer)])
    return Starlette(
        routes=[
            Route("/", answer),
            Route("/things/{thing}", answer),
            Mount("/a/{tenant}", routes=[Route("/b", answer), Mount("/c/{kind}", app=inner)]),
            Mount("/files", StaticFiles(directory=files)),
            Mount("/r", app=Router([Route("/", answer), Route("/s/", answer)])),
        ]
    )


def test_starlette_with_mounts(instrument: Instrument, files: Path) -> None:
    app = instrument.watch(starlette_app(files))
    with TestClient(app, follow_redirects=False) as client:
        asked = ["/", "/things/7", "/a/acme/b", "/a/acme/c/big/deep/5", "/files/a.txt", "/r/", "/a/acme/none", "/r/s"]
        statuses = [client.get(each).status_code for each in asked]
    assert statuses == [200, 200, 200, 200, 200, 200, 404, 307]
    assert series(instrument) == [
        ("/", "200", "none"),
        ("/things/{thing}", "200", "none"),
        ("/a/{tenant}/b", "200", "none"),
        ("/a/{tenant}/c/{kind}/deep/{x:int}", "200", "none"),
        ("/files/**", "200", "none"),
        ("/r/", "200", "none"),
        ("UNKNOWN", "404", "none"),
        ("UNKNOWN", "307", "none"),
    ]


WORDS = st.sampled_from(["things", "a", "b", "c", "deep", "files", "users", "items", "orders", "v1", "17", "x%2Fy", ""])
TEMPLATES = {
    *("UNKNOWN", "/", "/things/{thing}", "/a/{tenant}/b", "/a/{tenant}/c/{kind}/deep/{x:int}", "/files/**"),
    *("/r/", "/r/s/", "/v1/items/{item}", "/users/{user}/orders/{order}", "/users/{user}/items/{item}"),
    *("/users/{user}/", "/broken", "/openapi.json", "/docs", "/redoc", "/docs/oauth2-redirect"),
    *("/users/{user}/openapi.json", "/users/{user}/docs", "/users/{user}/redoc"),
}


APPS = fastapi_app(Path("/")), starlette_app(Path("/"))


@settings(deadline=None, max_examples=50)
@given(st.lists(st.lists(st.one_of(WORDS, st.text("abz019-", max_size=6)), max_size=6), max_size=8))
def test_no_word_of_a_client_becomes_a_label(paths: list[list[str]]) -> None:
    instrument = Instrument()
    for app in APPS:
        client = TestClient(instrument.asgi(app), raise_server_exceptions=False, follow_redirects=False)
        for path in paths:
            client.get("http://testserver/" + "/".join(path))  # a path may begin with two slashes
    assert {uri for uri, _, _ in series(instrument)} <= TEMPLATES


def test_websockets_are_no_requests(instrument: Instrument) -> None:
    async def echo(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_text(await websocket.receive_text())
        await websocket.close()

    app = instrument.watch(Starlette(routes=[WebSocketRoute("/echo", echo)]))
    with TestClient(app) as client:
        with client.websocket_connect("/echo") as connection:
            connection.send_text("hello")
            assert connection.receive_text() == "hello"
        with pytest.raises(WebSocketDisconnect), client.websocket_connect("/none"):
            pass
    assert series(instrument) == []


def test_a_background_task_is_not_part_of_the_request(instrument: Instrument) -> None:
    app, seen = FastAPI(), []

    def later(*, fail: bool) -> None:
        seen.append((series(instrument), in_flight(instrument)))
        if fail:
            raise RuntimeError("nobody waits for this")

    @app.get("/order")
    def order(tasks: BackgroundTasks, fail: bool = False) -> str:
        tasks.add_task(later, fail=fail)
        return "ordered"

    instrument.watch(app)
    with TestClient(app, raise_server_exceptions=False) as client:
        client.get("/order")
        client.get("/order?fail=1")
    counted = [("/order", "200", "none")]
    assert series(instrument) == counted
    assert seen == [(counted, 0)] * 2


@contextmanager
def served(app: Any) -> Iterator[int]:
    """A real uvicorn, in a thread; its port."""
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off", ws="none"))
    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


def test_a_stream_lasts_until_its_end_and_a_client_that_leaves_is_told(instrument: Instrument) -> None:
    go_on = threading.Event()

    async def chunks() -> AsyncIterator[bytes]:
        yield b"first"
        while not go_on.is_set():
            await asyncio.sleep(0.005)
            yield b"more"

    def stream(request: Request) -> StreamingResponse:
        return StreamingResponse(chunks())

    app = instrument.watch(Starlette(routes=[Route("/stream/{x}", stream)]))
    with served(app) as port:
        with socket.create_connection(("127.0.0.1", port), 20) as leaving:
            leaving.sendall(b"GET /stream/1 HTTP/1.1\r\nHost: x\r\n\r\n")
            leaving.recv(10)
            assert (in_flight(instrument), series(instrument)) == (1, [])
            leaving.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        wait_for("its end", lambda: in_flight(instrument) == 0)
        assert series(instrument) == [("/stream/{x}", "200", "ClientDisconnect")]
        with socket.create_connection(("127.0.0.1", port), 20) as staying:
            staying.sendall(b"GET /stream/1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            staying.recv(10)
            go_on.set()
            while staying.recv(65536):
                pass
        wait_for("its end", lambda: in_flight(instrument) == 0)
    assert series(instrument) == [("/stream/{x}", "200", "ClientDisconnect"), ("/stream/{x}", "200", "none")]


def test_an_asynchronous_pool(instrument: Instrument, empty_url: str) -> None:
    def value(name: str) -> float | None:
        return instrument.registry.get_sample_value(f"hikaricp_connections{name}", {"pool": "a"})

    async def work() -> None:
        pool = AsyncConnectionPool(empty_url, min_size=2, max_size=2, timeout=0.3, open=False, name="a")
        assert instrument.watch_pool(pool) is pool
        async with pool:
            await pool.wait(10)
            assert (value(""), value("_idle"), value("_active"), value("_max"), value("_min")) == (2, 2, 0, 2, 2)
            async with pool.connection(), pool.connection() as connection:
                await connection.execute("SELECT 1")
                waiting = [asyncio.create_task(pool.getconn()) for _ in range(3)]
                while value("_pending") != 3:
                    await asyncio.sleep(0.005)
                waiting[0].cancel()
                results = await asyncio.gather(*waiting, return_exceptions=True)
                assert value("_active") == 2
            assert [type(each) for each in results] == [asyncio.CancelledError, PoolTimeout, PoolTimeout]
        assert (value("_timeout_total"), value("_active"), value("_pending")) == (2, 0, 0)
        assert (value("_acquire_seconds_count"), value("_usage_seconds_count")) == (2 + 3, 2)
        assert (value("_usage_seconds_max") or 0) >= 0.3
        assert value("_creation_seconds_count") == 2

    asyncio.run(asyncio.wait_for(work(), 20))


def test_an_asynchronous_pool_that_keeps_nothing(instrument: Instrument, empty_url: str) -> None:
    async def work() -> None:
        async with AsyncNullConnectionPool(empty_url, open=False, name="null") as pool:
            instrument.watch_pool(pool)
            async with pool.connection() as connection:
                await connection.execute("SELECT 1")
        instrument.forget_pool("null")
        assert not {"getconn", "putconn"} & set(vars(pool))

    asyncio.run(asyncio.wait_for(work(), 20))
