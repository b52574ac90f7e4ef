"""What docs/install.md tells people to type, and the systemd unit it tells them to use."""

from __future__ import annotations

import itertools
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_command

from bongsu.cli.main import app

ROOT = Path(__file__).parents[2]
DOC = (ROOT / "docs" / "install.md").read_text(encoding="utf-8")
UNIT = ROOT / "deploy" / "bongsu.service"


def commands() -> list[str]:
    """Every call of bongsu in a code block, with its arguments."""
    blocks = re.findall(r"^```\w*\n(.*?)^```", DOC, re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    found = [re.search(r"(?:^|\s|/)bongsu ((?:init|check|serve|backup|restore)\b.*)", line) for line in lines]
    return [each[1] for each in found if each]


def test_there_is_something_to_type() -> None:
    assert {each.split()[0] for each in commands()} == {"init", "check", "backup", "restore"}


@pytest.mark.parametrize("line", commands())
def test_every_command_of_the_page_is_one(line: str) -> None:
    name, *rest = shlex.split(line)
    arguments = list(itertools.takewhile(lambda each: each != "&&" and not each.startswith(">"), rest))
    command = get_command(app).commands[name]  # type: ignore[attr-defined]
    command.make_context(name, arguments)


def test_the_unit_is_one_that_systemd_takes(tmp_path: Path) -> None:
    verify = shutil.which("systemd-analyze")
    if verify is None:
        pytest.skip("there is no systemd-analyze here: the unit was not verified")
    # the program that it starts is the one of these tests, for there is none at /opt/bongsu
    ours = Path(sys.executable).with_name("bongsu")
    text = UNIT.read_text(encoding="utf-8")
    assert "/opt/bongsu/bin/bongsu serve" in text
    (tmp_path / "bongsu.service").write_text(text.replace("/opt/bongsu/bin/bongsu", str(ours)))
    asked = [verify, "verify", str(tmp_path / "bongsu.service")]
    done = subprocess.run(asked, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_unit_and_the_page_name_the_same_places() -> None:
    text = UNIT.read_text(encoding="utf-8")
    for place in ("/opt/bongsu/bin/", "/etc/bongsu/bongsu.toml", "/var/lib/bongsu"):
        assert place in text
        assert place in DOC
