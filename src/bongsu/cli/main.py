"""The ``bongsu`` command and its groups."""

from __future__ import annotations

import typer

from bongsu import __version__
from bongsu.cli import (
    accounts,
    backup,
    burst,
    check,
    contacts,
    data,
    doctor,
    drill,
    generate,
    impact,
    incidents,
    init,
    lab,
    maintenance,
    notify,
    oncall,
    policy,
    recovery,
    replay,
    report,
    serve,
)
from bongsu.cli.problems import told

app = typer.Typer(
    name="bongsu",
    help="Keeps a web service on burstable machines out of trouble.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("init")(init.init)
app.command("serve")(serve.serve)
app.command("check")(check.check)
app.command("backup")(backup.backup)
app.command("restore")(backup.restore)
app.command("generate")(generate.generate)
app.command("impact")(impact.impact)
app.command("doctor")(doctor.doctor)
app.command("audit")(accounts.audit)
app.add_typer(accounts.users, name="user")
app.add_typer(accounts.tokens, name="token")
incidents.app.command("replay")(replay.replay)
app.add_typer(incidents.app, name="incidents")
app.add_typer(maintenance.app, name="maintenance")
app.add_typer(maintenance.silence_app, name="silence")
app.add_typer(notify.app, name="notify")
app.add_typer(oncall.app, name="oncall")
app.add_typer(oncall.schedules, name="schedule")
app.add_typer(contacts.app, name="contacts")
for command in (recovery.diff, recovery.plan, recovery.apply):
    data.app.command()(command)
app.add_typer(data.app, name="data")
app.add_typer(report.report, name="report")
app.add_typer(report.items, name="items")
app.add_typer(report.review, name="review")
app.command("lessons")(report.lessons)
app.add_typer(lab.app, name="lab")
app.add_typer(drill.app, name="drill")
app.add_typer(policy.app, name="policy")
app.add_typer(burst.app, name="burst")


@app.callback(invoke_without_command=True)
def root(version: bool = typer.Option(False, "--version", help="Print the version and stop.", is_eager=True)) -> None:
    """Keeps a web service on burstable machines out of trouble."""
    if version:
        print(__version__)  # noqa: T201
        raise typer.Exit


def main() -> None:
    """Run a command."""
    with told():
        app()
