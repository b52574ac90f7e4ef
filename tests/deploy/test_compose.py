"""deploy/compose.yaml: what both generations of Compose accept, and what every service must have."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

PROJECT = Path(__file__).resolve().parents[2]
DEPLOY = PROJECT / "deploy"
COMPOSE = DEPLOY / "compose.yaml"
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))["services"]
CONFIGURATION = tomllib.loads((DEPLOY / "bongsu.toml").read_text(encoding="utf-8"))
STAYING = sorted(name for name, each in SERVICES.items() if each["restart"] == "unless-stopped")
ENDING = sorted(set(SERVICES) - set(STAYING))
MACHINES = ["shop-1", "shop-2", "shop-3"]


def mounts(service: dict[str, Any]) -> list[list[str]]:
    return [volume.split(":") for volume in service.get("volumes", [])]


def test_docker_compose_accepts_the_file() -> None:
    if shutil.which("docker-compose") is None:
        pytest.fail("docker-compose is missing: apt-get install --no-install-recommends docker-compose")
    told = subprocess.run(
        ["docker-compose", "-f", str(COMPOSE), "config", "--services"], capture_output=True, text=True, check=False
    )
    assert told.returncode == 0, told.stderr
    assert sorted(told.stdout.split()) == sorted(SERVICES)


def test_every_service_has_a_memory_limit_and_bounded_logs() -> None:
    for name, service in SERVICES.items():
        assert re.fullmatch(r"\d+m", service["mem_limit"]), name
        assert service["logging"]["options"]["max-size"], name


@pytest.mark.parametrize("name", STAYING)
def test_a_service_that_stays_has_a_health_check(name: str) -> None:
    check = SERVICES[name]["healthcheck"]
    assert check["test"][0] == "CMD"
    assert {"interval", "timeout", "retries", "start_period"} <= check.keys()


@pytest.mark.parametrize("name", ENDING)
def test_a_service_that_ends_is_waited_for(name: str) -> None:
    assert SERVICES[name]["restart"] == "on-failure"
    waiting = [
        other
        for other, service in SERVICES.items()
        if service.get("depends_on", {}).get(name, {}).get("condition") == "service_completed_successfully"
    ]
    assert waiting


def test_images_of_others_are_pinned_to_a_patch_release_and_ours_to_the_version_of_the_project() -> None:
    version = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    for name, service in SERVICES.items():
        repository, _, tag = service["image"].partition(":")
        if repository.startswith("bongsu"):
            assert tag == version, name
        else:
            assert re.match(r"v?\d+\.\d+", tag), f"{name}: {service['image']}"
            assert tag.count(".") == (1 if repository == "postgres" else 2), f"{name}: {service['image']}"


def test_our_images_are_built_once_and_never_looked_for_in_a_registry() -> None:
    builders = {service["image"]: name for name, service in SERVICES.items() if "build" in service}
    for name, service in SERVICES.items():
        if service["image"] in builders and "build" not in service:
            assert service["pull_policy"] == "never", name
            assert builders[service["image"]] in service["depends_on"], f"{name} would start before its image is there"


def test_ports_are_published_on_this_computer_alone() -> None:
    published = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_no_file_here_has_a_secret() -> None:
    for file in [path for path in DEPLOY.rglob("*") if path.is_file() and "generated" not in path.parts]:
        text = "\n".join(each for each in file.read_text(encoding="utf-8").splitlines() if "#" not in each[:3])
        assert not re.search(r"\b[0-9a-f]{40,63}\b(?!\w)", text), f"{file}: a key?"
        for line in text.splitlines():
            found = re.search(r"(?i)\b\w*(password|secret|token|api_?key)\w*\s*[:=]\s*[\"']?([^\s\"'#]+)", line)
            assert found is None or found[2].startswith(("/", "$", "{")), f"{file}: {line.strip()}"


def test_every_file_that_is_mounted_is_there() -> None:
    bound = {parts[0] for service in SERVICES.values() for parts in mounts(service) if parts[0].startswith(".")}
    assert {"./bongsu.toml", "./haproxy.cfg", "./generated/prometheus", "./generated/grafana/provisioning"} <= bound
    absent = sorted(source for source in bound if not (DEPLOY / source).exists())
    assert not absent, "make them with: bongsu generate --config deploy/bongsu.toml --out deploy/generated"


def test_every_named_volume_is_declared_and_used() -> None:
    declared = set(yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))["volumes"])
    used = {parts[0] for service in SERVICES.values() for parts in mounts(service) if not parts[0].startswith(".")}
    assert used == declared


def test_secrets_are_written_by_one_service_and_read_by_nobody_who_does_not_need_them() -> None:
    readers: dict[str, set[str]] = {}
    for name, service in SERVICES.items():
        for source, _target, *mode in mounts(service):
            if source.startswith("secrets-") and name != "secrets":
                assert mode == ["ro"], name
                readers.setdefault(source, set()).add(name)
    assert readers == {
        "secrets-grafana": {"grafana"},
        "secrets-haproxy": {"haproxy"},
        "secrets-postgres": {"postgres"},
        "secrets-shop": {"shop-setup", *MACHINES},
    }


def test_our_containers_cannot_write_their_root_and_have_no_rights() -> None:
    for name, service in SERVICES.items():
        if service["image"].startswith("bongsu"):
            assert service["read_only"] is True, name
            assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name


def test_the_machines_of_compose_are_those_that_bongsu_watches_and_the_balancer_feeds() -> None:
    watched = CONFIGURATION["service"]["shop"]
    assert watched["job"] == "application"
    assert watched["targets"] == [f"{name}:9100" for name in MACHINES]
    balancer = (DEPLOY / "haproxy.cfg").read_text(encoding="utf-8")
    assert re.findall(r"^  server (\S+) (\S+)$", balancer, re.MULTILINE) == [(m, f"{m}:8000") for m in MACHINES]
    assert [name for name in SERVICES if re.fullmatch(r"shop-\d+", name)] == MACHINES
    for name in MACHINES:
        assert SERVICES[name]["hostname"] == name
        assert "application" in SERVICES[name]["networks"]["default"]["aliases"]


def test_the_machines_have_a_limit_and_are_alike() -> None:
    """Against it, each tells its CPU: the configuration of Bongsu need not know it."""
    sizes = [SERVICES[name]["cpus"] for name in MACHINES]
    assert 0 < sizes[0] <= 1
    assert sizes == sizes[:1] * len(MACHINES)


def test_whoever_names_a_host_names_a_service() -> None:
    text = COMPOSE.read_text(encoding="utf-8") + (DEPLOY / "bongsu.toml").read_text(encoding="utf-8")
    hosts = set(re.findall(r"(?:https?://|@|\")([a-z][a-z0-9-]*):\d+", text)) | {CONFIGURATION["smtp"]["host"]}
    assert {"prometheus", "postgres", "bongsu", "haproxy", "inbox"} <= hosts
    assert hosts <= SERVICES.keys()


def test_the_configuration_is_fine() -> None:
    told = subprocess.run(
        [str(PROJECT / ".venv/bin/bongsu"), "check", "--offline", "--config", str(DEPLOY / "bongsu.toml")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert told.returncode == 0, told.stderr
    policy = CONFIGURATION["policy"]["burst"]
    assert [tier["after"] for tier in policy["tier"]] == ["PT5M", "PT20M", "PT40M"]
