"""Runs compose.yaml's services in namespaces: our images from their folders, the others by this computer's programs."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.replay.build import PATH, Failed, Image

# A container as compose.yaml asks for it: a root that cannot be written, /tmp in memory, no rights, volumes.
_CONTAINER = """
root=$1 user=$2 group=$3 readonly=$4; shift 4
mount --make-rprivate /
mount --bind "$root" "$root"
while [ "$1" != -- ]; do
  source=$1 target=$root$2 mode=$3; shift 3
  mkdir -p "$(dirname "$target")"
  if [ -d "$source" ]; then mkdir -p "$target"; else [ -e "$target" ] || : >"$target"; fi
  mount --bind "$source" "$target"
  [ "$mode" != ro ] || mount -o remount,bind,ro "$target"
done
shift
[ -e "$root/etc/hosts" ] || : >"$root/etc/hosts"
mount --bind /etc/hosts "$root/etc/hosts"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
[ "$readonly" != yes ] || mount -o remount,bind,ro "$root"
exec chroot "$root" setpriv --reuid="$user" --regid="$group" --clear-groups --no-new-privs --bounding-set=-all \\
  /usr/bin/env -i "$@"
"""
# Files in memory, because a user without rights cannot pass the folders above the project everywhere.
_BALANCER = """
mount --make-rprivate /
mount --bind "$1" /var/lib/haproxy; shift
mount -t tmpfs -o mode=755 tmpfs /mnt
cp "$@" /mnt; chmod 644 /mnt/*
exec setpriv --reuid=99 --regid=99 --clear-groups \\
  env USER_HASH_KEY_FILE=/mnt/user_hash_key HAPROXY_CONFIG=/mnt/haproxy.cfg sh /mnt/haproxy.sh
"""
PATIENCE = 60.0
"""Seconds for a service to become healthy."""


@dataclass(frozen=True, slots=True)
class Site:
    """What the services run on: the project, the folder of this replay, the images by their name in compose.yaml."""

    project: Path
    work: Path
    services: Mapping[str, Mapping[str, Any]]
    images: Mapping[str, Image]

    @property
    def deploy(self) -> Path:
        """Where compose.yaml lies; paths in it are relative to that."""
        return self.project / "deploy"

    def log(self, name: str) -> Path:
        """What a service has said."""
        return self.work / "logs" / f"{name}.log"

    def volume(self, name: str) -> Path:
        """A named volume's folder."""
        return self.work / "volumes" / name


class Container:
    """A service out of one of our images."""

    def __init__(self, site: Site, name: str) -> None:
        self._site, self.name = site, name
        self._service = site.services[name]
        self._image = site.images[str(self._service["image"])]

    def command(self, words: list[str]) -> list[str]:
        """What runs some words inside of it."""
        user, group = self._image.ids()
        mounts = [each for volume in self._service.get("volumes", []) for each in self._mount(volume)]
        variables = {**self._image.environment, **self._service.get("environment", {}), "HOSTNAME": self.name}
        readonly = "yes" if self._service.get("read_only") else "no"
        inside = f"cd {self._image.folder} && exec {shlex.join(words)}"
        return [
            *namespace(self.name), "sh", "-euc", _CONTAINER, "sh", str(self._image.root), str(user), str(group),
            readonly, *mounts, "--", *(f"{key}={value}" for key, value in variables.items()), "/bin/sh", "-c", inside,
        ]  # fmt: skip

    def main(self) -> list[str]:
        """Its own command."""
        return self.command([str(word) for word in self._service.get("command") or self._image.command])

    def check(self) -> list[str]:
        """Its health check."""
        test = [str(word) for word in self._service["healthcheck"]["test"]]
        if test[0] != "CMD":
            raise Failed(f"{self.name}: its health check is not a CMD")
        return self.command(test[1:])

    def _mount(self, volume: str) -> list[str]:
        source, target, mode = [*volume.split(":"), "rw"][:3]
        if source.startswith("."):
            return [str((self._site.deploy / source).resolve(strict=True)), target, mode]
        folder = self._site.volume(source)
        if not folder.exists():
            folder.mkdir(parents=True)
            below = self._image.root / target.lstrip("/")
            if below.is_dir():  # a new volume takes over the owner of the folder that it is mounted on
                about = below.stat()
                os.chown(folder, about.st_uid, about.st_gid)
                folder.chmod(about.st_mode & 0o7777)
        return [str(folder), target, mode]


def namespace(name: str) -> list[str]:
    """What runs a command in a service's network, with mounts and processes of its own."""
    return ["ip", "netns", "exec", name, "unshare", "--mount", "--pid", "--fork", "--kill-child"]


class Running:
    """The processes that were started; all of them end with ``close``."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        (site.work / "logs").mkdir(parents=True, exist_ok=True)

    def once(self, name: str, command: list[str]) -> None:
        """Run something to its end. Raises Failed with what it said."""
        with self._site.log(name).open("wb") as log:
            code = subprocess.run(command, stdout=log, stderr=subprocess.STDOUT, check=False).returncode
        if code != 0:
            raise Failed(f"{name} ended with {code}:\n{self.said(name)}")

    def start(self, name: str, command: list[str]) -> None:
        """Start something that stays."""
        environment = {"PATH": PATH, "LC_ALL": "C.UTF-8"}
        with self._site.log(name).open("wb") as log:
            self._processes[name] = subprocess.Popen(
                command, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, env=environment
            )

    def wait(self, name: str, check: list[str]) -> float:
        """Wait until a check passes; how long it took. Raises Failed when it does not, or the service has died."""
        began = time.monotonic()
        while True:
            process = self._processes[name]
            if process.poll() is not None:
                raise Failed(f"{name} died with {process.returncode}:\n{self.said(name)}")
            done = subprocess.run(check, capture_output=True, text=True, check=False)
            if done.returncode == 0:
                return time.monotonic() - began
            if time.monotonic() - began > PATIENCE:
                raise Failed(f"{name} is not healthy after {PATIENCE:g} s: {done.stderr[-500:]}\n{self.said(name)}")
            time.sleep(0.25)

    def said(self, name: str) -> str:
        """The last lines of a log."""
        return self._site.log(name).read_text(encoding="utf-8", errors="replace")[-2000:]

    def close(self) -> None:
        """End all. Killed, because a namespace's first process takes everything in it along."""
        for process in self._processes.values():
            process.kill()
            process.wait()


def postgres(site: Site, running: Running) -> None:
    """Debian's PostgreSQL in the place of the image: with its password file, its role and its database."""
    from bongsu.lab.postgres import disguise
    from bongsu.lab.programs import find_program

    initdb, server = find_program("initdb"), find_program("postgres")
    if not initdb or not server:
        raise Failed("PostgreSQL is missing: apt-get install --no-install-recommends postgresql")
    data = site.work / "postgres"
    before = list(disguise(data))
    password = site.volume("secrets-postgres") / "password"
    options = ["-U", "shop", "--pwfile", str(password), "-A", "scram-sha-256", "--no-sync", "-E", "UTF8"]
    running.once("initdb", [*before, initdb, "-D", str(data), *options])
    (data / "pg_hba.conf").write_text("host all all all scram-sha-256\nlocal all all trust\n", encoding="ascii")
    settings = ["listen_addresses=*", f"unix_socket_directories={site.work}", "fsync=off"]
    flags = [each for setting in settings for each in ("-c", setting)]
    running.start("postgres", ["ip", "netns", "exec", "postgres", *before, server, "-D", str(data), *flags])
    import psycopg

    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            with psycopg.connect(host=str(site.work), user="shop", dbname="postgres", autocommit=True) as connection:
                connection.execute("CREATE DATABASE shop")
            return
        except psycopg.OperationalError:
            if time.monotonic() > deadline:
                raise Failed(f"PostgreSQL does not answer:\n{running.said('postgres')}") from None
            time.sleep(0.1)


def haproxy(site: Site, running: Running) -> None:
    """Debian's HAProxy with haproxy.sh and haproxy.cfg, as a user without rights, and a name service as Docker's."""
    volume = site.volume("balancer")
    volume.mkdir(parents=True, exist_ok=True)
    os.chown(volume, 99, 99)
    names = [sys.executable, "-m", "tools.replay.network", "/etc/hosts"]
    running.start("names", ["ip", "netns", "exec", "haproxy", *names])
    files = [site.deploy / "haproxy.cfg", site.deploy / "haproxy.sh", site.volume("secrets-haproxy") / "user_hash_key"]
    running.start("haproxy", [*namespace("haproxy"), "sh", "-euc", _BALANCER, "sh", str(volume), *map(str, files)])


def prometheus(site: Site, running: Running) -> None:
    """Debian's Prometheus with the generated configuration and compose.yaml's own options."""
    configuration = site.deploy / "generated/prometheus/prometheus.yml"
    moved = {"--config.file": str(configuration), "--storage.tsdb.path": str(site.work / "prometheus")}
    options = []
    for option in site.services["prometheus"]["command"]:
        name = str(option).partition("=")[0]
        options.append(f"{name}={moved[name]}" if name in moved else str(option))
    running.start("prometheus", ["ip", "netns", "exec", "prometheus", "prometheus", *options])
