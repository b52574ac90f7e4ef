"""Nothing that somebody wrote into a report is lost; promises come back until they are kept."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from bongsu.core.alarms import Why
from bongsu.core.followup import SECTIONS, Edition, Item, matches, merge, reminds, tags_of
from bongsu.core.incident import Ack, Incident, Kind, Seen, Status, Told
from bongsu.core.policy import Policy, Tier
from bongsu.core.review import agenda, earlier

T0 = datetime(2026, 1, 5, 20, 0, tzinfo=UTC)
words = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=12).map(str.strip)
texts = st.dictionaries(st.sampled_from(SECTIONS), words, max_size=4)


def edition(number: int, said: dict[str, str], by: str = "Jimin", tags: tuple[str, ...] = ()) -> Edition:
    return Edition("i1", number, by, T0, said, tags)


@given(texts, texts, texts)
def test_after_a_merge_every_word_that_was_written_still_stands(
    base: dict[str, str], theirs: dict[str, str], mine: dict[str, str]
) -> None:
    first = edition(1, base)
    merged = merge(first, edition(2, theirs), edition(0, mine, "Sora"))
    assert merged.number == 3
    for section in SECTIONS:
        before, there, here = (each.get(section, "") for each in (base, theirs, mine))
        stands = merged.texts.get(section, "")
        if here != before:
            assert here in stands
        if there != before:
            assert there in stands
        assert (section in merged.both) == (len({before, there, here}) == 3)


@given(texts, texts)
def test_over_the_newest_edition_what_is_written_stands_as_it_is(base: dict[str, str], mine: dict[str, str]) -> None:
    latest = edition(4, base)
    merged = merge(latest, latest, edition(0, mine))
    assert merged.texts == {name: text for name, text in mine.items() if text}
    assert (merged.number, merged.both) == (5, ())


def test_tags_that_one_side_removed_are_gone_and_those_that_either_added_are_there() -> None:
    base = edition(1, {}, tags=("sale", "cache"))
    merged = merge(base, edition(2, {"cause": "x"}, tags=("sale",)), edition(0, {}, tags=("sale", "cache", "bots")))
    assert merged.tags == ("sale", "bots")


def test_tags_are_read_as_people_write_them() -> None:
    assert tags_of("#Sale, cache  sale,,#할인") == ("sale", "cache", "할인")


def test_a_report_is_found_by_all_words_and_tags() -> None:
    found = edition(1, {"cause": "The crawler ignored robots.txt", "lessons": "Rate limits"}, tags=("crawler",))
    assert matches(found, ["CRAWLER", "limits"], ["crawler"])
    assert not matches(found, ["crawler", "cache"], [])
    assert not matches(found, [], ["sale"])


def item(due: date) -> Item:
    return Item(1, "i1", "shop", "cache it", "person:jimin", due, "Sora", T0)


@given(st.integers(0, 3), st.integers(1, 60))
def test_an_owner_is_reminded_the_day_before_on_the_day_and_every_week_after(early: int, days: int) -> None:
    due = date(2026, 3, 10)
    now, told = item(due), []
    for offset in range(-early, days):
        today = due + timedelta(days=offset)
        if reminds(now, today):
            told.append(offset)
            now = replace(now, reminded=today)
        assert not reminds(now, today), "once a day"
    wanted = [each for each in (-1, 0, *range(7, days, 7)) if -early <= each < days]
    assert told == wanted
    assert not reminds(replace(now, done_at=T0), due + timedelta(days=500))


def test_a_reminder_that_was_missed_comes_later_and_once() -> None:
    late = date(2026, 3, 13)
    assert reminds(item(date(2026, 3, 10)), late)
    assert not reminds(replace(item(date(2026, 3, 10)), reminded=late), late + timedelta(days=1))


POLICY = Policy("burst", (Tier(timedelta(minutes=5), ("on-call:shop",)),))


def incident(name: str, days: float, status: Status = Status.RESOLVED, **more: object) -> Incident:
    at = T0 + timedelta(days=days)
    seen = Seen(at=at, holding=False, elapsed=timedelta(0), since=None)
    made = Incident(name, "shop", POLICY, at, seen, status=status, began_at=at - timedelta(minutes=5))
    return replace(made, mitigated_at=at + timedelta(minutes=10), **more)


def test_the_agenda_holds_what_was_not_dealt_with_and_compares_the_spans() -> None:
    told = (Told(Kind.TIER, 1, 1, T0, timedelta(minutes=5)),)
    found = agenda(
        [
            incident("old", -20, Status.REVIEWED, ack=Ack("Sora", T0 - timedelta(days=20, minutes=-30), ())),
            incident("taken", -2, ack=Ack("Jimin", T0 - timedelta(days=2, minutes=-4), ()), told=told),
            incident("untaken", -1, told=told),
            incident("missed", -3, told=(Told(Kind.OVER, 0, 1, T0, timedelta(0)),)),
            incident("open", -0.1, Status.TRIGGERED),
        ],
        [item(date(2026, 1, 3)), replace(item(date(2026, 2, 1)), id=2), replace(item(date(2026, 1, 1)), done_at=T0)],
        ["taken"],
        until=T0,
        span=timedelta(days=14),
        today=date(2026, 1, 5),
        outcomes={},
        mailed={"untaken", "taken"},
    )
    assert [each.id for each in found.unreviewed] == ["missed", "taken", "untaken"]
    assert found.undecided == 2
    assert [each.id for each in found.overdue] == [1]
    assert [each.id for each in found.coming] == [2]
    assert [each.id for each in found.untaken] == ["untaken"]
    assert [(each.incident.id, each.why) for each in found.missed_alarms] == [("missed", Why.OVER)]
    assert not found.empty
    assert (found.now.incidents, found.now.acknowledge, found.now.recover) == (4, 240.0, 900.0)
    assert (found.before.incidents, found.before.acknowledge) == (1, 1800.0)


def test_what_comes_back_is_recognised() -> None:
    new = incident("new", 0)
    others = [
        incident("a", -1),
        incident("b", -10),
        incident("c", -100),
        replace(incident("d", -1), service="other"),
        new,
    ]
    assert earlier(new, others) == ("a", "b")
