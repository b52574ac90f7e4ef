"""The Dockerfiles and .dockerignore: what can be known of them without building; `make replay-images` builds them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tools.replay.dockerfile import Ignore, command, copy_of, environment, parse
from tools.replay.network import answer

PROJECT = Path(__file__).resolve().parents[2]
DOCKERFILES = sorted((PROJECT / "deploy").glob("*.Dockerfile"))
SENT = sorted(Ignore((PROJECT / ".dockerignore").read_text(encoding="utf-8")).files(PROJECT))


def test_there_are_two_images() -> None:
    assert [file.stem for file in DOCKERFILES] == ["bongsu", "shop"]


@pytest.mark.parametrize("file", DOCKERFILES, ids=lambda file: file.stem)
def test_an_image_is_built_in_stages_from_a_pinned_base_and_runs_without_rights(file: Path) -> None:
    stages = parse(file.read_text(encoding="utf-8"))
    assert [stage.name for stage in stages[:-1]] == ["base", "build"]
    assert stages[0].base == "debian:12.15-slim"
    assert stages[-1].base == "base"  # neither pip nor uv nor sources are in what is shipped
    last = stages[-1].steps
    users = [step.text for step in last if step.word == "USER"]
    assert len(users) == 1
    assert users[0] != "root"
    created = next(step.text for step in last if "useradd" in step.text)
    assert f"--uid 10001 " in created  # noqa: F541 - the number that secrets.sh relies on in both
    assert [step.word for step in last][-1] == "CMD"
    assert command(last[-1])


@pytest.mark.parametrize("file", DOCKERFILES, ids=lambda file: file.stem)
def test_everything_that_is_copied_gets_past_dockerignore(file: Path) -> None:
    for stage in parse(file.read_text(encoding="utf-8")):
        for step in stage.steps:
            if step.word != "COPY":
                continue
            copy = copy_of(step)
            for source in copy.sources if copy.stage is None else ():
                assert any(each == source or each.startswith(f"{source}/") for each in SENT), source


def test_nothing_private_is_sent_to_the_builder() -> None:
    tops = {name.split("/")[0] for name in SENT}
    assert tops == {
        "LICENSE",
        "README.md",
        "bin",
        "deploy",
        "instrument",
        "pyproject.toml",
        "requirements.lock",
        "shop",
        "src",
    }
    assert not [name for name in SENT if "/.venv/" in name or "__pycache__" in name or "/tests/" in name]
    asked = ["git", "check-ignore", "--stdin"]
    told = subprocess.run(asked, cwd=PROJECT, input="\n".join(SENT), capture_output=True, text=True, check=False)
    assert told.returncode == 1, told.stdout  # 1: git ignores none of them


def test_a_dockerfile_is_read_as_docker_reads_it() -> None:
    text = "FROM a AS one\n# no\nRUN x \\\n # in between\n && y\nENV A=1 B='2 3'\nFROM one\nCOPY --from=one /a b /c/\n"
    first, second = parse(text)
    assert [(step.word, step.text, step.line) for step in first.steps] == [
        ("RUN", "x && y", 3), ("ENV", "A=1 B='2 3'", 6),
    ]  # fmt: skip
    assert environment(first.steps[1]) == {"A": "1", "B": "2 3"}
    copy = copy_of(second.steps[0])
    assert (second.base, copy.stage, copy.sources, copy.target) == ("one", "one", ("/a", "b"), "/c/")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("FROM a\nVOLUME /x\n", "line 2: VOLUME cannot be replayed"),
        ("RUN x\n", "line 1: RUN before the first FROM"),
        ("FROM a AS b c\n", "line 1: FROM a AS b c"),
        ("FROM a\nRUN x \\\n", "line 2: the last line ends in a backslash"),
    ],
)
def test_what_cannot_be_replayed_is_said_with_its_line(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        parse(text)


def test_the_last_pattern_of_dockerignore_decides() -> None:
    ignore = Ignore("*\n!src\n# no\n**/*.mo\n!src/keep.mo\n")
    assert ignore.leaves_out("secrets")
    assert ignore.leaves_out("src/a/b.mo")
    assert not ignore.leaves_out("src/a/b.py")
    assert not ignore.leaves_out("src/keep.mo")


def test_the_replay_knows_the_names_that_docker_would_know() -> None:
    query = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x06shop-1\x00\x00\x01\x00\x01"
    told = answer(query, {"shop-1": "10.77.0.9"})
    assert told[:4] == b"\x12\x34\x81\x80"
    assert told[-4:] == bytes([10, 77, 0, 9])
    assert answer(query, {})[2:4] == b"\x81\x83"  # there is no such name
