"""Programs of the system that we start: where they are, and how PostgreSQL's run when we are root."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from bongsu.core.errors import BongsuError


def find_program(name: str) -> str | None:
    """A program on PATH, in the system folders that a user's PATH may lack, or in PostgreSQL's own folder."""
    on_path = shutil.which(name) or shutil.which(name, path="/usr/local/sbin:/usr/sbin:/sbin")
    if on_path is not None:
        return on_path
    # Debian keeps the programs of each PostgreSQL version in a folder of their own; the newest understands all older.
    versions = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: int(path.parts[4]))
    return str(versions[-1]) if versions else None


def disguise(data: Path) -> Sequence[str]:
    """What lets PostgreSQL run when we are root, which it refuses to be.

    A user namespace maps root to an ordinary number, so files below a private folder stay ours and readable.
    Where those are forbidden, the user ``postgres`` gets the data and the right to pass the folders above it.
    Raises BongsuError when neither is possible.
    """
    if os.geteuid() != 0:
        return ()
    unshare = (find_program("unshare") or "unshare", "--map-user=1000", "--map-group=1000")
    if subprocess.run([*unshare, "true"], capture_output=True, check=False).returncode == 0:
        return unshare
    return as_postgres(data)


def as_postgres(data: Path) -> Sequence[str]:
    """Run as the user ``postgres``, who becomes the owner of ``data``."""
    try:
        user = pwd.getpwnam("postgres")
    except KeyError:
        raise BongsuError(
            "PostgreSQL does not run as root, user namespaces are forbidden here, and there is no user 'postgres'. "
            "Run this as an ordinary user, or add the user with: adduser --system --group postgres"
        ) from None
    data.mkdir(parents=True, exist_ok=True)
    shutil.chown(data, user.pw_uid, user.pw_gid)
    setpriv = find_program("setpriv") or "setpriv"
    return (
        setpriv, f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups",
        "--inh-caps=-all,+dac_override", "--ambient-caps=-all,+dac_override",
    )  # fmt: skip
