"""``bongsu generate``: the same bytes each time, nobody's edits lost, and --check."""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

import pytest

from bongsu import config
from bongsu.cli import main
from bongsu.cli.generate import setup_of
from bongsu.generate.files import MANIFEST, unedited
from bongsu.generate.output import documents
from tests.generate.conftest import SHOP

RULES = "prometheus/rules/bongsu.yml"
DASHBOARD = "grafana/dashboards/service-in-trouble.json"
API = """
[service.api]
job = "api"
machine = "ec2:t3.medium"
policy = "burst"
targets = ["api-1:80"]

[service.api.signals]
balance = "b"
throttled = "t"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "bongsu.toml").write_text(SHOP)
    return tmp_path


def run(monkeypatch: pytest.MonkeyPatch, folder: Path, *options: str) -> int:
    """The command's exit code."""
    where = ["--config", str(folder / "bongsu.toml"), "--out", str(folder / "out")]
    monkeypatch.setattr(sys, "argv", ["bongsu", "generate", *where, *options])
    try:
        main.main()
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


def contents(folder: Path) -> dict[str, bytes]:
    return {str(each.relative_to(folder)): each.read_bytes() for each in folder.rglob("*") if each.is_file()}


def test_a_second_run_changes_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(monkeypatch, folder) == 0
    first = contents(folder / "out")
    assert len(first) == 10, sorted(first)
    assert run(monkeypatch, folder, "--check") == 0
    assert run(monkeypatch, folder) == 0
    assert contents(folder / "out") == first


@pytest.mark.parametrize("seed", range(5))
def test_the_order_of_the_configuration_does_not_matter(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)

    def made(text: str) -> list[str]:
        (tmp_path / "bongsu.toml").write_text(text)
        return [each.text for each in documents(setup_of(config.load(tmp_path / "bongsu.toml")), mails=False)[0]]

    other = SHOP.replace("[policy.burst]", f"{API}\n[policy.burst]", 1)
    sections = ["[" + each for each in f"\n{other}".split("\n[")[1:]]
    chance.shuffle(sections)
    shuffled = "\n".join(sections)
    shuffled = shuffled.replace('balance = "b"\nthrottled = "t"', 'throttled = "t"\nbalance = "b"')
    assert made(shuffled) == made(other)


def test_each_file_carries_its_own_hash(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(monkeypatch, folder)
    for name, held in contents(folder / "out").items():
        if name.endswith((".yml", ".yaml")):
            text = held.decode()
            assert unedited(text), name
            assert not unedited(text.replace("5s", "6s") if "5s" in text else text + "x"), name
            assert not unedited(text + "# a remark\n"), "remarks count, too"


@pytest.mark.parametrize("name", [RULES, DASHBOARD])
def test_an_edited_file_is_left_alone(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    run(monkeypatch, folder)
    file, beside = folder / "out" / name, folder / "out" / f"{name}.new"
    written = file.read_text()
    file.write_text(written + "\n")
    for _ in range(2):  # a second run still knows that it was edited
        assert run(monkeypatch, folder) == 1
        assert file.read_text() == written + "\n"
        assert beside.read_text() == written
        assert f"{name}: edited by hand" in capsys.readouterr().err
    assert run(monkeypatch, folder, "--check") == 1
    assert run(monkeypatch, folder, "--force") == 0
    assert file.read_text() == written
    assert not beside.exists(), "what is not needed any more goes"
    assert run(monkeypatch, folder, "--check") == 0


def test_other_files_are_written_beside_an_edited_one(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(monkeypatch, folder)
    rules, server = folder / "out" / RULES, folder / "out/prometheus/prometheus.yml"
    rules.write_text("groups: []\n")
    (folder / "bongsu.toml").write_text(SHOP.replace("[prometheus]", '[prometheus]\nscrape = "PT10S"'))
    assert run(monkeypatch, folder) == 1
    assert rules.read_text() == "groups: []\n"
    assert "10s" in server.read_text()


def test_a_file_of_somebody_elses_is_not_overwritten(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = folder / "out" / DASHBOARD
    mine.parent.mkdir(parents=True)
    mine.write_text("{}")
    assert run(monkeypatch, folder) == 1
    assert mine.read_text() == "{}"
    assert DASHBOARD not in json.loads((folder / "out" / MANIFEST).read_text())


def test_check_writes_nothing_and_shows_what_would_change(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, folder, "--check") == 1
    assert not (folder / "out").exists()
    run(monkeypatch, folder)
    before = contents(folder / "out")
    (folder / "bongsu.toml").write_text(SHOP.replace("PT5M", "PT6M"))
    capsys.readouterr()
    assert run(monkeypatch, folder, "--check") == 1
    shown = capsys.readouterr().out
    assert '-        expr: bongsu:breach_seconds{bongsu_service="shop"} >= 300' in shown
    assert '+        expr: bongsu:breach_seconds{bongsu_service="shop"} >= 360' in shown
    assert contents(folder / "out") == before


def test_json_says_the_same(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(monkeypatch, folder, "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert {each["state"] for each in said["files"]} == {"new"}
    assert any("estimated" in notice for notice in said["notices"])
    assert run(monkeypatch, folder, "--check", "--json") == 0
    assert {each["state"] for each in json.loads(capsys.readouterr().out)["files"]} == {"same"}


def test_grafana_mails_opens_the_gate(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alerting = folder / "out/grafana/provisioning/alerting/bongsu.yaml"
    run(monkeypatch, folder)
    gated = alerting.read_text().count("and on ()\n")
    run(monkeypatch, folder, "--grafana-mails")
    always = alerting.read_text()
    assert gated > 10
    assert always.count("and on ()\n") == 0
    assert "The rules mail always." in always
    (folder / "bongsu.toml").write_text(SHOP + "mails = true\n")
    assert run(monkeypatch, folder, "--check") == 0, "the same as [grafana] mails = true"


@pytest.mark.parametrize("locale", ["en", "ko"])
def test_the_dashboards_are_those_of_the_language(folder: Path, monkeypatch: pytest.MonkeyPatch, locale: str) -> None:
    (folder / "bongsu.toml").write_text(SHOP + f'locale = "{locale}"\n')
    run(monkeypatch, folder)
    held = (folder / "out" / DASHBOARD).read_text()
    assert any("가" <= letter <= "힣" for letter in held) == (locale == "ko")


def test_a_bad_place_and_a_bad_configuration_are_a_sentence_each(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "out").write_text("")
    assert run(monkeypatch, folder) == 2
    assert "name a folder with --out" in capsys.readouterr().err
    (folder / "bongsu.toml").write_text("")
    assert run(monkeypatch, folder) == 2
    assert "add a [service.NAME]" in capsys.readouterr().err
