"""Where commands look for the server and its token when nobody says it."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from bongsu.cli.server import LOCAL, TOKEN, Server, Token

app = typer.Typer()


@app.command()
def ask(server: Server = LOCAL, token_file: Token = TOKEN) -> None:
    typer.echo(f"{server} {token_file}")


def asked(*given: str) -> str:
    return CliRunner().invoke(app, given).output.strip()


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("BONGSU_CONFIG", "BONGSU_SERVER", "BONGSU_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("there", [None, "", "[web", "web = 7", "[service.shop]\n", "[web]\nanonymous = 'viewer'\n"])
def test_without_a_word_in_the_configuration_it_is_this_computer(there: str | None) -> None:
    if there is not None:
        Path("bongsu.toml").write_text(there)
    assert asked() == f"{LOCAL} {TOKEN}"


@pytest.mark.parametrize(
    ("web", "server"),
    [
        ("port = 8091", "http://127.0.0.1:8091"),
        ("host = '0.0.0.0'", "http://127.0.0.1:8080"),
        ("host = '::'\nport = 9000", "http://[::1]:9000"),
        ("host = '10.0.0.7'\nport = 9000", "http://10.0.0.7:9000"),
    ],
)
def test_the_configuration_that_lies_here_says_where(web: str, server: str) -> None:
    Path("bongsu.toml").write_text(f"[web]\n{web}\nsecrets = '/etc/bongsu'\n")
    assert asked() == f"{server} /etc/bongsu/api_token"


def test_what_is_given_counts_more(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("here.toml").write_text("[web]\nport = 8091\nsecrets = 'there'\n")
    monkeypatch.setenv("BONGSU_CONFIG", "here.toml")
    assert asked() == "http://127.0.0.1:8091 there/api_token"
    assert asked("--server", LOCAL, "--token-file", str(TOKEN)) == f"{LOCAL} {TOKEN}"
    monkeypatch.setenv("BONGSU_SERVER", "https://bongsu.example.com")
    assert asked() == "https://bongsu.example.com there/api_token"
