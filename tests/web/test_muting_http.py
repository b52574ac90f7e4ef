"""Maintenance and silences over HTTP and by command, against a running server."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from tests.web.serving import Server


def post(server: Server, path: str, body: dict[str, Any], *, token: bool = True) -> tuple[int, Any]:
    headers = {"Authorization": f"Bearer {server.token}"} if token else {}
    return server.ask("POST", path, json.dumps(body).encode(), **headers)


def bongsu(server: Server, *words: str) -> subprocess.CompletedProcess[str]:
    address = ["--server", f"http://127.0.0.1:{server.port}"]
    return subprocess.run(
        [sys.executable, "-m", "bongsu", *words, *address], capture_output=True, text=True, timeout=30, check=False
    )


def test_a_maintenance_is_begun_listed_and_ended_by_command(server: Server) -> None:
    key = ["--token-file", str(server.folder / "secrets" / "api_token")]
    owner = ["--by", "jimin", "--why", "new disks"]
    begun = bongsu(server, "maintenance", "start", "shop", "--for", "1h30m", "--mute-exhaustion", *owner, *key)
    assert begun.returncode == 0, begun.stderr
    kept = json.loads(begun.stdout)
    assert (kept["state"], kept["also"]) == ("active", ["exhaustion"])
    listed = json.loads(bongsu(server, "maintenance", "list", "--json").stdout)
    assert [each["id"] for each in listed] == [kept["id"]]
    assert json.loads(bongsu(server, "maintenance", "end", kept["id"], *key).stdout)["state"] == "expired"
    wrong = bongsu(server, "maintenance", "start", "shoop", "--for", "99h", *owner, *key)
    assert wrong.returncode != 0
    assert "there is no 'shoop'" in wrong.stderr
    assert "24 h at most" in wrong.stderr


def test_every_change_needs_the_token(server: Server) -> None:
    for path in ("/api/maintenances", "/api/maintenances/x/end", "/api/silences", "/api/silences/x/expire",
                 "/api/incidents/x/reassign"):  # fmt: skip
        assert post(server, path, {}, token=False)[0] == 401, path


def test_a_silence_that_mutes_more_than_was_shown_is_refused_until_confirmed(server: Server) -> None:
    alerts = [{"labels": {"alertname": name, "bongsu_service": "shop"}} for name in ("DiskFull", "DiskSlow")]
    assert server.ask("POST", "/api/v2/alerts", json.dumps(alerts).encode())[0] == 200
    asked = {"matchers": ['alertname=~"Disk.*"'], "by": "jimin", "why": "known"}
    code, found = post(server, "/api/silences/preview", asked, token=False)
    assert (code, found["services"], found["confirm"]) == (200, ["shop"], [])
    shown = [each["fingerprint"] for each in found["alerts"]]
    assert len(shown) == 2
    code, refused = post(server, "/api/silences", {**asked, "shown": shown[:1]})
    assert (code, "1 firing alert" in refused["message"]) == (400, True)
    code, kept = post(server, "/api/silences", {**asked, "shown": shown})
    assert code == 201
    assert post(server, f"/api/silences/{kept['id']}/expire", {})[0] == 200
    code, refused = post(server, "/api/silences", {**asked, "matchers": ['alertname=~".+"'], "shown": shown})
    assert (code, "any alert there may ever be" in refused["message"]) == (400, True)
