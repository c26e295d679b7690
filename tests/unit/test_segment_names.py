"""Names of segments: plain words, no two alike, kept while they are true."""

from dataclasses import replace

import pytest

from portfolio_ml.models.segment_names import EVERYBODY, Portrait, segment_names
from portfolio_ml.models.segments import INPUTS

pytestmark = pytest.mark.unit


def a(*, days=4.0, overdue=1.5, before="", **place):
    return Portrait(dict.fromkeys(INPUTS, 0.0) | place, days, overdue, before)


def test_a_name_says_how_customers_buy_spend_and_whether_they_are_here():
    assert segment_names(
        [
            a(purchase_days=1.0, monetary=1.0, overdue=1.5),
            a(purchase_days=-1.0, monetary=-1.0, overdue=6.0),
            a(overdue=3.0),
            a(days=1.0, tenure_days=-1.5, overdue=0.5),
            a(tenure_days=1.5),
        ]
    ) == (
        "frequent big spenders, cooling",
        "rare small spenders, long gone",
        "occasional buyers, quiet",
        "new one-time buyers, here lately",
        "longstanding occasional buyers, cooling",
    )


def test_one_segment_is_all_customers():
    assert segment_names([a()]) == (EVERYBODY,)


def test_the_trait_in_which_two_differ_most_tells_them_apart():
    assert segment_names([a(tenure_days=0.2, monetary=0.1), a(tenure_days=-0.2)]) == (
        "occasional buyers, cooling, longer with us",
        "occasional buyers, cooling, newer",
    )


def test_several_alike_are_told_apart_by_halves():
    alike = [
        a(monetary=0.5, recency_days=0.2),
        a(monetary=0.4, recency_days=-0.2),
        a(monetary=-0.5),
    ]
    assert segment_names(alike) == (
        "occasional buyers, cooling, larger tickets, away for longer",
        "occasional buyers, cooling, larger tickets, seen more recently",
        "occasional buyers, cooling, smaller tickets",
    )


def test_segments_that_are_the_same_in_everything_still_have_words():
    assert segment_names([a(), a()]) == (
        "occasional buyers, cooling, the first of them",
        "occasional buyers, cooling, the second of them",
    )


@pytest.mark.parametrize(
    ("monetary", "spending"), [(0.9, "big spenders"), (0.4, "big spenders"), (0.3, "buyers")]
)
def test_a_word_stays_until_it_is_plainly_wrong(monetary, spending):
    before = "frequent big spenders, cooling"
    kept, _ = segment_names([a(purchase_days=0.5, monetary=monetary, before=before), a()])
    assert kept == f"frequent {spending}, cooling"


def test_what_told_two_apart_stays_while_it_is_true():
    older = a(tenure_days=0.1, monetary=0.5)
    newer = a(tenure_days=-0.1)
    names = [f"occasional buyers, cooling, {word}" for word in ("longer with us", "newer")]
    assert segment_names([older, newer])[0] != names[0]  # tickets differ more
    kept = [replace(p, name_before=n) for p, n in zip((older, newer), names, strict=True)]
    assert segment_names(kept) == tuple(names)
    assert segment_names([kept[0], a(purchase_days=2.0)])[0] == names[0]
    wrong = [replace(p, name_before=n) for p, n in zip((newer, older), names, strict=True)]
    assert segment_names(wrong)[0] == "occasional buyers, cooling, smaller tickets"


def test_a_new_segment_does_not_take_the_name_of_one_that_stays():
    kept = a(purchase_days=0.1, before="occasional buyers, cooling")
    assert len({*segment_names([kept, a(), a(tenure_days=0.5)])}) == 3
