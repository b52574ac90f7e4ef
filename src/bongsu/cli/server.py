"""What commands share that ask a running server: where it is, the token, and JSON for an answer.

Where nothing is said, the configuration file that lies here tells both, as it tells the server.
"""

from __future__ import annotations

import json
import os
import tomllib
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import typer

from bongsu.client import Client

LOCAL = "http://127.0.0.1:8080"
TOKEN = Path("var/bongsu/secrets/api_token")
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - where it listens, not we


def _configured(ctx: typer.Context, param: typer.CallbackParam) -> dict[str, Any]:
    """The section [web] of the configuration file, for an option that was not given; empty where there is none."""
    source = ctx.get_parameter_source(param.name or "")
    if source is None or source.name != "DEFAULT":
        return {}
    with suppress(OSError, ValueError):
        found = tomllib.loads(Path(os.environ.get("BONGSU_CONFIG", "bongsu.toml")).read_text(encoding="utf-8"))
        if isinstance(web := found.get("web"), dict):
            return web
    return {}


def _server(ctx: typer.Context, param: typer.CallbackParam, said: str) -> str:
    web = _configured(ctx, param)
    if not {"host", "port"} & web.keys():
        return said
    host = str(web.get("host", "127.0.0.1"))
    host = _EVERYWHERE.get(host, host)
    return f"http://{f'[{host}]' if ':' in host else host}:{web.get('port', 8080)}"


def _token_file(ctx: typer.Context, param: typer.CallbackParam, said: Path) -> Path:
    web = _configured(ctx, param)
    return Path(str(web["secrets"]), TOKEN.name) if "secrets" in web else said


Server = Annotated[
    str,
    typer.Option(
        "--server",
        envvar="BONGSU_SERVER",
        help="The server's address.",
        callback=_server,
        show_default=f"as bongsu.toml says, else {LOCAL}",
    ),
]
Token = Annotated[
    Path,
    typer.Option(
        "--token-file",
        envvar="BONGSU_TOKEN_FILE",
        help="The file api_token of the server's secrets.",
        callback=_token_file,
        show_default=f"as bongsu.toml says, else {TOKEN}",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="JSON instead of a table.")]


def client(server: str, token_file: Path, timeout: float = 10.0) -> Client:
    """A client that knows the token if its file can be read; without it the server says what is missing."""
    try:
        token = token_file.read_text(encoding="utf-8").strip()
    except OSError:
        token = ""
    return Client(server, token, timeout)


def token_of(token_file: Path) -> str:
    """The API token. Raises BadParameter."""
    try:
        return token_file.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise typer.BadParameter(f"{token_file}: {error.strerror}; name the file with --token-file") from None


def print_json(value: Any) -> None:
    """JSON for people and programs."""
    print(json.dumps(value, ensure_ascii=False, indent=2))  # noqa: T201 - this is the command's output
