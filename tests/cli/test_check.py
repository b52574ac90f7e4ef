"""What ``bongsu check`` says before anything is wrong: warnings are shown and do not fail, faults do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from bongsu.cli.main import app
from bongsu.core.errors import InvalidInput
from tests.cli.conftest import Inbox
from tests.test_config import GOOD

WEB = '[web]\npublic_url = "https://bongsu.example.com"\n'


def written(folder: Path, prometheus: str, relay: str, more: str = "", scrape: str = "PT1S") -> Path:
    file = folder / "bongsu.toml"
    text = GOOD.replace('balancer = { kind = "haproxy", socket = "/run/haproxy.sock", backend = "shop" }\n', more)
    host, _, port = relay.partition(":")
    text += f'[prometheus]\nurl = "{prometheus}"\nscrape = "{scrape}"\n[smtp]\nhost = "{host}"\nport = {port}\n'
    file.write_text(text)
    return file


def checked(file: Path, *more: str) -> tuple[int, dict[str, list[str]]]:
    """Exit code, and what is said, by level."""
    result = CliRunner().invoke(app, ["check", "--config", str(file), "--json", *more])
    told: dict[str, Any] = json.loads(result.stdout)
    assert told["ok"] == (result.exit_code == 0)
    said: dict[str, list[str]] = {"ok": [], "warning": [], "error": []}
    for each in told["findings"]:
        said[each["level"]].append(f"{each['where']}: {each['what']}; {each['do']}")
    return result.exit_code, said


def test_a_watcher_on_a_machine_that_it_watches_is_warned_of(tmp_path: Path, prometheus: str, inbox: Inbox) -> None:
    code, said = checked(written(tmp_path, prometheus, inbox.relay, WEB))
    assert code == 0, "a warning does not fail"
    assert any("Bongsu runs on a machine that it watches" in each for each in said["warning"])
    assert any("Prometheus runs on a machine that it watches" in each for each in said["warning"])
    assert any("service shop: 1 of 2 targets answer" in each for each in said["ok"])
    assert any("mail relay: 250" in each for each in said["ok"])


def test_a_lab_is_exempt_and_says_so(tmp_path: Path, prometheus: str, inbox: Inbox) -> None:
    lab = 'machines = { kind = "lab", url = "http://127.0.0.1:1" }\n'
    code, said = checked(written(tmp_path, prometheus, inbox.relay, lab))
    assert code == 0
    assert not any("runs on a machine" in each for each in said["warning"])
    assert any("a lab" in each and "is meant" in each for each in said["ok"])


def test_nobody_who_notices_that_bongsu_stops_is_warned_of(tmp_path: Path, prometheus: str, inbox: Inbox) -> None:
    _, said = checked(written(tmp_path, prometheus, inbox.relay))
    (warning,) = [each for each in said["warning"] if each.startswith("heartbeat")]
    assert "nobody outside notices" in warning
    assert "bongsu generate" in warning
    file = written(tmp_path, prometheus, inbox.relay)
    file.write_text(file.read_text() + '[heartbeat_out]\nurl_file = "/etc/bongsu/heartbeat_url"\n')
    assert any(each.startswith("heartbeat: Bongsu sends one") for each in checked(file)[1]["ok"])


def test_links_that_work_on_this_computer_alone_are_warned_of(tmp_path: Path, prometheus: str, inbox: Inbox) -> None:
    _, said = checked(written(tmp_path, prometheus, inbox.relay))
    assert any("127.0.0.1: they work on this computer alone" in each for each in said["warning"])
    good = written(tmp_path, prometheus, inbox.relay)
    good.write_text(good.read_text() + WEB)
    assert not any("public_url" in each for each in checked(good)[1]["warning"])


def test_scrapes_that_are_rarer_than_configured(tmp_path: Path, prometheus: str, inbox: Inbox) -> None:
    _, said = checked(written(tmp_path, prometheus, inbox.relay, scrape="PT0.5S"))
    assert any("scraped every 1s, but [prometheus] scrape says 0.5s" in each for each in said["warning"])
    assert not any(
        "scraped every" in each for each in checked(written(tmp_path, prometheus, inbox.relay))[1]["warning"]
    )


def test_faults_fail_and_come_with_the_warnings(tmp_path: Path, prometheus: str) -> None:
    file = written(tmp_path, "http://127.0.0.1:1", "127.0.0.1:1")
    code, said = checked(file)
    assert code == 2
    assert any(each.startswith("prometheus.url") for each in said["error"])
    assert any(each.startswith("smtp") for each in said["error"])
    assert said["warning"]
    assert checked(file, "--offline")[0] == 0
    result = CliRunner().invoke(app, ["check", "--config", str(file)])
    assert isinstance(result.exception, InvalidInput)
    assert "warning" in result.output, "what is not so bad is shown all the same"


def test_a_file_that_cannot_be_read_is_json_too(tmp_path: Path) -> None:
    (tmp_path / "bongsu.toml").write_text("[service.shop]\n")
    code, said = checked(tmp_path / "bongsu.toml")
    assert code == 2
    assert len(said["error"]) == 2, "machine and policy are missing"


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("지민@example.com", "has letters before the @ that many mail servers refuse"),
        ("jimin@회사.kr", "write the domain in its ASCII form: jimin@xn--vf4b131b.kr"),
        ("jimin@exa mple.com", "is not an address"),
        ("jimin..kim@example.com", "'jimin..kim' cannot stand before the @"),
        ("jimin@-example.com", "'-example.com' is no name of a host"),
        ("@example.com", "is not an address"),
        ("jimin@a@b", "is not an address"),
    ],
)
def test_an_address_that_mail_cannot_reach_is_refused(tmp_path: Path, address: str, expected: str) -> None:
    file = tmp_path / "bongsu.toml"
    file.write_text(GOOD.replace("jimin@example.com", address))
    _, said = checked(file, "--offline")
    assert any(f"person.jimin.contact: {address!r}" in each and expected in each for each in said["error"]), said
    file.write_text(GOOD + f'[smtp]\nfrom = "{address}"\n')
    assert any("smtp.from" in each for each in checked(file, "--offline")[1]["error"])


@pytest.mark.parametrize(
    "address", ["o'brien+shop@mail.example.com", "root@localhost", "a@xn--vf4b131b.kr", "a@[192.0.2.1]"]
)
def test_an_unusual_address_is_taken(tmp_path: Path, address: str) -> None:
    file = tmp_path / "bongsu.toml"
    file.write_text(GOOD.replace("jimin@example.com", address) + f'[smtp]\nfrom = "Bongsu <{address}>"\n')
    assert checked(file, "--offline")[0] == 0
