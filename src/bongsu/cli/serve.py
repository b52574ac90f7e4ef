"""``bongsu serve``."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

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
    command = [sys.executable, "-P", "-m", "bongsu.cli.serving", str(config), log_level]
    os.execv(sys.executable, command)  # noqa: S606 - this process becomes the server
