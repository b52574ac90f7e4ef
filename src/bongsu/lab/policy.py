"""The escalation policy of a lab, as a value that a scenario can change; the lab writes it into ``bongsu.toml``."""

from __future__ import annotations

from dataclasses import dataclass

NOTIFY = ("on-call:shop", "team:commerce", "team:headquarters")
"""Whom the tiers tell, in this order: the developer on call, the owning department, the upper department."""


@dataclass(frozen=True, slots=True)
class PolicyText:
    """Times in lab minutes. ``without_tier`` (from 1) leaves a tier out: a sabotage that a drill must notice."""

    tiers: tuple[float, ...] = (5.0, 20.0, 40.0)
    settle: float = 2.0
    ack_holds: float = 15.0
    runway_under: float = 30.0
    resolve_full_burn: float = 10.0
    flat_line: bool = True
    without_tier: int | None = None

    def lines(self) -> str:
        """The section's lines."""
        tiers = [
            f'  {{ after = "{minutes(after)}", notify = ["{whom}"] }},'
            for number, (after, whom) in enumerate(zip(self.tiers, NOTIFY, strict=False), start=1)
            if number != self.without_tier
        ]
        return "\n".join(
            [
                "[policy.burst]",
                'signal = "cpu"',
                'over = "baseline"',
                f'settle = "{minutes(self.settle)}"',
                f'ack_holds = "{minutes(self.ack_holds)}"',
                f'resolve_full_burn = "{minutes(self.resolve_full_burn)}"',
                f"flat_line = {str(self.flat_line).lower()}",
                "# the developer on call, then the owning department, then the upper department",
                "tier = [",
                *tiers,
                "]",
                f'ceiling = {{ at = 0.95, samples = 2, notify = ["{NOTIFY[0]}"] }}',
                f'runway = {{ full_burn_under = "{minutes(self.runway_under)}", notify = ["{NOTIFY[0]}"] }}',
            ]
        )


def minutes(count: float) -> str:
    """Minutes as ISO 8601 writes them: ``PT5M``, and in seconds where they are not whole."""
    return f"PT{count:g}M" if float(count).is_integer() else f"PT{count * 60:g}S"
