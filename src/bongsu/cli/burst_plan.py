"""``bongsu burst plan``: how many machines of which type carry the measured demand, and at what price."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from bongsu.cli.subject import DEFAULT, configuration, pasts_of, subject
from bongsu.core.errors import InvalidInput

if TYPE_CHECKING:  # numpy comes with it
    from bongsu.config import Config
    from bongsu.core.advice import Advice
    from bongsu.core.burst import MachineType
    from bongsu.core.capacity import Option
    from bongsu.render.words import Words


def plan(
    csv: Annotated[
        list[Path] | None, typer.Option("--csv", help="timestamp,value: the CPU of one machine.", metavar="FILE")
    ] = None,
    since: Annotated[str | None, typer.Option(help="Ask Prometheus for so long, such as 30d.", metavar="TIME")] = None,
    machine: Annotated[str | None, typer.Option(help="Today's machine type, where no service says it.")] = None,
    service: Annotated[str | None, typer.Option(help="The service, where bongsu.toml has several.")] = None,
    types: Annotated[
        list[str] | None, typer.Option("--type", help="A type to compare, instead of the whole family.", metavar="TYPE")
    ] = None,
    price: Annotated[
        list[str] | None,
        typer.Option(help="What a type costs a month, where the catalogue does not know.", metavar="TYPE=AMOUNT"),
    ] = None,
    growth: Annotated[float, typer.Option(help="Plan for so many percent more.", min=-90.0, max=1000.0)] = 0.0,
    least: Annotated[int, typer.Option("--at-least", help="Never propose fewer machines.", min=1, max=100)] = 1,
    boot: Annotated[float, typer.Option(help="Minutes until a new machine answers.", min=0.0)] = 5.0,
    runway: Annotated[
        float, typer.Option(help="Minutes of full burn left when machines are added late.", min=0.0)
    ] = 30.0,
    locale: Annotated[str | None, typer.Option(help="Language of the sentences: en or ko.")] = None,
    config: Annotated[
        Path, typer.Option("--config", "-c", envvar="BONGSU_CONFIG", help="The configuration file.", metavar="FILE")
    ] = DEFAULT,
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of a table.")] = False,
) -> None:
    """How many machines of which type carry the measured demand for ever, at what price.

    Examples: bongsu burst plan --csv shop-1.csv --csv shop-2.csv --machine lightsail:small-2GB

    bongsu burst plan --since 30d --service shop --growth 20 --at-least 2 --json
    """  # fmt: skip
    from bongsu.cli.surroundings import own_locale
    from bongsu.config import LOCALES
    from bongsu.core.advice import advise
    from bongsu.core.lateness import Habit
    from bongsu.render.words import Words

    if locale is not None and locale not in LOCALES:
        raise InvalidInput([f"--locale: {locale!r} is not spoken here; use {' or '.join(LOCALES)}"])
    loaded = configuration(config)
    today, _, name = subject(loaded, machine, service, config)
    today, compared = _types(loaded, today, types or [], price or [])
    pasts, notes = pasts_of(csv or [], since, loaded, name)
    courses = [(each.begin, each.demand.astype("float64")) for each in pasts]
    if all(bool((course != course).all()) for _, course in courses):
        raise InvalidInput(["there is no usable point: " + "; ".join(notes)])
    habit = Habit(timedelta(minutes=runway), timedelta(minutes=boot))
    advice = advise(courses, today, compared, growth / 100, least, habit)
    words = Words(locale or own_locale())
    if as_json:
        print(json.dumps(as_data(advice, words, notes), indent=2, ensure_ascii=False))  # noqa: T201 - the output
        return
    show(advice, words, notes, Console(highlight=False, soft_wrap=True))


def _types(
    loaded: Config | None, today: MachineType, asked: Sequence[str], prices: Sequence[str]
) -> tuple[MachineType, list[MachineType]]:
    """Today's type and those compared, with the prices that were given; every fault is told at once."""
    from bongsu.catalogue import load_catalogue
    from bongsu.config.machines import machines_of, unknown
    from bongsu.core.advice import family

    known = dict(load_catalogue() if loaded is None else machines_of(loaded))
    problems = [f"--type: {unknown(key, known)}" for key in asked if key not in known]
    for text in prices:
        key, _, amount = text.rpartition("=")
        if key not in known:
            problems.append(f"--price {text}: {unknown(key, known) if key else 'write TYPE=AMOUNT'}")
        elif (value := _amount(amount)) is None:
            problems.append(f"--price {text}: {amount!r} is not an amount; write {key}=12.50")
        else:
            known[key] = replace(known[key], month_price=value, price_date="", price_region="")
    if problems:
        raise InvalidInput(problems)
    today = known[today.key]
    chosen = [known[key] for key in dict.fromkeys((today.key, *asked))] if asked else family(today, known.values())
    return today, [each for each in chosen if each.cap > 0]


def _amount(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and value >= 0 else None


def as_data(advice: Advice, words: Words, notes: Sequence[str]) -> dict[str, Any]:
    """Everything, for ``--json``."""
    from bongsu.render.capacity import sentences

    load, late, best = advice.load, advice.late, advice.best
    return {
        "today": {"machine": advice.machine.key, "machines": advice.machines, "carries": advice.fault is None,
                  "fault": advice.fault},
        "demand": {"days": round(load.days, 3), "vcpus_mean": _round(float(load.cores.mean())),
                   "vcpus_peak": _round(float(load.cores.max())), "growth": advice.growth,
                   "busiest_against_even": _round(load.skew), "filled_in": _round(load.filled)},
        "best": None if best is None else {"machine": best.machine.key, "count": best.count},
        "options": [_option(each) for each in advice.options],
        "late": None if late is None else {
            "added": late.added, "times": late.times, "machine_hours": _round(late.machine_hours),
            "starved_minutes": _round(late.starved), "boot_minutes": advice.habit.boot.total_seconds() / 60,
            "runway_minutes": advice.habit.runway.total_seconds() / 60,
        },
        "sentences": sentences(advice, words),
        "notes": list(notes),
    }  # fmt: skip


def _option(each: Option) -> dict[str, Any]:
    machine = each.machine
    found: dict[str, Any] = {"machine": machine.key, "count": each.count}
    if each.count is None:
        return found
    return found | {
        "cpu_peak": _round(each.peak), "cpu_mean": _round(each.mean), "baseline": machine.baseline,
        "credits_lowest": _round(each.lowest), "cap": machine.cap,
        "newcomer_waits_minutes": each.wait.total_seconds() / 60, "month_price": each.price,
        "currency": machine.currency, "price_date": machine.price_date or None,
        "price_region": machine.price_region or None,
        "unlimited": [{"count": one.count, "surplus_a_month": _round(one.bill), "month_price": one.total}
                      for one in each.surplus],
    }  # fmt: skip


def _round(value: float) -> float | None:
    return round(value, 4) if math.isfinite(value) else None


def show(advice: Advice, words: Words, notes: Sequence[str], console: Console) -> None:
    """A row for each type, the proposed one bold, and the sentences."""
    from bongsu.render.capacity import sentences

    table = Table(box=None, pad_edge=False, caption=words.gettext(
        "peak, mean: CPU of one machine (mean beside its baseline); left: credits at the worst moment, of the cap;"
        " lead: how long before it a new machine must start; unlimited: machines + surplus a month"
    ), caption_justify="left")  # fmt: skip
    for title in _titles(words):
        table.add_column(title, justify="right" if table.columns else "left", no_wrap=True)
    for each in advice.options:
        table.add_row(*_row(each, words), style="bold" if each is advice.best else "")
    console.print(table)
    for sentence in sentences(advice, words):
        console.print(sentence, markup=False)
    for note in notes:
        console.print(f"note: {note}", style="yellow", markup=False)


def _titles(words: Words) -> tuple[str, ...]:
    _ = words.gettext
    return _("type"), _("machines"), _("peak"), _("mean"), _("left"), _("lead"), _("a month"), _("unlimited")


def _row(each: Option, words: Words) -> list[str]:
    from bongsu.core.burst import Mode
    from bongsu.render.capacity import money

    machine = each.machine
    if each.count is None:
        return [machine.key, "-"]
    price = "?" if each.price is None else money(each.price, machine.currency, words)
    fewer = each.cheapest
    surplus = "" if fewer is None else f"{fewer.count} + {money(fewer.bill, machine.currency, words)}"
    lead = words.gettext("%(n)s h", n=math.ceil(each.wait.total_seconds() / 3600)) if each.wait else ""
    return [
        machine.key, str(each.count), words.percent(each.peak),
        f"{each.mean * 100:.0f}/{words.percent(machine.baseline)}", words.percent(each.lowest / machine.cap),
        lead if machine.mode is Mode.STANDARD else "", price, surplus,
    ]  # fmt: skip
