"""A shop of a hundred lines for tests of the lab: same commands, same routes, a known CPU cost per request."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

COST = float(os.environ.get("STANDIN_COST", "0.002"))


def burn(seconds: float) -> None:
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass


def answer(method: str, path: str) -> tuple[int, bytes]:
    if path.startswith("/crash"):
        sys.stderr.write("the stand-in was told to crash\n")
        os._exit(3)
    if path.startswith("/healthz"):
        return 200, b'{"status":"ok"}'
    if path.startswith("/actuator/prometheus"):
        return 200, b"# TYPE standin_up gauge\nstandin_up 1\n# TYPE system_cpu_usage gauge\nsystem_cpu_usage 0.99\n"
    burn(COST)
    if method == "POST" and path == "/orders":
        return 201, b'{"id": 1}'
    return 200, b"[]"


async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while line := await reader.readline():
            method, path, _ = line.decode().split(" ", 2)
            length, request_id = 0, ""
            while (header := (await reader.readline()).decode().strip()) != "":
                name, _, value = header.partition(":")
                if name.lower() == "content-length":
                    length = int(value)
                if name.lower() == "x-request-id":
                    request_id = value.strip()
            if length:
                await reader.readexactly(length)
            status, body = answer(method, path)
            head = f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\nX-Request-Id: {request_id}\r\n\r\n"
            writer.write(head.encode() + body)
            await writer.drain()
            with Path(os.environ["SHOP_LOG_FILE"]).open("a") as log:
                log.write(json.dumps({"path": path, "status": status}) + "\n")
    except (ConnectionError, asyncio.IncompleteReadError):
        pass
    finally:
        writer.close()


class Metrics(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        status, body = answer("GET", self.path)
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


async def serve(host: str, port: int, metrics_port: int) -> None:
    metrics = HTTPServer((host, metrics_port), Metrics)
    threading.Thread(target=metrics.serve_forever, daemon=True).start()
    server = await asyncio.start_server(talk, host, port, backlog=1024)
    async with server:
        await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("command", choices=("serve", "migrate", "seed"))
    parser.add_argument("--host")
    parser.add_argument("--port", type=int)
    parser.add_argument("--metrics-port", type=int)
    parser.add_argument("--products", type=int)
    parser.add_argument("--users", type=int)
    options = parser.parse_args()
    assert os.environ["SHOP_DATABASE_URL"].startswith("postgresql://")
    assert Path(os.environ["SHOP_USER_HASH_KEY_FILE"]).exists()
    if options.command == "serve":
        asyncio.run(serve(options.host, options.port, options.metrics_port))


if __name__ == "__main__":
    main()
