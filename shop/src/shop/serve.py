"""Runs the shop: one process, the metrics on a thread and port of their own."""

from __future__ import annotations

import os
import signal
import socket
import sys

import uvicorn

from bongsu_instrument import Instrument
from shop.app import create_app
from shop.logs import set_up_logging
from shop.settings import BadSettings, Settings
from shop.shop import Shop

GRACE_SECONDS = 1
"""How long a stop waits for requests that are under way."""
KEEP_ALIVE_SECONDS = 75
"""Longer than balancers keep idle connections, so that it is they who close them: a request never meets a close."""


def serve(settings: Settings, host: str, port: int, metrics_port: int) -> int:
    """Until SIGTERM or SIGINT; the exit code. Raises BadSettings when an address or the log file cannot be had."""
    try:
        set_up_logging(settings)
    except OSError as error:
        raise BadSettings([f"SHOP_LOG_FILE is {str(settings.log_file)!r}: {error.strerror}"]) from error
    instrument = _instrument(host, metrics_port) if settings.instrumented else None
    shop = Shop(settings, instrument)
    try:
        listener = _listen(host, port)
    except OSError as error:
        raise BadSettings([str(error.strerror)]) from error
    config = uvicorn.Config(
        create_app(shop),
        log_config=None,
        access_log=False,
        server_header=False,
        ws="none",
        timeout_graceful_shutdown=GRACE_SECONDS,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
    )
    # uvicorn stops at these signals and then raises them again, to whoever handled them before: that is us, content.
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, lambda *_: None)
    server = uvicorn.Server(config)
    server.run(sockets=[listener])
    sys.stdout.flush()
    # A worker thread may still wait for a statement that the database has not ended; its request was given up above,
    # and an ordinary exit would wait for it.
    os._exit(0 if server.started else 1)


def _instrument(host: str, port: int) -> Instrument:
    instrument = Instrument()
    instrument.count_logs()
    try:
        instrument.serve(host, port)
    except OSError as error:
        raise BadSettings([str(error.strerror)]) from error
    return instrument


def _listen(host: str, port: int) -> socket.socket:
    # With the protocol named: asyncio switches Nagle's algorithm off only for sockets that say they are TCP, and with
    # it on each answer on a kept connection waits 40 ms for the client's acknowledgement.
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(2048)
    except OSError as error:
        listener.close()
        raise OSError(error.errno, f"the shop cannot listen on {host}:{port}: {error.strerror}") from error
    return listener
