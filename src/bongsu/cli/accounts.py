"""``bongsu user``, ``bongsu token``, ``bongsu audit``: who may use the console and the API, in place."""

from __future__ import annotations

import getpass
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from bongsu import config as configuration
from bongsu.cli.serve import ConfigOption
from bongsu.cli.server import Json, print_json
from bongsu.cli.tables import table
from bongsu.core.errors import BongsuError, InvalidInput

if TYPE_CHECKING:
    from bongsu.store.database import Database

users = typer.Typer(help="Who can log in.", no_args_is_help=True)
tokens = typer.Typer(help="Which programs may use the API.", no_args_is_help=True)
CONFIG = Path("bongsu.toml")
Role = Annotated[str, typer.Option(help="viewer, responder or admin.")]
PasswordFile = Annotated[
    Path | None, typer.Option("--password-file", help="A file that holds the password; - reads it from stdin.")
]


@contextmanager
def _opened(config: Path) -> Iterator[tuple[Database, datetime, configuration.Config]]:
    from bongsu.adapters.clock import SystemClock
    from bongsu.store.database import Database
    from bongsu.store.migrate import migrate

    loaded = configuration.load(config)
    db = Database(loaded.store.url)
    try:
        migrate(db)
        yield db, SystemClock().now(), loaded
    finally:
        db.close()


def _password(file: Path | None, name: str) -> str:
    """From a file, from stdin, or asked twice. Raises InvalidInput."""
    if file is not None:
        try:
            text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidInput([f"--password-file: {file} cannot be read ({error})"]) from None
        return text.removesuffix("\n")
    if not sys.stdin.isatty():
        raise InvalidInput(["there is no terminal to ask for the password; give --password-file FILE, or - for stdin"])
    return str(typer.prompt(f"Password of {name}", hide_input=True, confirmation_prompt=True))


@users.command("add")
def add_user(
    name: str, role: Role = "responder", password_file: PasswordFile = None, config: ConfigOption = CONFIG
) -> None:
    """Let somebody in. A name of [person.NAME] acts in that person's name.

    Example: bongsu user add jimin --role responder
    """
    from bongsu.engine import accounts, audit

    with _opened(config) as (db, now, _), audit.acting(getpass.getuser(), "add_user", name, now, role=role):
        accounts.add_user(db, name, role, _password(password_file, name), now)
    Console().print(f"[green]ok[/green]    {escape(name)} can log in", highlight=False)


@users.command("list")
def list_users(config: ConfigOption = CONFIG, as_json: Json = False) -> None:
    """Who can log in.

    Example: bongsu user list --json
    """
    from bongsu.store import accounts

    with _opened(config) as (db, _, _):
        found = db.read(accounts.every_user)
    rows = [{"name": each.name, "role": each.role.value, "since": each.made_at.isoformat()} for each in found]
    _show(rows, ("name", "role", "since"), as_json, "Nobody can log in yet: bongsu user setup-link")


@users.command("passwd")
def change_password(name: str, password_file: PasswordFile = None, config: ConfigOption = CONFIG) -> None:
    """Give somebody another password; every session of theirs ends.

    Example: bongsu user passwd jimin
    """
    from bongsu.engine import accounts, audit

    with _opened(config) as (db, now, _), audit.acting(getpass.getuser(), "change_password", name, now):
        accounts.change_password(db, name, _password(password_file, name), now)
    Console().print("[green]ok[/green]    every session has ended; log in with the new one")


@users.command("remove")
def remove_user(name: str, config: ConfigOption = CONFIG) -> None:
    """Let somebody in no more.

    Example: bongsu user remove jimin
    """
    from bongsu.engine import accounts, audit

    with _opened(config) as (db, now, _), audit.acting(getpass.getuser(), "remove_user", name, now):
        accounts.remove_user(db, name)
    Console().print(f"[green]ok[/green]    {escape(name)} is removed", highlight=False)


@users.command("setup-link")
def setup_link(config: ConfigOption = CONFIG) -> None:
    """Print a link with which the first admin is made; good once, for a day.

    Example: bongsu user setup-link
    """
    from bongsu.engine import accounts

    with _opened(config) as (db, now, loaded):
        link = accounts.setup_link(db, public_url_of(loaded), now)
    if link is None:
        raise BongsuError("there is an admin already; bongsu user passwd NAME gives a new password")
    print(link)  # noqa: T201 - this is the command's output


@tokens.command("new")
def new_token(name: str, role: Role = "responder", config: ConfigOption = CONFIG, as_json: Json = False) -> None:
    """Make a token for a program and print it, this once.

    Example: bongsu token new "deploy pipeline" --role responder > token
    """
    from bongsu.engine import accounts, audit

    by = getpass.getuser()
    with _opened(config) as (db, now, _), audit.acting(by, "new_token", "", now, name=name, role=role):
        made, secret = accounts.new_token(db, name, role, by, now)
    shown = {"id": made.id, "name": made.name, "role": made.role.value, "secret": secret}
    print(json.dumps(shown, ensure_ascii=False) if as_json else secret)  # noqa: T201 - this is the command's output


@tokens.command("list")
def list_tokens(config: ConfigOption = CONFIG, as_json: Json = False) -> None:
    """Every token, when it was last used, and whether it was revoked.

    Example: bongsu token list --json
    """
    from bongsu.store import accounts

    with _opened(config) as (db, _, _):
        found = db.read(accounts.every_token)
    rows: list[dict[str, Any]] = [
        {
            "id": each.id, "name": each.name, "role": each.role.value, "made_by": each.made_by,
            "made_at": each.made_at.isoformat(),
            "used_at": each.used_at.isoformat() if each.used_at else None,
            "revoked_at": each.revoked_at.isoformat() if each.revoked_at else None,
        }
        for each in found
    ]  # fmt: skip
    columns = ("id", "name", "role", "made_by", "made_at", "used_at", "revoked_at")
    _show(rows, columns, as_json, 'There is no token yet: bongsu token new "who uses it"')


@tokens.command("revoke")
def revoke_token(token_id: str, config: ConfigOption = CONFIG) -> None:
    """A token opens nothing from now on.

    Example: bongsu token revoke 1f3a90c2
    """
    from bongsu.engine import accounts, audit

    with _opened(config) as (db, now, _), audit.acting(getpass.getuser(), "revoke_token", token_id, now):
        revoked = accounts.revoke_token(db, token_id, now)
    Console().print(f"[green]ok[/green]    the token of {escape(revoked.name)} opens nothing now", highlight=False)


def audit(
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="Lines at the most.")] = 100,
    who: Annotated[str | None, typer.Option(help="Only what this user or token did.")] = None,
    about: Annotated[str | None, typer.Option(help="Only what concerned this incident, user, token ...")] = None,
    config: ConfigOption = CONFIG,
    as_json: Json = False,
) -> None:
    """Who changed what, when, from where; the newest first.

    Example: bongsu audit --who jimin --json
    """
    from bongsu.store import audit as log

    with _opened(config) as (db, _, _):
        found = db.read(lambda tx: log.newest(tx, limit, who=who, about=about))
    rows = [
        {
            "at": each.at.isoformat(timespec="seconds"), "who": each.who, "via": each.via.value,
            "address": each.address, "what": each.what, "about": each.about, "facts": dict(each.facts),
        }
        for each in found
    ]  # fmt: skip
    _show(rows, ("at", "who", "via", "address", "what", "about", "facts"), as_json, "Nothing was changed yet.")


def public_url_of(config: configuration.Config) -> str:
    """What links begin with."""
    return (config.web.public_url or f"http://{config.web.host}:{config.web.port}").rstrip("/")


def _show(rows: list[dict[str, Any]], columns: tuple[str, ...], as_json: bool, nothing: str) -> None:
    if as_json:
        print_json(rows)
        return
    shown = table(*columns)
    for row in rows:
        shown.add_row(*(escape(_cell(row[key])) for key in columns))
    Console().print(shown if rows else nothing)


def _cell(value: object) -> str:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else str(value or "")
