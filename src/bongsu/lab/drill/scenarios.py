"""The evenings that can be rehearsed, and the ways to sabotage one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from bongsu.core.drill import Scenario

NOBODY, RESPONDED, ACK_ONLY = "nobody-acts", "responded", "acknowledged-only"
RUNS = (NOBODY, RESPONDED, ACK_ONLY)

FLASH_SALE = Scenario("flash-sale")
# The same evening in a third of the time: shorter tiers, fewer credits.
SHORT = replace(
    FLASH_SALE,
    name="flash-sale-short",
    opening_balance=18.0,
    newcomer_balance=20.0,
    calm_minutes=4.0,
    tiers=(5.0, 10.0, 15.0),
    ack_holds=6.0,
    runway_under=2.0,
    resolve_full_burn=2.0,
    after_exhaustion=8.0,
    rises_for=4.0,
)
SCENARIOS: Mapping[str, Scenario] = {each.name: each for each in (FLASH_SALE, SHORT)}


@dataclass(frozen=True, slots=True)
class Sabotage:
    """Something broken on purpose in one run, and the expectation that must notice it."""

    name: str
    run: str
    noticed_by: str
    without_tier: int | None = None
    dead_mail: bool = False
    ignore_acks: bool = False
    no_flat_line: bool = False


SABOTAGES = (
    Sabotage("tier removed", NOBODY, "tier 2 told in its time", without_tier=2),
    Sabotage("SMTP dead", NOBODY, "tier 1 told in its time", dead_mail=True),
    Sabotage("acknowledgements ignored", ACK_ONLY, "the department is told when the hold expires", ignore_acks=True),
    Sabotage("flat-line rule off", NOBODY, "throttling is told", no_flat_line=True),
)
