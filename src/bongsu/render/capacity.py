"""Capacity advice in plain sentences."""

from __future__ import annotations

from bongsu.core.advice import Advice, Fault
from bongsu.core.burst import Mode
from bongsu.core.capacity import Option, break_even
from bongsu.render.words import N_, Words

_FAULTS = {
    Fault.PROCESSORS: N_("Today %(fleet)s: not enough, for at the peak more is wanted than the processors can do."),
    Fault.MEAN: N_("Today %(fleet)s: not enough, for more is used on average than the baseline, and the credits end."),
    Fault.BURST: N_("Today %(fleet)s: not enough, for the longest burst spends more credits than the cap holds."),
}


def sentences(advice: Advice, words: Words) -> list[str]:
    """The advice, the most important first."""
    told = [_measured(advice, words), _today(advice, words)]
    best = advice.best
    if best is None:
        told.append(
            words.gettext(
                "No type of this family carries it with up to 100 machines; look at machines without credits."
            )
        )
    else:
        told += [_best(best, words), *_newcomer(best, words)]
    return [*told, *_late(advice, words), *_unlimited(advice, words), *_not_included(advice, words)]


def fleet(option: Option, words: Words) -> str:
    """``3 x lightsail:small-2GB``."""
    return f"{words.number(option.count or 0)} x {option.machine.key}"


def money(amount: float, currency: str, words: Words) -> str:
    """An amount with its currency: whole where it is large."""
    return f"{words.number(amount, 0 if amount >= 100 or amount == int(amount) else 2)} {currency}"


def _measured(advice: Advice, words: Words) -> str:
    cores = advice.load.cores
    said = words.gettext(
        "Wanted in %(days)s days: %(mean)s vCPUs on average, %(peak)s at most (means of five minutes).",
        days=words.number(advice.load.days, 1), mean=words.number(float(cores.mean()), 2),
        peak=words.number(float(cores.max()), 2),
    )  # fmt: skip
    if advice.growth:
        said += " " + words.gettext("%(growth)s are added for growth.", growth=words.percent(advice.growth))
    return said


def _today(advice: Advice, words: Words) -> str:
    own = f"{words.number(advice.machines)} x {advice.machine.key}"
    if advice.fault is None:
        return words.gettext("Today %(fleet)s: enough, for as long as it goes on like this.", fleet=own)
    said = words.gettext(_FAULTS[advice.fault], fleet=own)
    if advice.machine.mode is Mode.UNLIMITED:
        return said + " " + words.gettext("In unlimited mode that is billed, not throttled.")
    return said + " " + words.gettext("While throttled they got less than they wanted: the need may be larger.")


def _best(best: Option, words: Words) -> str:
    values = {
        "fleet": fleet(best, words), "left": words.number(best.lowest), "cap": words.number(best.machine.cap),
        "peak": words.percent(best.peak),
    }  # fmt: skip
    said = words.gettext(
        "Enough: %(fleet)s, with CPU at %(peak)s at the peak and %(left)s of %(cap)s credits left at the worst moment.",
        **values,
    )
    if best.price is not None:
        said += " " + words.gettext(
            "A month costs %(price)s (%(source)s).",
            price=money(best.price, best.machine.currency, words), source=_price_source(best, words),
        )  # fmt: skip
    return said


def _price_source(best: Option, words: Words) -> str:
    machine = best.machine
    if not machine.price_date:
        return words.gettext("your own figure")
    where = words.gettext("every region") if machine.price_region == "all" else machine.price_region
    return words.gettext("list price for Linux of %(date)s, %(region)s", date=machine.price_date, region=where)


def _newcomer(best: Option, words: Words) -> list[str]:
    if not best.wait or best.machine.mode is Mode.UNLIMITED:
        return []
    return [
        words.gettext(
            "A new machine begins with %(opening)s: start it %(wait)s before the worst of the peak, or it runs dry.",
            opening=words.credits(best.machine.launch_credits), wait=words.duration(best.wait),
        )
    ]  # fmt: skip


def _late(advice: Advice, words: Words) -> list[str]:
    late, habit = advice.late, advice.habit
    if late is None or late.added == 0:
        return []
    values = {"runway": words.duration(habit.runway), "boot": words.duration(habit.boot)}
    if late.added is None:
        return [
            words.gettext(
                "Adding machines only when %(runway)s of full burn are left is too late, however many: they begin"
                " poor and take %(boot)s to boot.",
                **values,
            )
        ]
    return [
        words.gettext(
            "Adding machines only when %(runway)s of full burn are left takes %(added)s newcomers each time (they begin"
            " poor and take %(boot)s to boot): %(times)s times in the measured time, %(hours)s machine-hours.",
            added=words.number(late.added), times=words.number(late.times),
            hours=words.number(late.machine_hours), **values,
        )
    ]  # fmt: skip


def _unlimited(advice: Advice, words: Words) -> list[str]:
    own = advice.own
    if own is None or own.cheapest is None or own.count is None:
        return []
    fewer, machine = own.cheapest, own.machine
    spared = own.count - fewer.count
    said = words.gettext(
        "In unlimited mode %(few)s x %(type)s do as well, for %(bill)s a month of surplus credits; without surplus"
        " it takes %(spared)s more.",
        few=words.number(fewer.count), type=machine.key, bill=money(fewer.bill, machine.currency, words),
        spared=words.number(spared),
    )  # fmt: skip
    if fewer.total is None:
        each = money(fewer.bill / spared, machine.currency, words)
        return [said, words.gettext("That is dearer as soon as one machine more costs less than %(each)s.", each=each)]
    best = advice.best
    other = own.price if best is None or best.price is None else best.price
    total = money(fewer.total, machine.currency, words)
    if other is None or fewer.total <= other:
        return [said, words.gettext("That is the cheaper way: %(total)s in all.", total=total)]
    against = money(other, machine.currency, words)
    dearer = words.gettext("That is the dearer way: %(total)s in all against %(other)s.", total=total, other=against)
    return [said, dearer, *_break_even(advice, words)]


def _break_even(advice: Advice, words: Words) -> list[str]:
    best, machine = advice.best, advice.machine
    if best is None or best.machine.month_price is None or machine.month_price is None:
        return []
    at = break_even(machine, best.machine.month_price - machine.month_price)
    if at is None or not machine.baseline < at < 1:
        return []
    return [
        words.gettext(
            "One %(type)s in unlimited mode costs more than one %(other)s once it uses more than %(share)s on average.",
            type=machine.key, other=best.machine.key, share=words.percent(at),
        )
    ]  # fmt: skip


def _not_included(advice: Advice, words: Words) -> list[str]:
    told = []
    unpriced = [each.machine.key for each in advice.options if each.count and each.price is None]
    if unpriced:
        told.append(
            words.gettext(
                "No price is known for %(types)s of these types; give it with --price %(first)s=AMOUNT (a month).",
                types=words.number(len(unpriced)), first=unpriced[0],
            )
        )  # fmt: skip
    if advice.load.filled > 0.005:
        told.append(
            words.gettext(
                "%(share)s of the time was not measured and is filled in from the day before.",
                share=words.percent(advice.load.filled),
            )
        )
    if advice.load.days < 7:
        told.append(words.gettext("Less than a week was measured: a busier day may come."))
    told.append(
        words.gettext(
            "Not looked at: memory, disk and network; a vCPU counts alike in every type; traffic and taxes are extra."
        )
    )
    return told
