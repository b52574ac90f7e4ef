"""``bongsu init``: five questions, a commented ``bongsu.toml``, and a mail that tries the way to the people."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from bongsu.cli.interview import Given, interview
from bongsu.core.errors import InvalidInput
from bongsu.core.setup import Setup

_NEXT = """
Next:
  bongsu check --config {file}     who cannot be reached, does the outside answer
  bongsu serve --config {file}     watch and warn; console at http://127.0.0.1:8080
  bongsu drill run                      see an evening in trouble, on this computer, with nobody woken"""


def init(
    out: Annotated[Path, typer.Option("--config", "-c", "--out", help="The file to write.", metavar="FILE")] = Path(
        "bongsu.toml"
    ),
    prometheus: Annotated[str | None, typer.Option(help="Where Prometheus is; else the usual places.")] = None,
    job: Annotated[str | None, typer.Option(help="The Prometheus job to watch.")] = None,
    service: Annotated[str | None, typer.Option(help="What to call it; the job's name if not given.")] = None,
    profile: Annotated[str | None, typer.Option(help="Where its signals live; recognised if not given.")] = None,
    machine: Annotated[str | None, typer.Option(help="The machine type, or words of its name: t3.small.")] = None,
    on_call: Annotated[
        list[str] | None, typer.Option(help="'Name <address>'; again for each who takes turns.", metavar="PERSON")
    ] = None,
    team: Annotated[str | None, typer.Option(help="The owning department: 'Name <address>'; '' for none.")] = None,
    upper_team: Annotated[str | None, typer.Option(help="The department above it; '' for none.")] = None,
    relay: Annotated[str | None, typer.Option(help="The mail relay.", metavar="HOST:PORT")] = None,
    mail_from: Annotated[str | None, typer.Option(help="The sender; bongsu@ the domain of who is on call.")] = None,
    mail_user: Annotated[str | None, typer.Option(help="The relay's user, if it wants one.")] = None,
    mail_password_file: Annotated[Path | None, typer.Option(help="The file that holds the relay's password.")] = None,
    public_url: Annotated[str | None, typer.Option(help="What the links in mails begin with.", metavar="URL")] = None,
    locale: Annotated[str | None, typer.Option(help="Language of the mails: en or ko.")] = None,
    time_zone: Annotated[str | None, typer.Option(help="Such as Asia/Seoul; this computer's if not given.")] = None,
    state: Annotated[Path | None, typer.Option(help="Folder of Bongsu's own data; var/bongsu beside the file.")] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Ask no Prometheus.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing: take the flags, then what was found.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace the file; the old one is kept beside it.")] = False,
    test_mail: Annotated[
        bool | None, typer.Option("--test-mail/--no-test-mail", help="Write to the on-call; asked if not given.")
    ] = None,
) -> None:
    """Write a first bongsu.toml: asks five questions, or takes flags, and proposes what it finds.

    Examples: bongsu init

    bongsu init --yes --machine t3.small --on-call 'Kim Jimin <jimin@example.com>' --relay smtp.example.com:587
    """
    console = Console(highlight=False, soft_wrap=True)
    if out.exists() and not force:
        hint = "name another with --config, or replace it with --force, which keeps a copy"
        raise InvalidInput([f"{out} exists and is left as it is; {hint}"])
    if not out.absolute().parent.is_dir():
        raise InvalidInput([f"there is no folder {out.absolute().parent}; make it, or name another file with --config"])
    given = Given(
        prometheus=prometheus, job=job, service=service, profile=profile, machine=machine, on_call=on_call, team=team,
        upper_team=upper_team, relay=relay, mail_from=mail_from, mail_user=mail_user,
        mail_password_file=mail_password_file, public_url=public_url, locale=locale, time_zone=time_zone,
        state=(state or out.absolute().parent / "var" / "bongsu").absolute(), offline=offline,
    )  # fmt: skip
    setup, asker = interview(given, console, accept=yes)
    _write(out, setup, console)
    if asker.confirm(f"Send a test mail to {_addresses(setup)} now?", test_mail, otherwise=False):
        _try_mail(setup, console)
    elif test_mail is None and not asker.can_ask:
        console.print("No test mail was sent; with --test-mail it is.")
    console.print(_NEXT.format(file=escape(str(out))))


def _write(out: Path, setup: Setup, console: Console) -> None:
    """Write the file once the real loader has taken it; an old one is kept under a name of its own."""
    import tempfile

    from bongsu import config as configuration
    from bongsu.render.setup import toml

    text = toml(setup)
    with tempfile.TemporaryDirectory() as folder:
        draft = Path(folder) / "bongsu.toml"
        draft.write_text(text, encoding="utf-8")
        try:
            configuration.load(draft)
        except InvalidInput as error:
            raise InvalidInput([problem.removeprefix(f"{draft}: ") for problem in error.problems]) from None
    kept = _keep(out) if out.exists() else None
    out.write_text(text, encoding="utf-8")
    console.print(f"[green]ok[/green]    wrote {escape(str(out))}" + (f"; the old one is {kept}" if kept else ""))


def _keep(file: Path) -> Path:
    """Give the old file another name that nothing has yet."""
    number = 1
    while (kept := file.with_name(f"{file.name}.old{number if number > 1 else ''}")).exists():
        number += 1
    return file.rename(kept)


def _addresses(setup: Setup) -> str:
    return ", ".join(each.email for each in setup.on_call)


def _try_mail(setup: Setup, console: Console) -> None:
    """A mail to everybody on call, by the relay that was just named; what the relay says is shown."""
    from email.utils import make_msgid

    from bongsu.adapters.clock import SystemClock
    from bongsu.adapters.smtp import Smtp
    from bongsu.ports import Letter, Rejected, Retryable
    from bongsu.render.trial import trial_mail

    relay = Smtp(
        setup.relay.host, setup.relay.port, setup.sender, tls=setup.relay.tls, user=setup.user,
        password_file=Path(setup.password_file) if setup.password_file else None,
    )  # fmt: skip
    domain = setup.sender.rpartition("@")[2]
    for each in setup.on_call:
        at, identity = SystemClock().now(), make_msgid(domain=domain)
        body = trial_mail(
            each, service=setup.service, sender=setup.sender, locale=setup.locale, message_id=identity, at=at
        )
        try:
            answer = relay.send(Letter(each.email, body))
        except (Retryable, Rejected) as error:
            why = f"{each.email}: {error.answer}; mend [smtp] in the file, then: bongsu check"
            console.print(f"[yellow]warning[/yellow]  no test mail to {escape(why)}")
        else:
            console.print(f"[green]ok[/green]    test mail to {escape(each.email)}: {escape(answer)}")
    relay.close()
