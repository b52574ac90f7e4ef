"""Bring deploy/compose.yaml up on a host with Docker and see that Grafana does its part; then take it down again.

``python3 -m tools.verify_grafana [--keep]``: needs Docker with Compose, Python 3.11 and nothing else. It sees that
every service is healthy, that Grafana reaches Prometheus, and that every dashboard and rule of deploy/generated is
loaded and none is in error. Then it stops Bongsu and a machine and waits for what must follow: the rule about that
machine fires, and Grafana mails by itself because Bongsu is silent. About ten minutes, most of them for downloads.

Exit code 0: all seen; 1: something was not; 2: it cannot run here.
"""

from __future__ import annotations

import argparse
import base64
import json
import re
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[1]
COMPOSE_FILE = PROJECT / "deploy/compose.yaml"
GENERATED = PROJECT / "deploy/generated/grafana"
OWN_NAME = "bongsu-verify"
"""The name of this trial's containers and volumes: one that runs under the usual name keeps its data."""
GRAFANA, INBOX = "http://127.0.0.1:3000", "http://127.0.0.1:8025"
SENDER = "grafana@example.com"
STOPPED = "shop-2"
ONCE = {"secrets", "shop-setup"}
HEALTHY_WITHIN, FIRES_WITHIN, MAILS_WITHIN = 300.0, 420.0, 180.0


class NotSeen(Exception):
    """Something that must be seen was not."""


def say(text: str) -> None:
    """A line to whoever watches."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def compose_command() -> list[str] | None:
    """How Compose is called here; None: there is no Docker, or its daemon does not answer."""
    for words in (["docker", "compose"], ["docker-compose"]):
        if shutil.which(words[0]) is None or shutil.which("docker") is None:
            continue
        asked = subprocess.run([*words, "version"], capture_output=True, check=False)
        if asked.returncode == 0:
            daemon = subprocess.run(["docker", "info"], capture_output=True, check=False)
            return [*words, "-f", str(COMPOSE_FILE), "-p", OWN_NAME] if daemon.returncode == 0 else None
    return None


def call(url: str, password: str | None = None) -> Any:
    """The JSON that a GET returns. Raises NotSeen with what was answered instead."""
    request = urllib.request.Request(url)  # noqa: S310 - this host's own ports
    if password is not None:
        token = base64.b64encode(f"admin:{password}".encode()).decode("ascii")
        request.add_header("Authorization", f"Basic {token}")
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            return json.loads(answer.read())
    except urllib.error.HTTPError as error:
        raise NotSeen(f"{url} answers {error.code}: {error.read(500).decode('utf-8', 'replace')}") from None
    except (OSError, ValueError) as error:
        raise NotSeen(f"{url}: {error}") from None


def wait(what: str, seconds: float, look: Callable[[], str]) -> None:
    """Wait until ``look`` returns nothing; otherwise it returns what is missing, which the error then says."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            wanting = look()
        except NotSeen as error:
            wanting = str(error)
        if not wanting:
            say(f"ok    {what}")
            return
        if time.monotonic() > deadline:
            raise NotSeen(f"{what}: waited {seconds:g} s; {wanting}")
        time.sleep(2)


def expected_dashboards() -> dict[str, str]:
    """Title by uid of the dashboards that were generated."""
    found = [json.loads(file.read_text(encoding="utf-8")) for file in sorted((GENERATED / "dashboards").glob("*.json"))]
    return {board["uid"]: board["title"] for board in found}


def expected_rules(text: str) -> set[str]:
    """The uids of the rules in a generated alerting file: the part between ``groups:`` and the next key."""
    groups = re.search(r"^groups:\n((?:[ \-].*\n|\n)*)", text, re.MULTILINE)
    return set(re.findall(r"^\s+- uid: ['\"]?([\w-]+)['\"]?$", groups[1], re.MULTILINE)) if groups else set()


def unhealthy(containers: Iterable[dict[str, Any]]) -> list[str]:
    """Containers (of ``docker inspect``) that are not what they should be: healthy, or ended with 0."""
    found = []
    for each in containers:
        name, state = each["Config"]["Labels"]["com.docker.compose.service"], each["State"]
        if name in ONCE:
            if state["Status"] != "exited" or state["ExitCode"] != 0:
                found.append(f"{name}: {state['Status']} ({state['ExitCode']})")
        elif state.get("Health", {}).get("Status") != "healthy":
            found.append(f"{name}: {state['Status']}, {state.get('Health', {}).get('Status', 'no health check')}")
    return found


def rules_of(answer: dict[str, Any]) -> list[dict[str, Any]]:
    """The rules in what Grafana's ``/api/prometheus/grafana/api/v1/rules`` answers."""
    return [rule for group in answer["data"]["groups"] for rule in group["rules"]]


def firing(rules: Iterable[dict[str, Any]], instance: str) -> list[str]:
    """Names of rules that fire for a machine."""
    return [
        rule["name"]
        for rule in rules
        for alert in rule.get("alerts") or []
        if alert["state"].lower().startswith(("alerting", "firing")) and alert["labels"].get("instance") == instance
    ]


class Trial:
    """One run of the whole set-up."""

    def __init__(self, compose: list[str]) -> None:
        self._compose = compose
        self._password = ""

    def run(self, *words: str, quiet: bool = True) -> str:
        """Call Compose. Raises NotSeen with its last words."""
        done = subprocess.run(
            [*self._compose, *words], stdout=subprocess.PIPE if quiet else None, text=True, check=False
        )
        if done.returncode != 0:
            raise NotSeen(f"{' '.join(self._compose + list(words))} ended with {done.returncode}")
        return done.stdout or ""

    def up(self) -> None:
        """Start it and wait until everything is healthy."""
        self.run("up", "--build", "-d", quiet=False)
        services = len(self.run("config", "--services").split())
        wait(
            f"all {services} services are healthy, or have done their part",
            HEALTHY_WITHIN,
            lambda: self._state(services),
        )
        self._password = self.run("exec", "-T", "grafana", "cat", "/secrets/grafana/admin_password").strip()

    def _state(self, services: int) -> str:
        ids = self.run("ps", "-a", "-q").split()
        if len(ids) < services:
            return f"{len(ids)} of {services} containers are there"
        inspected = subprocess.run(["docker", "inspect", *ids], capture_output=True, text=True, check=True)
        return "; ".join(unhealthy(json.loads(inspected.stdout)))

    def grafana(self, path: str) -> Any:
        """Ask Grafana's API as its administrator."""
        return call(f"{GRAFANA}{path}", self._password)

    def loaded(self) -> None:
        """Data source, dashboards, rules."""
        wait("Grafana reaches Prometheus", 60, self._source)
        wait("every dashboard is loaded", 60, self._dashboards)
        wait("every rule is loaded, and none is in error", 180, self._rules)

    def _source(self) -> str:
        health = self.grafana("/api/datasources/uid/prometheus/health")
        return "" if health.get("status") == "OK" else str(health)

    def _dashboards(self) -> str:
        wanted = expected_dashboards()
        if not wanted:
            return f"no dashboard in {GENERATED / 'dashboards'}: run bongsu generate"
        there = {found["uid"] for found in self.grafana("/api/search?type=dash-db&limit=500")}
        return ", ".join(f"{title} ({uid})" for uid, title in wanted.items() if uid not in there)

    def _rules(self) -> str:
        wanted = expected_rules((GENERATED / "provisioning/alerting/bongsu.yaml").read_text(encoding="utf-8"))
        if not wanted:
            return f"no rule in {GENERATED / 'provisioning/alerting/bongsu.yaml'}: run bongsu generate"
        there = {rule["uid"] for rule in self.grafana("/api/v1/provisioning/alert-rules")}
        evaluated = rules_of(self.grafana("/api/prometheus/grafana/api/v1/rules"))
        wrong = [f"{uid} is not loaded" for uid in sorted(wanted - there)]
        wrong += [
            f"{rule['name']}: {rule.get('health')} {rule.get('lastError', '')}".strip()
            for rule in evaluated
            if rule.get("health") not in ("ok", "nodata")
        ]
        return "; ".join(wrong)

    def fires(self) -> None:
        """Without Bongsu, a machine that is down makes Grafana mail."""
        self.run("stop", "bongsu", STOPPED)
        say(f"      stopped bongsu and {STOPPED}; waiting for Grafana")
        path = "/api/prometheus/grafana/api/v1/rules"
        nothing = f"no rule fires for {STOPPED}"
        wait(
            f"a rule fires for {STOPPED}", FIRES_WITHIN,
            lambda: "" if firing(rules_of(self.grafana(path)), STOPPED) else nothing,
        )  # fmt: skip
        wait(f"Grafana's mail about {STOPPED} is in the inbox", MAILS_WITHIN, self._mailed)

    def _mailed(self) -> str:
        mails = [mail for mail in call(f"{INBOX}/mails.json") if mail["from"] == SENDER]
        if any(STOPPED in self._text(mail) for mail in mails):
            return ""
        return f"{len(mails)} mails from {SENDER}, none names {STOPPED}: {[mail['subject'] for mail in mails]}"

    def _text(self, mail: dict[str, Any]) -> str:
        with urllib.request.urlopen(f"{INBOX}/mails/{mail['file']}", timeout=10) as answer:  # noqa: S310
            page: str = answer.read().decode("utf-8")
        return f"{mail['subject']} {page}"


def main() -> int:
    """See the module's words."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keep", action="store_true", help="leave everything running at the end")
    options = parser.parse_args()
    compose = compose_command()
    if compose is None:
        sys.stderr.write(
            "error: Docker with Compose is missing here, or its daemon does not answer (see: docker info). "
            "This verifies images in containers and has no other way; nothing was verified.\n"
        )
        return 2
    trial = Trial(compose)
    try:
        trial.up()
        trial.loaded()
        trial.fires()
    except NotSeen as error:
        sys.stderr.write(f"error: {error}\n")
        sys.stderr.write(subprocess.run([*compose, "ps"], capture_output=True, text=True, check=False).stdout)
        return 1
    finally:
        if not options.keep:
            subprocess.run([*compose, "down", "--volumes", "--timeout", "5"], capture_output=True, check=False)
    say("verified: Grafana opens with everything in place, and mails when Bongsu cannot")
    return 0


if __name__ == "__main__":
    sys.exit(main())
