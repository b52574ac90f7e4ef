"""Just enough of Dockerfile to replay our own: what is not known here is an error, never skipped."""

from __future__ import annotations

import fnmatch
import json
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

KNOWN = {"RUN", "COPY", "ENV", "WORKDIR", "USER", "EXPOSE", "CMD"}


@dataclass(frozen=True, slots=True)
class Step:
    """One instruction: its word, its text with continuation lines joined, the line that it begins on."""

    word: str
    text: str
    line: int


@dataclass(frozen=True, slots=True)
class Stage:
    """``base`` is an earlier stage's name or an image."""

    name: str
    base: str
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Copy:
    """A COPY: from which stage (None: the context), what, and where to."""

    stage: str | None
    sources: tuple[str, ...]
    target: str


def parse(text: str) -> tuple[Stage, ...]:
    """The stages of a Dockerfile. Raises ValueError with the line of what is not understood."""
    stages: list[Stage] = []
    for step in _steps(text):
        if step.word == "FROM":
            words = step.text.split()
            named = len(words) == 3 and words[1].upper() == "AS"
            if len(words) != 1 and not named:
                raise ValueError(f"line {step.line}: FROM {step.text}: write FROM image or FROM image AS name")
            stages.append(Stage(words[2] if named else str(len(stages)), words[0], ()))
        elif not stages:
            raise ValueError(f"line {step.line}: {step.word} before the first FROM")
        elif step.word not in KNOWN:
            raise ValueError(f"line {step.line}: {step.word} cannot be replayed; known: {', '.join(sorted(KNOWN))}")
        else:
            last = stages[-1]
            stages[-1] = Stage(last.name, last.base, (*last.steps, step))
    return tuple(stages)


def _steps(text: str) -> Iterator[Step]:
    joined, began = "", 0
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        began = began or number
        joined += line[:-1] if line.endswith("\\") else line
        if not line.endswith("\\"):
            word, _, rest = joined.partition(" ")
            yield Step(word.upper(), rest.strip(), began)
            joined, began = "", 0
    if joined:
        raise ValueError(f"line {began}: the last line ends in a backslash")


def copy_of(step: Step) -> Copy:
    """What a COPY says."""
    words = shlex.split(step.text)
    stage = None
    while words and words[0].startswith("--"):
        option, _, value = words.pop(0).partition("=")
        if option != "--from":
            raise ValueError(f"line {step.line}: COPY {option} cannot be replayed")
        stage = value
    if len(words) < 2:
        raise ValueError(f"line {step.line}: COPY needs a source and a target")
    return Copy(stage, tuple(words[:-1]), words[-1])


def environment(step: Step) -> dict[str, str]:
    """What an ENV sets."""
    return dict(pair.split("=", 1) for pair in shlex.split(step.text))


def command(step: Step) -> list[str]:
    """A CMD, which must be a JSON list: a shell around it would take its signals."""
    words = json.loads(step.text)
    if not isinstance(words, list):
        raise ValueError(f"line {step.line}: CMD must be a JSON list")
    return [str(word) for word in words]


class Ignore:
    """A .dockerignore: the last pattern that fits a path, or a folder above it, decides."""

    def __init__(self, text: str) -> None:
        lines = [line.strip() for line in text.splitlines()]
        self._rules = [(line.lstrip("!"), not line.startswith("!")) for line in lines if line and line[0] != "#"]

    def leaves_out(self, path: str) -> bool:
        """Whether a file (relative to the context) stays outside of the image."""
        parts = PurePosixPath(path).parts
        heads = ["/".join(parts[:count]) for count in range(1, len(parts) + 1)]
        out = False
        for pattern, leave in self._rules:
            if any(_fits(head, pattern) for head in heads):
                out = leave
        return out

    def files(self, root: Path) -> Iterator[str]:
        """Every file of the context, as Docker would send it."""
        tops = {pattern.split("/")[0] for pattern, leave in self._rules if not leave}
        for top in sorted(tops):
            start = root / top
            found = [start] if start.is_file() else sorted(start.rglob("*"))
            for file in found:
                name = file.relative_to(root).as_posix()
                if file.is_file() and not self.leaves_out(name):
                    yield name


def _fits(path: str, pattern: str) -> bool:
    if pattern.startswith("**/"):
        return fnmatch.fnmatchcase(PurePosixPath(path).name, pattern[3:])
    ours, theirs = path.split("/"), pattern.split("/")
    return len(ours) == len(theirs) and all(map(fnmatch.fnmatchcase, ours, theirs))
