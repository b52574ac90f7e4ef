"""Files on disk that a person may have edited: each is known by a hash, and none is overwritten silently.

A YAML file carries the hash in its header. A dashboard is JSON and has no place for it: the hashes of those are in
``.bongsu-generated.json`` beside them all. A file whose hash does not fit was edited: it stays, and what would have
been written goes to ``FILE.new``, whose ending neither Prometheus nor Grafana reads.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import yaml

from bongsu.core.errors import BongsuError, InvalidInput

MANIFEST = ".bongsu-generated.json"
_SEAL = "# sha256 of all other lines: "
_CLOCK = re.compile(r"\d+:\d+")
_FIRST = "# Written by `bongsu generate`. Change bongsu.toml and generate again; an edited file is left alone."


class State(StrEnum):
    """How a file stands against what would be written."""

    NEW = "new"
    SAME = "same"
    CHANGED = "changed"
    EDITED = "edited"


@dataclass(frozen=True, slots=True)
class Document:
    """A file to write. ``name`` is its path below the output folder; ``sealed`` ones carry their own hash."""

    name: str
    text: str
    sealed: bool = True


@dataclass(frozen=True, slots=True)
class Comparison:
    """A document beside what is there now (empty when there is nothing)."""

    document: Document
    state: State
    before: str = ""

    def diff(self) -> list[str]:
        """A unified diff; empty when nothing would change."""
        name = self.document.name
        lines = self.before.splitlines(), self.document.text.splitlines()
        return list(difflib.unified_diff(*lines, f"{name} (now)", f"{name} (generated)", lineterm=""))

    def counts(self) -> tuple[int, int]:
        """Lines that would be added and removed."""
        changed = [line[0] for line in self.diff()[2:] if line[0] in "+-"]
        return changed.count("+"), changed.count("-")


class _Dumper(yaml.SafeDumper):
    """Blocks, lists indented below their key, and several lines as several lines."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002 - their signature
        super().increase_indent(flow, False)

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - their signature
        return True


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    # some readers take 00:00 for a number, and which do depends on their age
    style = "|" if "\n" in value else "'" if _CLOCK.fullmatch(value) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)


def document(name: str, about: Iterable[str], data: Any) -> Document:
    """A YAML file: a header that says what it is, its hash, and ``data`` in the order that it is given in."""
    head = "".join(f"# {line}".rstrip() + "\n" for line in about)
    body = yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=10_000)
    text = f"{_FIRST}\n{head}{body}"
    return Document(name, text.replace("\n", f"\n{_SEAL}{_hash(text)}\n", 1))


def unedited(text: str) -> bool:
    """Whether a sealed file is as it was written."""
    lines = text.splitlines(keepends=True)
    seals = [line for line in lines if line.startswith(_SEAL)]
    rest = "".join(line for line in lines if not line.startswith(_SEAL))
    return len(seals) == 1 and seals[0].removeprefix(_SEAL).strip() == _hash(rest)


def compare(out: Path, documents: Sequence[Document], force: bool = False) -> list[Comparison]:
    """Each document beside the file that is there, the manifest last. Raises InvalidInput if ``out`` is no folder.

    With ``force`` an edited file is like any other that would change.
    """
    if out.exists() and not out.is_dir():
        raise InvalidInput([f"{out}: is a file; name a folder with --out"])
    hashes = _manifest(out)
    found = []
    for each in documents:
        before = _read(out / each.name)
        if before is None:
            state = State.NEW
        elif before == each.text:
            state = State.SAME
        else:
            ours = unedited(before) if each.sealed else hashes.get(each.name) == _hash(before)
            state = State.CHANGED if ours or force else State.EDITED
        found.append(Comparison(each, state, before or ""))
    return [*found, _manifest_beside(out, found, hashes)]


def write(out: Path, found: Sequence[Comparison]) -> list[str]:
    """Write what is new or changed, and return the names of edited files that were left alone.

    A ``FILE.new`` of an earlier run goes when it is not needed any more.
    """
    kept = []
    for each in found:
        file = out / each.document.name
        beside = file.with_name(f"{file.name}.new")
        try:
            if each.state is State.EDITED:
                _put(beside, each.document.text)
                kept.append(each.document.name)
                continue
            if each.state is not State.SAME:
                _put(file, each.document.text)
            beside.unlink(missing_ok=True)
        except OSError as error:
            raise BongsuError(f"{file}: cannot be written ({error.strerror}); name another folder with --out") from None
    return kept


def _put(file: Path, text: str) -> None:
    """Whole or not at all: Prometheus and Grafana may read at any moment."""
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_name(f".{file.name}.part")
    partial.write_bytes(text.encode())
    partial.replace(file)


def _read(file: Path) -> str | None:
    try:
        return file.read_bytes().decode("utf-8", errors="replace")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BongsuError(f"{file}: cannot be read ({error.strerror}); move it out of the way") from None


def _manifest(out: Path) -> dict[str, str]:
    try:
        loaded = json.loads(_read(out / MANIFEST) or "{}")
    except ValueError:
        return {}
    return loaded if isinstance(loaded, dict) else {}


def _manifest_beside(out: Path, found: Sequence[Comparison], hashes: dict[str, str]) -> Comparison:
    """The manifest keeps the hash of what we last wrote, so that an edited file stays known as edited."""
    known = {}
    for each in found:
        name = each.document.name
        if not each.document.sealed and (each.state is not State.EDITED or name in hashes):
            known[name] = hashes[name] if each.state is State.EDITED else _hash(each.document.text)
    text = json.dumps(known, indent=2, sort_keys=True) + "\n"
    before = _read(out / MANIFEST)
    state = State.NEW if before is None else State.SAME if before == text else State.CHANGED
    return Comparison(Document(MANIFEST, text, sealed=False), state, before or "")


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
