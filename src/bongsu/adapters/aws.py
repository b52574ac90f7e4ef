"""The provider's own word on burst credits: Lightsail and EC2 through boto3, which is loaded only when it is asked."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from bongsu.core.burst import MachineType, Mode
from bongsu.ports import Clock, Samples, Unavailable

T = TypeVar("T")
PERIOD = 300
"""Seconds between the points of either service."""
LOOK_BACK = timedelta(minutes=30)
KINDS = ("lightsail", "ec2")
CONNECT_S, READ_S, TRIES = 5, 10, 2


class Aws:
    """``instances``: the provider's instance by the machine's name in the metrics store. Credentials: boto3's chain."""

    def __init__(
        self,
        kind: str,
        region: str,
        instances: Mapping[str, str],
        clock: Clock,
        machine: MachineType,
        endpoint: str | None = None,
    ) -> None:
        self._kind, self._region, self._endpoint = kind, region, endpoint
        self._instances, self._clock, self._machine = dict(instances), clock, machine
        self._clients: dict[str, Any] = {}

    def balances(self) -> Mapping[str, Samples]:
        """Credits (vCPU-minutes) of the last half hour, by machine, in wall time. Raises Unavailable."""
        read = self._lightsail if self._kind == "lightsail" else self._ec2
        return self._ask(lambda: {name: read(instance) for name, instance in self._instances.items()})

    def doubts(self) -> Mapping[str, str]:
        """Where the provider says that a machine is not what was configured, a sentence each. Raises Unavailable."""
        check = self._lightsail_doubt if self._kind == "lightsail" else self._ec2_doubt
        found = self._ask(lambda: {name: check(instance) for name, instance in self._instances.items()})
        return {name: doubt for name, doubt in found.items() if doubt}

    def _client(self, service: str) -> Any:
        if service not in self._clients:
            import boto3
            from botocore.config import Config

            settings = Config(connect_timeout=CONNECT_S, read_timeout=READ_S, retries={"max_attempts": TRIES})
            self._clients[service] = boto3.session.Session().client(
                service, region_name=self._region, endpoint_url=self._endpoint, config=settings
            )
        return self._clients[service]

    def _ask(self, question: Callable[[], T]) -> T:
        try:
            from botocore.exceptions import (
                BotoCoreError,
                ClientError,
                NoCredentialsError,
            )
        except ImportError:
            raise Unavailable("asking AWS needs boto3: pip install 'bongsu[aws]'") from None
        try:
            return question()
        except NoCredentialsError:
            raise Unavailable(
                f"AWS {self._region}: there are no credentials; give the machine a role, or set AWS_ACCESS_KEY_ID and "
                "AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
            ) from None
        except (BotoCoreError, ClientError) as error:
            raise Unavailable(f"AWS {self._region}: {error}") from None

    def _since(self) -> tuple[datetime, datetime]:
        now = self._clock.now().astimezone(UTC)
        return now - LOOK_BACK, now

    def _lightsail(self, instance: str) -> Samples:
        """Seconds that the whole machine could run at 100 %, so credits are minutes of it times the vCPUs."""
        begin, end = self._since()
        answer = self._client("lightsail").get_instance_metric_data(
            instanceName=instance,
            metricName="BurstCapacityTime",
            period=PERIOD,
            startTime=begin,
            endTime=end,
            unit="Seconds",
            statistics=["Average"],
        )
        return _in_order(
            (each["timestamp"], each["average"] / 60 * self._machine.vcpus) for each in answer["metricData"]
        )

    def _ec2(self, instance: str) -> Samples:
        begin, end = self._since()
        names = ("CPUCreditBalance", "CPUSurplusCreditBalance")
        answer = self._client("cloudwatch").get_metric_data(
            StartTime=begin,
            EndTime=end,
            MetricDataQueries=[
                {
                    "Id": name.lower(),
                    "MetricStat": {
                        "Metric": {
                            "Namespace": "AWS/EC2",
                            "MetricName": name,
                            "Dimensions": [{"Name": "InstanceId", "Value": instance}],
                        },
                        "Period": PERIOD,
                        "Stat": "Average",
                    },
                }
                for name in names
            ],
        )
        found = {
            each["Id"]: dict(zip(each["Timestamps"], each["Values"], strict=True))
            for each in answer["MetricDataResults"]
        }
        surplus = found.get(names[1].lower(), {})
        # what is owed stands below zero, so that one figure tells both
        return _in_order((at, value - surplus.get(at, 0.0)) for at, value in found.get(names[0].lower(), {}).items())

    def _lightsail_doubt(self, instance: str) -> str | None:
        found = self._client("lightsail").get_instance(instanceName=instance)["instance"]
        vcpus = found.get("hardware", {}).get("cpuCount")
        if vcpus is None or vcpus == self._machine.vcpus:
            return None
        return (
            f"Lightsail says that {instance} has {vcpus} vCPUs (bundle {found.get('bundleId', 'unknown')}); "
            f"{self._machine.key} has {self._machine.vcpus}. Correct service.NAME.machine"
        )

    def _ec2_doubt(self, instance: str) -> str | None:
        client = self._client("ec2")
        reservations = client.describe_instances(InstanceIds=[instance])["Reservations"]
        kind = reservations[0]["Instances"][0]["InstanceType"]
        provider, _, ours = self._machine.key.partition(":")
        if provider == "ec2" and ours != kind:
            return f"EC2 says that {instance} is a {kind}, not {self._machine.key}. Correct service.NAME.machine"
        said = client.describe_instance_credit_specifications(InstanceIds=[instance])
        for each in said["InstanceCreditSpecifications"]:
            if each["CpuCredits"] != self._machine.mode:
                return f"EC2 says that {instance} is in mode {each['CpuCredits']}, not {Mode(self._machine.mode)}"
        return None


def _in_order(points: Any) -> Samples:
    return tuple(sorted((at.astimezone(UTC), float(value)) for at, value in points if math.isfinite(value)))
