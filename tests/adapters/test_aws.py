"""AWS through the real boto3 against a server of our own that speaks its JSON and its EC2 XML."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

import pytest

from bongsu.adapters.aws import Aws
from bongsu.adapters.clock import SystemClock
from bongsu.catalogue import load_catalogue
from bongsu.ports import Unavailable

SMALL, T3 = load_catalogue()["lightsail:small-2GB"], load_catalogue()["ec2:t3.small"]
EARLIER, LATER = 1767600000, 1767600300
REFUSED = "i-refused"


class Cloud(BaseHTTPRequestHandler):
    """What AWS would answer; asked for anything else it says so."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        target = self.headers.get("X-Amz-Target", "").rpartition(".")[2]
        if not self.headers.get("Authorization", "").startswith("AWS4-HMAC-SHA256"):
            self._send(403, {"__type": "MissingAuthenticationToken", "message": "unsigned"})
        elif target:
            self._json(target, json.loads(body))
        else:
            self._xml(parse_qs(body))

    def _json(self, target: str, asked: dict[str, object]) -> None:
        if REFUSED in json.dumps(asked):
            self._send(400, {"__type": "AccessDeniedException", "message": "not authorized to perform this"})
        elif target == "GetInstanceMetricData":
            assert asked["unit"] == "Seconds"
            points = [(LATER, 1800.0), (EARLIER, 3600.0)]
            told = [{"average": v, "timestamp": at, "unit": "Seconds"} for at, v in points]
            self._send(200, {"metricName": asked["metricName"], "metricData": told})
        elif target == "GetInstance":
            vcpus = 4 if asked["instanceName"] == "large" else 2
            self._send(200, {"instance": {"bundleId": "any_3_0", "hardware": {"cpuCount": vcpus}}})
        elif target == "GetMetricData":
            values = {"cpucreditbalance": [0.0, 90.0], "cpusurpluscreditbalance": [7.0, 0.0]}
            results = [{"Id": name, "Timestamps": [LATER, EARLIER], "Values": v} for name, v in values.items()]
            self._send(200, {"MetricDataResults": results})
        else:
            self._send(400, {"__type": "UnknownOperationException"})

    def _xml(self, asked: dict[str, list[str]]) -> None:
        (action,) = asked["Action"]
        space = 'xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"'
        if action == "DescribeInstances":
            kind = "t3.large" if asked["InstanceId.1"] == ["i-large"] else "t3.small"
            inner = (
                f"<reservationSet><item><instancesSet><item><instanceType>{kind}</instanceType></item></instancesSet>"
                "</item></reservationSet>"
            )
        else:
            inner = (
                "<instanceCreditSpecificationSet><item><instanceId>i-1</instanceId><cpuCredits>unlimited</cpuCredits>"
                "</item></instanceCreditSpecificationSet>"
            )
        self._answer(200, "text/xml", f"<{action}Response {space}>{inner}</{action}Response>".encode())

    def _send(self, status: int, body: object) -> None:
        self._answer(status, "application/x-amz-json-1.1", json.dumps(body).encode())

    def _answer(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing on stderr."""


@pytest.fixture(scope="module")
def cloud() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Cloud)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "for a server of our own")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


def lightsail(cloud: str, instance: str = "shop-1") -> Aws:
    return Aws("lightsail", "ap-northeast-2", {"m": instance}, SystemClock(), SMALL, cloud)


def ec2(cloud: str, instance: str = "i-1") -> Aws:
    return Aws("ec2", "ap-northeast-2", {"m": instance}, SystemClock(), T3, cloud)


def test_lightsail_tells_seconds_of_the_whole_machine(cloud: str) -> None:
    assert lightsail(cloud).balances() == {
        "m": ((datetime.fromtimestamp(EARLIER, UTC), 120.0), (datetime.fromtimestamp(LATER, UTC), 60.0))
    }


def test_ec2_tells_credits_and_what_is_owed_below_zero(cloud: str) -> None:
    assert [value for _, value in ec2(cloud).balances()["m"]] == [90.0, -7.0]


def test_a_machine_that_is_not_what_was_configured_is_told(cloud: str) -> None:
    assert not lightsail(cloud).doubts()
    assert "4 vCPUs" in lightsail(cloud, "large").doubts()["m"]
    assert "is a t3.large, not ec2:t3.small" in ec2(cloud, "i-large").doubts()["m"]
    mode_doubt = ec2(cloud).doubts()
    assert ("m" in mode_doubt) == (T3.mode != "unlimited")


def test_a_refusal_and_missing_credentials_say_what_to_do(cloud: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Unavailable, match="not authorized to perform this"):
        lightsail(cloud, REFUSED).balances()
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    with pytest.raises(Unavailable, match="there are no credentials; give the machine a role"):
        lightsail(cloud).balances()
