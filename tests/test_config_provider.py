"""Who is asked for the balance: faults are named with their place."""

from __future__ import annotations

from pathlib import Path

import pytest

from bongsu import config
from bongsu.core.errors import InvalidInput
from tests.web.serving import write_config

MORE = '[service.shop.provider]\nkind = "ec2"\nregion = "ap-northeast-2"\ninstances = {}\n'


def test_a_provider_that_cannot_know_is_refused_with_every_fault(tmp_path: Path) -> None:
    file = write_config(tmp_path, more=MORE)
    with pytest.raises(InvalidInput) as refused:
        config.load(file)
    assert any("ec2 does not sell lightsail:small-2GB" in each for each in refused.value.problems)
    assert any("instances: name at least one" in each for each in refused.value.problems)
    good = MORE.replace("ec2", "lightsail").replace("{}", '{ "10.0.0.5:8080" = "shop-1" }')
    loaded = config.load(write_config(tmp_path, more=good))
    assert loaded.service["shop"].provider is not None
