"""``bongsu burst``: credits, and what they are enough for."""

from __future__ import annotations

import typer

from bongsu.cli.burst_plan import plan

app = typer.Typer(help="Burst credits: what they are enough for.", no_args_is_help=True)
app.command("plan")(plan)


@app.callback()
def group() -> None:
    """Burst credits: what they are enough for."""
