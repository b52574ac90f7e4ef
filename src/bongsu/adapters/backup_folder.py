"""The folder of a service's backups: a dump and, once it is whole, a manifest beside it."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from bongsu.core.backups import Backup
from bongsu.core.errors import InvalidInput, NotFound

_DRAFT = ".part"
_LOCK = ".bongsu-data.lock"
_BLOCK = 1 << 20
_MANIFEST = msgspec.json.Decoder(Backup)


@dataclass(frozen=True, slots=True)
class BackupFolder:
    """A dump without a manifest is no backup: whoever is killed leaves nothing that looks like one."""

    path: Path
    database: str

    @contextmanager
    def alone(self) -> Iterator[None]:
        """One writer at a time; what a killed one left is swept. Raises InvalidInput."""
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            lock = os.open(self.path / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise InvalidInput(
                [f"the folder of backups, {self.path}, cannot be used ({error.strerror}); name another in [data]"]
            ) from None
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise InvalidInput([f"another backup is being made or verified in {self.path}; wait for it"]) from None
            for left in self.path.glob(f"*{_DRAFT}"):
                left.unlink(missing_ok=True)
            yield
        finally:
            os.close(lock)

    def draft(self, taken_at: datetime) -> Path:
        """Where to write a dump first, readable by nobody else."""
        stem = f"{self.database}-{taken_at.astimezone(UTC):%Y%m%dT%H%M%S}{taken_at.microsecond // 1000:03d}Z"
        path = self.path / f"{stem}.dump{_DRAFT}"
        path.touch(mode=0o600)
        return path

    def keep(self, draft: Path, backup: Backup) -> None:
        """Give a whole dump its name, and only then its manifest."""
        _sync(draft)
        draft.replace(self.path / backup.file)
        self.note(backup)

    def note(self, backup: Backup) -> None:
        """Write a backup's manifest, whole or not at all."""
        target = self.path / f"{backup.file}.json"
        draft = target.with_name(target.name + _DRAFT)
        draft.write_bytes(msgspec.json.format(msgspec.json.encode(backup)))
        _sync(draft)
        draft.replace(target)
        _sync(self.path)

    def list(self) -> list[Backup]:
        """Every backup, the newest first; a manifest that cannot be read is told of as a fault."""
        found = []
        for manifest in self.path.glob(f"{self.database}-*.dump.json"):
            try:
                found.append(_MANIFEST.decode(manifest.read_bytes()))
            except (OSError, msgspec.MsgspecError) as error:
                file, nothing = manifest.name.removesuffix(".json"), datetime(1970, 1, 1, tzinfo=UTC)
                found.append(Backup(file, self.database, nothing, 0, 0, "", 0, "", fault=f"its manifest: {error}"))
        return sorted(found, key=lambda each: each.taken_at, reverse=True)

    def find(self, name: str) -> Backup:
        """A backup by its file's name or path, or ``latest``. Raises NotFound, or InvalidInput for a bad manifest."""
        every = self.list()
        if not every:
            raise NotFound(f"there is no backup in {self.path}; make one with: bongsu data backup")
        whole = [each for each in every if each.sha256]
        wanted = Path(name).name.removesuffix(".json")
        for each in whole[:1] if name == "latest" else every:
            if name == "latest" or each.file == wanted:
                if not each.sha256:
                    raise InvalidInput([f"{each.file} cannot be used: {each.fault}; take another backup"])
                return each
        raise NotFound(f"there is no backup {wanted} in {self.path}; bongsu data backups lists them")

    def remove(self, backup: Backup) -> None:
        """The manifest first: without it the dump is none."""
        for file in (f"{backup.file}.json", backup.file):
            with suppress(FileNotFoundError):
                (self.path / file).unlink()

    def fault(self, backup: Backup) -> str | None:
        """Why a backup's file is not what was written; None when it is."""
        file = self.path / backup.file
        try:
            size = file.stat().st_size
            if size != backup.size:
                return f"{backup.file} has {size} bytes instead of {backup.size}: it is damaged; take another backup"
            if checksum(file) != backup.sha256:
                return f"{backup.file} is damaged: its checksum is not that of the manifest; take another backup"
        except OSError as error:
            return f"{backup.file} cannot be read: {error.strerror}; take another backup"
        return None


def checksum(file: Path) -> str:
    """SHA-256 in hexadecimal."""
    digest = hashlib.sha256()
    with file.open("rb") as opened:
        while block := opened.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
