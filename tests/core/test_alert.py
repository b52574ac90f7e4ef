"""What an alert may be labelled with."""

from __future__ import annotations

import re

from hypothesis import example, given
from hypothesis import strategies as st

from bongsu.core.alert import label_name, label_names

_NAMES = st.lists(st.text(st.sampled_from("aZ_09-. é한²\n"), max_size=4) | st.text(max_size=3), max_size=4)


@given(_NAMES)
@example(["class", "_", "a0"])
@example(["0a"])
@example(["a", ""])
@example(["a", "é"])
def test_a_label_name_is_what_prometheus_takes_for_one(names: list[str]) -> None:
    """https://prometheus.io/docs/concepts/data_model: ``[a-zA-Z_][a-zA-Z0-9_]*``."""
    plain = [re.fullmatch(r"[a-zA-Z_][a-zA-Z0-9_]*", name) is not None for name in names]
    assert [label_name(name) for name in names] == plain
    assert label_names(names) is all(plain)
