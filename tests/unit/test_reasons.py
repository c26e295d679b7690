"""Churn reasons: exact contributions, told as codes whose sentences are true of the customer."""

import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from tests.simulated import simulated

from portfolio_ml.features.page import everything
from portfolio_ml.models.churn import churn_candidates, fit_churn_trees
from portfolio_ml.models.reasons import explained, page
from portfolio_ml.models.reasons.codes import (
    BY_CODE,
    BY_RULE,
    REASONS,
    sentences,
    spoken_for,
    told,
)
from portfolio_ml.models.reasons.explained import Pushes, churn_reasons, pushes
from portfolio_ml.models.reasons.reason import Figures
from portfolio_ml.models.reasons.relations import OTHER
from portfolio_ml.models.trees import DEFAULTS
from portfolio_ml.training import recency_weight

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parents[2]
NAMES = everything().names

# A steady customer, of whom no sentence is true.
STEADY = {
    "recency_days": 10,
    "tenure_days": 400,
    "purchase_days": 14,
    "gap_median_days": 30.0,
    "gap_mean_days": 30.0,
    "gap_longest_days": 40.0,
    "gap_change": 0.0,
    "gap_irregularity": 0.3,
    "recency_to_longest_gap": 0.25,
    "typical_gap_days": 31.0,
    "overdue_ratio": 0.3,
    "rfm_f": 4,
    "rfm_m": 4,
    "monetary": 50.0,
    "purchase_days_30d": 1,
    "purchase_days_60d": 2,
    "purchase_days_90d": 3,
    "purchase_days_180d": 6,
    "purchase_days_365d": 12,
    "spend_30d": 50.0,
    "spend_90d": 150.0,
    "spend_180d": 300.0,
    "spend_365d": 600.0,
    "spend_change_30d": 0.0,
    "spend_change_90d": 0.0,
    "spend_change_180d": 0.0,
}


ONCE = {
    "recency_days": 92,
    "overdue_ratio": 1.6,
    "purchase_days": 1,
    **dict.fromkeys(("gap_median_days", "gap_irregularity", "recency_to_longest_gap")),
}


def customer(**values):
    known = dict.fromkeys(NAMES) | STEADY | values
    return pa.table({name: pa.array([value], pa.float32()) for name, value in known.items()})


def said(code, subject="", **values):
    return BY_CODE[code].sentence(Figures(customer(**values), subject))


# Codes and features


def test_every_feature_of_the_catalogue_speaks_for_one_code():
    for name in NAMES:
        code, _ = spoken_for(name, NAMES)
        assert code != OTHER, f"{name} has no code"
        matching = [
            reason.code
            for reason in REASONS
            if reason.code != OTHER and any(re.fullmatch(p, name) for p in reason.features)
        ]
        assert matching == [code]


def test_every_code_is_there_once_and_those_that_stand_in_are_there():
    assert len(BY_CODE) == len(REASONS)
    for reason in REASONS:
        assert {*reason.otherwise} <= {*BY_CODE} - {reason.code}


def test_every_code_can_be_told():
    reached = {spoken_for(name, NAMES)[0] for name in NAMES}
    stand_in = {code for code in reached for code in BY_CODE[code].otherwise}
    assert reached | stand_in | {OTHER} == {*BY_CODE}


@pytest.mark.parametrize(
    ("feature", "code"),
    [
        ("nights_away", "OWN_FEATURE:nights_away"),
        ("region_known_share", "PROFILE:region"),
        ("service_cost_change_365d", "PROFILE:service_cost"),
        ("interactions_90d", "ENGAGEMENT_FADING"),
        ("last_survey_interactions_days", "ENGAGEMENT_FADING:survey"),
        ("survey_value_change", "INTERACTION_VALUE:survey"),
        ("basket_value_change", "OWN_FEATURE:basket_value_change"),  # no such interactions
        ("p_alive_bg_nbd", "OVERDUE"),
        ("p_no_purchase", "FEW_PURCHASES"),
    ],
)
def test_a_feature_speaks_for_its_code(feature, code):
    assert told(*spoken_for(feature, ["survey_interactions_365d"])) == code


# Sentences


@pytest.mark.parametrize(
    ("code", "values", "sentence"),
    [
        (
            "OVERDUE",
            {"recency_days": 92, "overdue_ratio": 2.9},
            "no purchase for 92 days, usually every 30 days",
        ),
        (
            "OVERDUE",
            {"recency_days": 41, "overdue_ratio": 1.3, "recency_to_longest_gap": 1.025},
            "no purchase for 41 days, longer than ever before (40 days)",
        ),
        ("LONG_SILENCE", {"recency_days": 60, "overdue_ratio": 1.5}, "no purchase for 60 days"),
        (
            "BUYING_LESS_OFTEN",
            {"purchase_days_90d": 1},
            "1 purchase day in the last 90 days, of 6 in the last 180",
        ),
        (
            "BUYING_LESS_OFTEN",
            {"gap_change": 0.5},
            "the last gaps between purchases were 1.5 times as long as those before",
        ),
        (
            "SPEND_FALLING",
            {"spend_change_90d": -0.4},
            "spent 40 % less in the last 90 days than in the 90 before",
        ),
        (
            "SPEND_FALLING",
            {"spend_change_90d": -0.999},
            "spent 99 % less in the last 90 days than in the 90 before",
        ),
        (
            "FEW_PURCHASES",
            {"purchase_days": 6, "rfm_f": 2},
            "6 purchase days in 400 days, fewer than most",
        ),
        (
            "TICKET_FALLING",
            {"ticket_trend": -0.25},
            "spends 25 % less on a purchase day than before",
        ),
        ("FEW_PURCHASES", {"purchase_days": 1}, "bought only once"),
        ("FEW_PURCHASES", {"purchase_days": 2}, "only 2 purchase days in 400 days"),
        ("NEW_CUSTOMER", {"tenure_days": 12}, "new: the first purchase was 12 days ago"),
        # 14 purchase days: the portfolio's gap is 31 x 14 - 30 x 13 = 44 days.
        ("LONG_CYCLE", {"gap_median_days": 33.0}, "buys only every 33 days"),
        (
            "LOW_SPEND",
            {"rfm_m": 1, "monetary": 7.5},
            "spends 7.50 on a purchase day, less than most",
        ),
        (
            "BASKET_NARROWING",
            {"categories": 5, "categories_365d": 3},
            "bought in 3 of 5 categories within the last year",
        ),
        (
            "MANY_RETURNS",
            {"return_share": 0.1, "return_share_365d": 0.3},
            "returns are rising: 30 % of the last year's spend, 10 % of all",
        ),
        (
            "SPEND_FALLING",
            {"spend_90d": 30.0, "spend_change_90d": -0.7},
            "spent 70 % less in the last 90 days than in the 90 before",
        ),
        ("NOT_CONTACTED", {"contacts_365d": 0}, "never contacted by us"),
        ("CONTRACT_ENDING", {"contract_days_left": 30}, "the contract ends in 30 days"),
        ("CONTRACT_ENDING", {"contract_days_left": -1}, "the contract ended 1 day ago"),
    ],
)
def test_a_sentence_tells_the_customers_figures(code, values, sentence):
    assert said(code, **values) == sentence


def test_a_sentence_names_its_subject():
    calls = {"call_interactions_90d": 1, "call_interactions_365d": 9}
    few = "1 of the last year's 9 call interactions were in the last 90 days"
    assert sentences("ENGAGEMENT_FADING:call", _with(calls)) == (few,)
    assert sentences("OWN_FEATURE:nights_away", _with({"nights_away": 4})) == (
        "the nights away is 4, which raises the risk",
    )
    moved = {"region_known_share": 0.2, "region_changed_365d": 1}
    assert sentences("PROFILE:region", _with(moved)) == ("the region changed within the last year",)


def _with(values):
    table = customer()
    for name, value in values.items():
        table = table.append_column(name, pa.array([value], pa.float32()))
    return table


def test_nothing_is_said_of_a_steady_customer():
    assert [code for code in BY_CODE if said(code) is not None] == []


def test_nothing_is_said_where_nothing_is_known():
    nothing = pa.table({name: pa.nulls(1, pa.float32()) for name in NAMES})
    told = [c for c in BY_CODE if BY_CODE[c].sentence(Figures(nothing, "income")) is not None]
    assert told == []


@pytest.mark.parametrize(
    ("code", "values"),
    [
        ("OVERDUE", {"recency_days": 92, "overdue_ratio": 2.9, "gap_irregularity": None}),
        ("OVERDUE", {"recency_days": 92, "overdue_ratio": 2.9, "gap_irregularity": 1.2}),
        ("SPEND_FALLING", {"spend_change_90d": 0.4, "spend_slope": -20}),
        ("SPEND_FALLING", {"spend_change_90d": -1, "spend_90d": 0}),  # silence, not less
        ("BUYING_LESS_OFTEN", {"purchase_days_90d": 3, "purchase_days_180d": 5}),
        ("BUYING_LESS_OFTEN", {"purchase_days_90d": 0, "purchase_days_365d": 6}),
        ("FEW_PURCHASES", {"purchase_days": 2, "tenure_days": 20}),
        ("TICKET_FALLING", {"ticket_trend": 0.2, "ticket_slope": -3}),
        ("BASKET_NARROWING", {"categories": 5, "categories_365d": 0}),
    ],
)
def test_nothing_is_said_that_is_not_true(code, values):
    assert said(code, **values) is None


WHOLE, PERCENT = r"([\d,]+)", r"(\d+) %"
ORACLES = {
    rf"no purchase for {WHOLE} days?, usually every {WHOLE} days?": lambda c, away, usual: (
        away == c["recency_days"] > usual == round(c["gap_median_days"]) and c["purchase_days"] > 2
    ),
    rf"no purchase for {WHOLE} days?, longer than ever before \({WHOLE} days?\)": (
        lambda c, away, longest: away == c["recency_days"] > longest == c["gap_longest_days"]
    ),
    rf"no purchase for {WHOLE} days?": lambda c, away: (
        away == c["recency_days"] > c["typical_gap_days"]
    ),
    rf"{WHOLE} purchase days? in the last (\d+) days, of {WHOLE} in the last (\d+)": (
        lambda c, few, window, all_days, both: (
            few == c[f"purchase_days_{window}d"] < all_days / 2
            and all_days == c[f"purchase_days_{both}d"]
        )
    ),
    rf"spent {PERCENT} less in the last (\d+) days than in the \d+ before": (
        lambda c, less, days: (
            c[f"spend_{days}d"] > 0
            and less / 100 <= -c["spend_trend" if days == 365 else f"spend_change_{days}d"]
        )
    ),
    rf"spends {PERCENT} less on a purchase day than before": lambda c, less: (
        less / 100 <= -c["ticket_trend"]
    ),
    "bought only once": lambda c: c["purchase_days"] == 1,
    rf"(?:only )?{WHOLE} purchase days in {WHOLE} days(?:, fewer than most)?": (
        lambda c, bought, days: (
            bought == c["purchase_days"]
            and days == c["tenure_days"] >= 90
            and (bought <= 3 or c["rfm_f"] <= 2)
        )
    ),
    rf"new: the first purchase was {WHOLE} days? ago": lambda c, days: (
        days == c["tenure_days"] < 90
    ),
}


def test_a_sentence_is_true_of_every_customer_it_is_said_of():
    """Read again from the text, and checked against the customer's own figures."""
    rng = np.random.default_rng(5)
    read = dict.fromkeys(ORACLES, 0)
    for row in (_anybody(rng) for _ in range(300)):
        table = customer(**row)
        known = table.to_pylist()[0]
        for code in BY_CODE:
            sentence = BY_CODE[code].sentence(Figures(table)) or ""
            for pattern, is_true in ORACLES.items():
                if match := re.fullmatch(pattern, sentence):
                    figures = (int(g.replace(",", "")) for g in match.groups())
                    assert is_true(known, *figures), (sentence, known)
                    read[pattern] += 1
    assert min(read.values()) > 0, read


def _anybody(rng):
    """A customer by chance; some figures of the spend are unknown."""
    bought = int(rng.integers(1, 9))
    recency = int(rng.integers(0, 300))
    typical = float(rng.integers(5, 120))
    longest = int(rng.integers(10, 200))
    counts = np.cumsum(rng.integers(0, 5, 5))
    known = {
        "recency_days": recency,
        "tenure_days": recency + int(rng.integers(0, 400)),
        "purchase_days": bought,
        "typical_gap_days": typical,
        "overdue_ratio": recency / typical,
        "gap_median_days": rng.integers(1, 2 * longest) / 2,
        "gap_irregularity": rng.uniform(0, 2),
        "gap_longest_days": longest,
        "recency_to_longest_gap": recency / longest,
        "rfm_f": int(rng.integers(1, 6)),
        "ticket_trend": rng.uniform(-1, 1),
        "spend_trend": rng.uniform(-1, 1),
        **{f"purchase_days_{d}d": n for d, n in zip((30, 60, 90, 180, 365), counts, strict=True)},
        **{f"spend_{d}d": float(rng.integers(0, 3)) for d in (30, 90, 180, 365)},
        **{f"spend_change_{d}d": rng.uniform(-1, 1) for d in (30, 90, 180)},
    }
    if bought == 1:
        known |= dict.fromkeys(n for n in known if n.startswith("gap_"))
        known["recency_to_longest_gap"] = None
    elif bought == 2:
        known["gap_irregularity"] = None
    unknown = {n for n in known if n.startswith("spend_") and rng.random() < 0.3}
    return known | dict.fromkeys(unknown)


# Contributions


@pytest.fixture(scope="module")
def learned():
    return simulated(300, seed=1)


@pytest.fixture(scope="module")
def models(learned):
    weight = recency_weight(learned.day)
    fit = fit_churn_trees(learned, weight, seed=7, parameters=DEFAULTS)
    return churn_candidates(learned, weight, fit, horizon_days=90, seed=7)


@pytest.fixture(scope="module")
def later():
    return simulated(250, days=(17_600,), seed=9)


@pytest.fixture(scope="module")
def rows(later):
    return pa.table({name: later.column(name) for name in later.names})


def raw(model, features):
    return model.trees.booster.predict(features, raw_score=True)


def test_contributions_add_up_to_the_log_odds_before_calibration(models, later):
    model = models["boosted"]
    bias = model.trees.booster.predict(later.features, pred_contrib=True)[:, -1]
    assert np.ptp(bias) == pytest.approx(0)
    exact = model.trees.contributions(later.features).sum(axis=1) + bias
    assert exact == pytest.approx(raw(model, later.features), abs=1e-9)
    odds = model.trees.predict(later.features)
    assert 1 / (1 + np.exp(-exact)) == pytest.approx(odds)


def test_contributions_are_told_against_those_who_stay(models, learned, later):
    model = models["blend"]
    stay = ~learned.churned
    mean = np.average(raw(model, learned.features[stay]), weights=recency_weight(learned.day)[stay])
    told = model.contributions(later.features).sum(axis=1)
    assert told == pytest.approx(raw(model, later.features) - mean, abs=1e-9)


def test_a_reason_is_what_its_features_add_where_it_is_true(models, rows, later):
    """Whatever is pushed up and true is told, and nothing is counted twice."""
    model = models["boosted"]
    found = pushes(model, rows)
    contributions = model.contributions(later.features)
    ups = np.zeros(len(later))
    for code in BY_CODE:
        own = [k for k, n in enumerate(model.names) if spoken_for(n, model.names)[0] == code]
        ups += np.maximum(contributions[:, own].sum(axis=1), 0)
    assert (found.values.clip(min=0).sum(axis=1) <= ups + 1e-9).all()
    for position, (code, subject) in enumerate(found.slots):
        holds = BY_CODE[code].holds(Figures(rows, subject))
        assert (found.values[~holds, position] == 0).all()


def test_falling_spend_is_told_only_of_those_who_spend_less(models, rows):
    """The features that speak for it count in the simulated rows, in which spend never falls."""
    model = models["boosted"]
    changes = [name for name in rows.column_names if name.startswith("spend_change_")]
    assert all(pc.min(rows[name]).as_py() >= 0 for name in changes)
    texts = churn_reasons(model, rows, most=10).to_pylist()
    assert not any("SPEND_FALLING" in (text or "") for text in texts)

    halved = pa.array(np.full(len(rows), -0.5, np.float32))
    place = rows.column_names.index("spend_change_90d")
    falling = rows.set_column(place, "spend_change_90d", halved)
    told = [text for text in churn_reasons(model, falling, most=10).to_pylist() if text]
    assert any("SPEND_FALLING" in text for text in told)


def test_what_is_not_true_counts_for_what_stands_in(models):
    """Away for long after one purchase is no rhythm missed: the rule's weight is of the silence."""
    silent = customer(**ONCE)
    found = pushes(models["customer_base"], silent)
    values = {slot[0]: value for slot, value in zip(found.slots, found.values[0], strict=True)}
    # Fewer purchases and less spend than before are not true either, and count for it too.
    assert values["OVERDUE"] == 0
    weights = (BY_RULE[code] for code in ("OVERDUE", "BUYING_LESS_OFTEN", "SPEND_FALLING"))
    assert values["LONG_SILENCE"] == sum(weights)
    assert values["FEW_PURCHASES"] == BY_RULE["FEW_PURCHASES"]


def test_reasons_are_the_same_alone_or_among_all(models, rows, monkeypatch):
    together = churn_reasons(models["boosted"], rows, most=3).to_pylist()
    alone = [
        churn_reasons(models["boosted"], rows.slice(k, 1), most=3)[0].as_py() for k in range(40)
    ]
    assert alone == together[:40]
    monkeypatch.setattr(explained, "CHUNK_ROWS", 33)
    assert churn_reasons(models["boosted"], rows, most=3).to_pylist() == together


def test_there_are_at_most_as_many_reasons_as_asked_for(models, rows):
    three = churn_reasons(models["boosted"], rows, most=3).to_pylist()
    one = churn_reasons(models["boosted"], rows, most=1).to_pylist()
    assert one == [text and text.split(", ")[0] for text in three]
    assert max(len((text or "").split(", ")) for text in three) == 3
    assert churn_reasons(models["boosted"], rows, most=0).null_count == len(rows)


@pytest.mark.parametrize("candidate", ["boosted", "blend", "customer_base"])
def test_every_code_told_has_a_sentence_without_a_gap(models, rows, candidate):
    texts = churn_reasons(models[candidate], rows, most=10).to_pylist()
    assert any(texts)
    for k, text in enumerate(texts):
        told = sentences(text, rows.slice(k, 1))
        assert len(told) == len(text.split(", ") if text else [])
        assert not any("nan" in sentence or "{" in sentence for sentence in told)


def test_no_customers_have_no_reasons(models, rows):
    assert churn_reasons(models["boosted"], rows.slice(0, 0), most=3).to_pylist() == []


# Order and size


def texts(values, most=3):
    slots = (("OVERDUE", ""), ("LOW_SPEND", ""), ("PROFILE", "region"))
    return Pushes(slots, np.array(values)).codes(most).to_pylist()


def test_the_strongest_reason_comes_first_and_ties_go_to_the_first_code():
    assert texts([[0.2, 0.5, 0.3], [0.4, 0.4, 0.4]]) == [
        "LOW_SPEND, PROFILE:region, OVERDUE",
        "OVERDUE, LOW_SPEND, PROFILE:region",
    ]


def test_what_holds_a_customer_or_hardly_counts_is_no_reason():
    assert texts([[-0.5, 0.049, 0.3], [2.9, 0.15, 0.1], [0.0, 0.0, -1.0]]) == [
        "PROFILE:region",
        "OVERDUE",  # 0.15 is less than 5 % of 3.15
        None,
    ]


# Without trees


@pytest.mark.parametrize(
    ("values", "codes"),
    [
        ({"recency_days": 92, "overdue_ratio": 2.9}, "OVERDUE"),
        (
            ONCE,
            "LONG_SILENCE, FEW_PURCHASES",
        ),
        (
            {"purchase_days_90d": 1, "spend_change_90d": -0.6},
            "BUYING_LESS_OFTEN, SPEND_FALLING",
        ),
        ({}, None),
    ],
)
def test_without_trees_the_same_codes_come_by_rule(models, values, codes):
    assert models["customer_base"].trees is None
    assert churn_reasons(models["customer_base"], customer(**values), most=3).to_pylist() == [codes]


def test_the_rules_are_codes():
    assert {*BY_RULE} <= {*BY_CODE}


def test_the_committed_page_of_reasons_is_that_of_the_code():
    committed = (ROOT / "docs/reference/reasons.md").read_text(encoding="utf-8")
    assert committed == page.markdown(), "run make docs-reasons"
