"""``bongsu serve`` and ``bongsu check``."""

from __future__ import annotations

import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer
from rich.console import Console

from bongsu import config as configuration
from bongsu.core.errors import InvalidInput

ConfigOption = Annotated[
    Path, typer.Option("--config", "-c", envvar="BONGSU_CONFIG", help="The configuration file.", metavar="FILE")
]


def serve(
    config: ConfigOption = Path("bongsu.toml"),
    log_level: Annotated[str, typer.Option(help="debug, info, warning or error.")] = "info",
) -> None:
    """Watch, warn and answer until stopped.

    Example: bongsu serve --config bongsu.toml
    """
    import asyncio

    import uvicorn

    from bongsu.bootstrap import bootstrap, claim_alone
    from bongsu.engine.worker import Worker
    from bongsu.telemetry import set_up_logging
    from bongsu.web.app import create_app

    set_up_logging(log_level)
    loaded = configuration.load(config)
    context = bootstrap(loaded)
    lock = claim_alone(context)
    worker = Worker(context)
    server = uvicorn.Server(
        uvicorn.Config(
            create_app(context),
            host=loaded.web.host,
            port=loaded.web.port,
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=1,
            server_header=False,
        )
    )

    async def run() -> None:
        # the default pool has processors + 4 threads, too few when pages and API wait for the database
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(32, thread_name_prefix="web"))
        await server.serve()

    def stop(_signal: int, _frame: FrameType | None) -> None:
        server.should_exit = True

    # uvicorn raises the signal that ended it once more, with the handlers that stood before it
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, stop)
    worker.start()
    try:
        asyncio.run(run())
    finally:
        worker.stop()
        context.db.close()
        if lock is not None:
            lock.close()


def check(
    config: ConfigOption = Path("bongsu.toml"),
    offline: Annotated[bool, typer.Option("--offline", help="Only the file; ask nothing outside.")] = False,
) -> None:
    """Check the configuration: every fault at once, who cannot be reached, and whether the outside answers.

    Example: bongsu check --config bongsu.toml
    """
    console = Console(highlight=False, soft_wrap=True)
    loaded = configuration.load(config)
    console.print(f"[green]ok[/green]    {config}: {_counted(loaded)}")
    problems = unreachable(loaded)
    if not offline:
        problems += outside(loaded, console)
    if problems:
        raise InvalidInput(problems)


def _counted(loaded: configuration.Config) -> str:
    parts = [(len(loaded.service), "service"), (len(loaded.policy), "policy"), (len(loaded.person), "person")]
    return ", ".join(f"{number} {name}" for number, name in parts)


def unreachable(loaded: configuration.Config) -> list[str]:
    """Targets that mean nobody now."""
    from bongsu.adapters.clock import SystemClock
    from bongsu.bootstrap import directory_of, policy_of

    directory, now = directory_of(loaded), SystemClock().now()
    found: list[str] = []
    for name, section in loaded.policy.items():
        policy = policy_of(name, section)
        targets = [(f"tier {n}", target) for n, tier in enumerate(policy.tiers, 1) for target in tier.notify]
        targets += [("ceiling", target) for target in (policy.ceiling.notify if policy.ceiling else ())]
        targets += [("runway", target) for target in (policy.runway.notify if policy.runway else ())]
        found += [
            f"policy.{name}: {where} reaches nobody: {target} has no address; add contact = [{{ email = ... }}]"
            for where, target in dict.fromkeys(targets)
            if not directory.resolve(target, now)
        ]
    return found


def outside(loaded: configuration.Config, console: Console) -> list[str]:
    """Ask Prometheus, the mail relay and the balancers for a sign of life."""
    from bongsu.adapters.haproxy import HAProxy
    from bongsu.bootstrap import prometheus_of, smtp_of
    from bongsu.ports import Rejected, Retryable, Unavailable

    problems: list[str] = []
    metrics = prometheus_of(loaded)
    for name, service in loaded.service.items():
        try:
            up = metrics.targets_up(service.job)
        except Unavailable as error:
            problems.append(f"prometheus.url: {error}")
            break
        answering = sum(1 for samples in up.values() if samples and samples[-1][1] == 1)
        if not up:
            problems.append(
                f"service.{name}.job: Prometheus has no target of job {service.job!r}; check scrape_configs"
            )
        else:
            console.print(f"[green]ok[/green]    service {name}: {answering} of {len(up)} targets answer")
        if service.balancer is not None:
            try:
                members = HAProxy(service.balancer.socket, service.balancer.backend).members()
                console.print(f"[green]ok[/green]    balancer of {name}: {len(members)} machines")
            except Unavailable as error:
                problems.append(f"service.{name}.balancer: {error}")
    if not problems and abs(metrics.skew().total_seconds()) > 5:
        problems.append(
            f"prometheus.url: its clock is {metrics.skew().total_seconds():+.0f} s off ours; set both by NTP"
        )
    try:
        console.print(f"[green]ok[/green]    mail relay: {smtp_of(loaded).ping()}")
    except (Retryable, Rejected) as error:
        problems.append(f"smtp: {error.answer}")
    return problems
