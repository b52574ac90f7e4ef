"""Replay deploy/ without Docker: build our images step by step, run compose.yaml's services, and see them answer.

``python -m tools.replay_images [--work DIR] [--again]`` as root, on Debian with debootstrap, iproute2, PostgreSQL,
HAProxy and Prometheus. The last three are this computer's own, in the place of their images; Grafana is left out (for
that there is `make verify-grafana`, where there is Docker). Takes about two minutes.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from tools.replay.build import Builder, Failed
from tools.replay.network import prepare
from tools.replay.services import PATIENCE, Container, Running, Site, haproxy, postgres, prometheus

PROJECT = Path(__file__).resolve().parents[1]
NEEDED = {
    "debootstrap": "debootstrap", "ip": "iproute2", "unshare": "util-linux", "setpriv": "util-linux",
    "haproxy": "haproxy", "prometheus": "prometheus",
}  # fmt: skip
MACHINES = ("shop-1", "shop-2", "shop-3")


def say(text: str) -> None:
    """A line to whoever watches."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def missing() -> list[str]:
    """Why this cannot run here; empty when it can."""
    found = [] if os.geteuid() == 0 else ["not root: chroots and namespaces need it; start it with sudo"]
    packages = sorted({package for program, package in NEEDED.items() if shutil.which(program) is None})
    if packages:
        found.append(f"programs are missing: apt-get install --no-install-recommends {' '.join(packages)}")
    return found


def replay(work: Path, again: bool) -> None:
    """Build (unless ``again``: run what was built before) and run everything below ``work``. Raises Failed."""
    services = yaml.safe_load((PROJECT / "deploy/compose.yaml").read_text(encoding="utf-8"))["services"]
    builder = Builder(PROJECT, work, lambda text: say(f"  {text}"))
    images = {}
    for name, service in services.items():
        if "build" in service:
            say(f"image {service['image']} ({name})")
            images[service["image"]] = builder.build(PROJECT / service["build"]["dockerfile"], again)
    site = Site(PROJECT, work / "run", services, images)
    if site.work.exists():
        shutil.rmtree(site.work)
    site.work.mkdir()
    site.work.chmod(0o755)
    prepare(list(services), site.work)
    running = Running(site)
    try:
        start(site, running)
        judge(site)
    finally:
        running.close()


def start(site: Site, running: Running) -> None:
    """The services in the order in which they depend on each other, each healthy before the next."""
    running.once("secrets", Container(site, "secrets").main())
    say(f"secrets: {' '.join(running.said('secrets').split())}")
    running.once("secrets again", Container(site, "secrets").main())
    if running.said("secrets again").strip():
        raise Failed(f"a second start made secrets anew:\n{running.said('secrets again')}")
    postgres(site, running)
    haproxy(site, running)  # before the machines: it has to find them when they come
    running.once("shop-setup", Container(site, "shop-setup").main())
    say(f"shop-setup: {running.said('shop-setup').strip()}")
    prometheus(site, running)
    for name in ("inbox", *MACHINES):
        running.start(name, Container(site, name).main())
    for name in ("inbox", *MACHINES):
        say(f"{name}: healthy after {running.wait(name, Container(site, name).check()):.1f} s")
    check = [str(word) for word in site.services["haproxy"]["healthcheck"]["test"][1:]]
    here = [word.replace("/opt/deploy/answers", str(site.deploy / "answers")) for word in check]
    say(f"haproxy: healthy after {running.wait('haproxy', ['ip', 'netns', 'exec', 'haproxy', *here]):.1f} s")
    wait("Prometheus", lambda: get("http://prometheus:9090/-/ready") is not None)
    running.start("bongsu", Container(site, "bongsu").main())
    say(f"bongsu: healthy after {running.wait('bongsu', Container(site, 'bongsu').check()):.1f} s")


def judge(site: Site) -> None:
    """What a person would look at."""
    wait("all targets up", lambda: targets() == {"up": len(MACHINES) + 3})
    say(f"prometheus: {targets()['up']} targets are up, none is down")
    served: set[str] = set()

    def each_served() -> bool:
        get("http://haproxy:8000/products")
        log = (site.volume("balancer") / "edge.jsonl").read_text(encoding="utf-8")
        lines = [json.loads(line) for line in log.splitlines(keepends=True) if line.endswith("\n")]
        served.update(line["server"] for line in lines if line["status"] == 200)
        return served >= set(MACHINES)

    wait("an answer from each machine through the balancer", each_served)
    say(f"shop: {', '.join(sorted(served))} answered through the balancer, and its log says so")
    told = subprocess.run(
        Container(site, "bongsu").command(["bongsu", "check"]), capture_output=True, text=True, check=False
    )
    if told.returncode != 0:
        raise Failed(f"bongsu check ended with {told.returncode}:\n{told.stdout}{told.stderr}")
    say(told.stdout.strip())
    labels = {"alertname": "Replay", "bongsu_service": "shop", "bongsu_policy": "pool", "instance": "shop-1"}
    # it has been firing for longer than the first tier waits
    since = datetime.now(UTC) - timedelta(minutes=6)  # noqa: TID251 - nobody hands us one here
    alert = {"labels": labels, "startsAt": since.isoformat()}
    if get("http://bongsu:8080/api/v2/alerts", json.dumps([alert]).encode()) is None:
        raise Failed("bongsu does not take an alert")
    wait("the mail about an alert", lambda: bool(mails()))
    mail = mails()[0]
    say(f"mail: {mail['to']}: {mail['subject']}")
    if mail["subject"][:10] not in (get("http://inbox:8025/") or b"").decode():
        raise Failed("the inbox's page does not show the mail")


def get(url: str, body: bytes | None = None) -> bytes | None:
    """A service's answer, or None when it gives none. Raises Failed when it refuses."""
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})  # noqa: S310 - our own services
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310
            content: bytes = answer.read()
            return content
    except urllib.error.HTTPError as error:
        raise Failed(f"{url} answers {error.code}: {error.read(500).decode('utf-8', 'replace')}") from None
    except OSError:
        return None


def targets() -> dict[str, int]:
    """How many targets Prometheus has in which state."""
    answer = json.loads(get("http://prometheus:9090/api/v1/targets") or b"{}")
    counts: dict[str, int] = {}
    for target in answer.get("data", {}).get("activeTargets", []):
        counts[target["health"]] = counts.get(target["health"], 0) + 1
    return counts


def mails() -> list[dict[str, Any]]:
    """What the inbox has taken."""
    taken: list[dict[str, Any]] = json.loads(get("http://inbox:8025/mails.json") or b"[]")
    return taken


def wait(what: str, condition: Callable[[], bool]) -> None:
    """Wait for something. Raises Failed when it does not come."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise Failed(f"waited {PATIENCE:g} s for {what}")
        time.sleep(0.25)


def main() -> int:
    """Exit code 0: everything was built and answered; 1: something did not; 2: it cannot run here."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=PROJECT / "var/replay", help="default: var/replay")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--again", action="store_true", help="build nothing: run the images of the last time")
    options = parser.parse_args()
    problems = missing()
    if problems:
        sys.stderr.write("".join(f"error: {problem}\n" for problem in problems))
        return 2
    if not options.inside:
        # Namespaces of this run alone: every process and mount in them is gone when it ends, however it ends. The
        # network comes later, when there is nothing left to download.
        apart = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
        again = [sys.executable, "-m", "tools.replay_images", "--inside", "--work", str(options.work.resolve())]
        again += ["--again"] if options.again else []
        return subprocess.run([*apart, *again], cwd=PROJECT, check=False).returncode
    options.work.mkdir(parents=True, exist_ok=True)
    try:
        replay(options.work, options.again)
    except (Failed, OSError, ValueError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    say("replayed: every image was built, every service answered")
    return 0


if __name__ == "__main__":
    sys.exit(main())
