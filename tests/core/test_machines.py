"""The machine catalogue checks itself, and knows what a mistyped name meant."""

from __future__ import annotations

import pytest

from bongsu.catalogue import load_catalogue
from bongsu.core.burst import MachineType, Mode
from bongsu.core.errors import InvalidInput
from bongsu.core.machines import faults, nearest, parse_catalogue

HEAD = "provider,type,vcpus,baseline_per_vcpu,earn_per_hour,cap,launch_credits,default_mode,valid_from\n"


def test_every_row_that_ships_agrees_with_itself_and_says_where_it_is_from() -> None:
    catalogue = load_catalogue()
    assert len(catalogue) == 72
    for machine in catalogue.values():
        assert faults(machine) == []
        assert machine.source
        assert machine.valid_from
        assert machine.cap == pytest.approx(24 * 60 * machine.earn_per_minute, rel=0.005)
    assert catalogue["azure:B16ms"].earn_per_minute * 60 == 162
    assert catalogue["ec2:t3.nano"].mode is Mode.UNLIMITED


def test_all_bad_rows_are_told_at_once() -> None:
    rows = ["x,a,2,0.2,99,576,,,", "x,b,two,0.2,24,576,,,", "x,c,2,1.5,24,576,,,", "x,d,2,0.2,24,576,,endless,",
            "x,e,2,0.2,24,576,-1,,yesterday", "x,f,2,0.2,24,576,,,", "x,f,2,0.2,24,576,,,"]  # fmt: skip
    with pytest.raises(InvalidInput) as caught:
        parse_catalogue(HEAD + "\n".join(rows) + "\n")
    told = "\n".join(caught.value.problems)
    for number, name in enumerate("abcde", start=2):
        assert f"line {number} (x:{name})" in told
    assert "x:f): this type stands there twice" in told
    assert "launch_credits -1" in told
    assert "write 2026-01-31" in told


def test_a_file_without_its_columns_says_which() -> None:
    with pytest.raises(InvalidInput, match="no column vcpus"):
        parse_catalogue("provider,type\nx,y\n")


def test_a_row_is_what_it_says() -> None:
    assert parse_catalogue(HEAD + "x,y,2,0.2,24,576,,,\n") == {"x:y": MachineType("x:y", 2, 0.2, 576)}


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("t3.small", "ec2:t3.small"),
        ("EC2:T3.SMALL", "ec2:t3.small"),
        ("ec2:t3.smal", "ec2:t3.small"),
        ("Standard_B2s", "azure:B2s"),
        ("lightsail:small_2gb", "lightsail:small-2GB"),
    ],
)
def test_the_nearest_names(typed: str, meant: str) -> None:
    assert meant in nearest(typed, load_catalogue())


def test_nonsense_has_no_neighbour() -> None:
    assert nearest("xyzzy", load_catalogue()) == []
