"""What ``bongsu serve`` becomes: a process that holds the server, and nothing of the command line.

Reading the options loads libraries for commands, rich output and validation, which would stay in memory for months.
"""

from __future__ import annotations

import asyncio
import gc
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from types import FrameType

import uvicorn

from bongsu import config as configuration
from bongsu.bootstrap import bootstrap, claim_alone
from bongsu.cli.problems import told
from bongsu.engine import accounts, sessions
from bongsu.engine.context import Context
from bongsu.engine.worker import Worker
from bongsu.telemetry import set_up_logging
from bongsu.web.app import create_app

SWITCH_S = 0.0005
"""How long one thread may keep the others from Python: a mail's answers must not wait for a storm of alerts."""


class Server(uvicorn.Server):
    """Looks once a second what time it is, for the answers' date, where uvicorn looks ten times whether to end."""

    def __init__(self, settings: uvicorn.Config) -> None:
        super().__init__(settings)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ended = asyncio.Event()

    def stop(self) -> None:
        """End it, from a signal's handler."""
        self.should_exit = True
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._ended.set)

    async def main_loop(self) -> None:
        """Until it is stopped."""
        self._loop = asyncio.get_running_loop()
        while not await self.on_tick(0):
            with suppress(TimeoutError):
                await asyncio.wait_for(self._ended.wait(), 1.0)


def _invite(context: Context) -> None:
    """Where nobody can log in yet, print once where the first admin is made. It is no part of the log."""
    if not context.db.read(sessions.nobody_can_log_in):
        return
    link = accounts.setup_link(context.db, context.public_url, context.wall.now())
    if link is not None:
        said = f"Nobody can log in yet. Make the first admin here (once, within a day): {link}"
        print(said, flush=True)  # noqa: T201 - for whoever started it, not for the log


def run(config: Path, log_level: str) -> None:
    """Watch, warn and answer until stopped."""
    set_up_logging(log_level)
    sys.setswitchinterval(SWITCH_S)
    loaded = configuration.load(config)
    context = bootstrap(loaded)
    lock = claim_alone(context)
    _invite(context)
    worker = Worker(context)
    settings = uvicorn.Config(
        create_app(context),
        host=loaded.web.host,
        port=loaded.web.port,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=1,
        server_header=False,
    )
    server = Server(settings)

    async def run() -> None:
        # the default pool has processors + 4 threads, too few when pages and API wait for the database
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(32, thread_name_prefix="web"))
        await server.serve()

    def stop(_signal: int, _frame: FrameType | None) -> None:
        server.stop()

    # uvicorn raises the signal that ended it once more, with the handlers that stood before it
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, stop)
    gc.collect()
    gc.freeze()  # what is there now stays; looking through it again and again would hold up a mail now and then
    gc.set_threshold(5_000, 20)  # nor need a storm of alerts, which hold no cycles, be looked through often
    worker.start()
    try:
        with asyncio.Runner(loop_factory=settings.get_loop_factory()) as runner:
            runner.run(run())
    finally:
        worker.stop()
        context.db.close()
        if lock is not None:
            lock.close()


if __name__ == "__main__":
    with told():
        run(Path(sys.argv[1]), sys.argv[2])
