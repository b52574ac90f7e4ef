"""Grafana's data sources: from its HTTP API, or from the files that provision them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import yaml

from bongsu.adapters.fetch import address, get, shown
from bongsu.core.errors import InvalidInput
from bongsu.core.scraping import DataSource
from bongsu.ports import Unavailable

KIND = "prometheus"


def data_sources(place: str, token: str | None = None) -> tuple[DataSource, ...]:
    """The Prometheus data sources of a Grafana: ``place`` is its address, a provisioning file or a folder of them.

    ``token`` is a service account's. Raises Unavailable, or InvalidInput for a file that cannot be read.
    """
    if Path(place).exists():
        return tuple(_provisioned(Path(place)))
    return tuple(_asked(address(place).rstrip("/"), token))


def _provisioned(path: Path) -> Iterator[DataSource]:
    for file in sorted(path.rglob("*.y*ml")) if path.is_dir() else [path]:
        try:
            parsed = yaml.safe_load(file.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise InvalidInput([f"{file}: no readable YAML: {' '.join(str(error).split())[:200]}"]) from None
        listed = parsed.get("datasources") if isinstance(parsed, dict) else None
        for each in listed if isinstance(listed, list) else []:
            if isinstance(each, dict) and each.get("type") == KIND:
                yield DataSource(str(each.get("name", "?")), str(each.get("url", "")), str(file))


def _asked(url: str, token: str | None) -> Iterator[DataSource]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    listed = _json(f"{url}/api/datasources", headers)
    for each in listed if isinstance(listed, list) else []:
        if not isinstance(each, dict) or each.get("type") != KIND:
            continue
        uid = str(each.get("uid", ""))
        health = _json(f"{url}/api/datasources/uid/{uid}/health", headers, refuse=False)
        said = str(health.get("status", "")) if isinstance(health, dict) else ""
        message = str(health.get("message", ""))[:300] if isinstance(health, dict) else ""
        name, healthy = str(each.get("name", uid)), said == "OK" if said else None
        yield DataSource(name, str(each.get("url", "")), shown(url), healthy, message)


def _json(url: str, headers: dict[str, str], refuse: bool = True) -> Any:
    """What Grafana answers; it tells an unhealthy source with status 400 and the same JSON."""
    answer = get(url, patience=5.0, headers=headers)
    where = shown(url)
    if answer.status in (401, 403) and refuse:
        raise Unavailable(
            f"{where} wants a login: put a service account's token into GRAFANA_TOKEN, or name the provisioning file"
        )
    try:
        return msgspec.json.decode(answer.body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        if refuse:
            raise Unavailable(f"{where} is no Grafana: it answers {answer.status} without JSON") from None
        return None
