"""Builds an image's root folder: debootstrap for its FROM, then each of its steps, as root in a chroot."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from tools.replay.dockerfile import Copy, Ignore, Stage, Step, command, copy_of, environment, parse

BASES = {"debian:12": "bookworm"}
"""Images that debootstrap can stand in for, without their minor number and ``-slim``."""
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# How this computer reaches the package registries, if it takes more than an address.
_PASSED = ("http_proxy", "https_proxy", "no_proxy", "PIP_INDEX_URL", "UV_DEFAULT_INDEX", "PIP_DEFAULT_TIMEOUT")
_CERTIFICATES = ("PIP_CERT", "SSL_CERT_FILE")
_PLACE = "/certificates-of-the-replay.crt"
# Everything is mounted in a namespace of this one command, and so is gone when it ends, however it ends.
_ENTER = """
root=$1 certificates=$2 place=$3; shift 3
mount --make-rprivate /
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
[ ! -e /etc/resolv.conf ] || mount --bind /etc/resolv.conf "$root/etc/resolv.conf"
[ -z "$certificates" ] || mount --bind "$certificates" "$root$place"
exec chroot "$root" "$@"
"""


@dataclass(slots=True)
class Image:
    """A built root folder and what the Dockerfile says about running it."""

    root: Path
    environment: dict[str, str] = field(default_factory=lambda: {"PATH": PATH})
    folder: str = "/"
    user: str = "root"
    command: list[str] = field(default_factory=list)

    def ids(self) -> tuple[int, int]:
        """The user's number and group, out of the image's own /etc/passwd."""
        for line in (self.root / "etc/passwd").read_text().splitlines():
            name, _, number, group = line.split(":")[:4]
            if name == self.user:
                return int(number), int(group)
        raise ValueError(f"the image has no user {self.user!r}")


class Failed(Exception):
    """A step did not work; what it said."""


class Builder:
    """Builds below ``work``; the Debian that debootstrap made stays there for the next time."""

    def __init__(self, context: Path, work: Path, say: object = None) -> None:
        self._context, self._work = context, work
        self._say = say if callable(say) else lambda _text: None

    def build(self, dockerfile: Path, again: bool = False) -> Image:
        """The last stage; ``again``: its folder is there, and only what is said about it is read. Raises Failed."""
        stages = parse(dockerfile.read_text(encoding="utf-8"))
        folder = self._work / dockerfile.stem
        built: dict[str, Image] = {}
        if again and folder.exists():
            for stage in stages:
                built[stage.name] = image = self._begun(stage, built, folder / stage.name)
                for step in stage.steps:
                    self._note(step, image)
            return image
        if folder.exists():
            shutil.rmtree(folder)
        folder.mkdir(parents=True)
        with tempfile.TemporaryDirectory(dir=self._work, prefix="context-") as sent:
            self._send(Path(sent))
            for stage in stages:
                built[stage.name] = self._stage(stage, built, folder / stage.name, Path(sent))
        return built[stages[-1].name]

    def _send(self, sent: Path) -> None:
        ignore = Ignore((self._context / ".dockerignore").read_text(encoding="utf-8"))
        for name in ignore.files(self._context):
            (sent / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(self._context / name, sent / name)

    def _stage(self, stage: Stage, built: dict[str, Image], root: Path, sent: Path) -> Image:
        image, before = self._begun(stage, built, root), built.get(stage.base)
        self._copy_tree(before.root if before else self._debian(stage.base), root)
        for step in stage.steps:
            self._say(f"{stage.name}: {step.word} {step.text[:90]}")
            self._step(step, image, built, sent)
        return image

    def _begun(self, stage: Stage, built: dict[str, Image], root: Path) -> Image:
        before = built.get(stage.base)
        if before is None:
            return Image(root)
        return Image(root, dict(before.environment), before.folder, before.user, list(before.command))

    def _step(self, step: Step, image: Image, built: dict[str, Image], sent: Path) -> None:
        self._note(step, image)
        match step.word:
            case "RUN":
                self._run(step, image)
            case "COPY":
                copy = copy_of(step)
                self._copy(copy, image, built[copy.stage].root if copy.stage else sent, step)

    def _note(self, step: Step, image: Image) -> None:
        match step.word:
            case "ENV":
                image.environment |= environment(step)
            case "WORKDIR":
                image.folder = os.path.join(image.folder, step.text)  # noqa: PTH118 - a path inside of the image
                (image.root / image.folder.lstrip("/")).mkdir(parents=True, exist_ok=True)
            case "USER":
                image.user = step.text
                image.ids()
            case "CMD":
                image.command = command(step)

    def _run(self, step: Step, image: Image) -> None:
        if image.user != "root":
            raise ValueError(f"line {step.line}: RUN after USER is not replayed")
        variables = {**image.environment, "HOME": "/root"}
        variables |= {name: os.environ[name] for name in _PASSED if name in os.environ}
        done = enter(image.root, variables, f"cd {image.folder} && {step.text}")
        if done.returncode != 0:
            raise Failed(f"line {step.line}: RUN ended with {done.returncode}:\n{done.stdout[-3000:]}")

    def _copy(self, copy: Copy, image: Image, origin: Path, step: Step) -> None:
        inside = os.path.join(image.folder, copy.target)  # noqa: PTH118 - a path inside of the image
        target = image.root / inside.lstrip("/")
        into = copy.target.endswith("/") or len(copy.sources) > 1 or copy.target == "."
        for name in copy.sources:
            source = origin / name.lstrip("/")
            if not source.exists():
                raise Failed(f"line {step.line}: COPY {name}: not there; does .dockerignore let it through?")
            if source.is_dir():
                shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True)
            else:
                whole = target / source.name if into or target.is_dir() else target
                whole.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, whole)

    def _debian(self, image: str) -> Path:
        name = image.removesuffix("-slim").split(".")[0]
        if name not in BASES:
            raise ValueError(f"FROM {image}: only {', '.join(BASES)} can be replayed")
        root = self._work / BASES[name]
        if not (root / "etc/debian_version").exists() or (root / "debootstrap").exists():
            self._say(f"debootstrap {BASES[name]}")
            if root.exists():
                shutil.rmtree(root)
            done = subprocess.run(
                ["debootstrap", "--variant=minbase", BASES[name], str(root)],
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
            )  # fmt: skip
            if done.returncode != 0:
                raise Failed(f"debootstrap ended with {done.returncode}:\n{done.stdout[-3000:]}")
        return root

    def _copy_tree(self, origin: Path, root: Path) -> None:
        subprocess.run(["cp", "-a", "--reflink=auto", f"{origin}/.", str(root)], check=True)


def enter(root: Path, variables: dict[str, str], script: str) -> subprocess.CompletedProcess[str]:
    """Run a script in a root folder as root. Certificates of this computer's own are lent to it, and leave no trace."""
    certificates = next((os.environ[name] for name in _CERTIFICATES if name in os.environ), "")
    place = root / _PLACE.lstrip("/")
    if certificates:
        place.touch()
        variables = {**variables, **dict.fromkeys(_CERTIFICATES, _PLACE)}
    pairs = [f"{name}={value}" for name, value in variables.items()]
    try:
        return subprocess.run(
            ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-euc", _ENTER, "sh", str(root),
             certificates, _PLACE, "/usr/bin/env", "-i", *pairs, "/bin/sh", "-c", script],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        )  # fmt: skip
    finally:
        place.unlink(missing_ok=True)
