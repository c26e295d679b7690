"""The charts of the report: facts by hand, what they say, and that each can be drawn."""

import json
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from datetime import date
from math import nan

import numpy as np
import pytest
from tests.books import small_book
from tests.histories import after, bought

from portfolio_ml.acting import Campaigns, Economics
from portfolio_ml.advising import advise
from portfolio_ml.monitoring.drift import Drift
from portfolio_ml.portfolio.catalogue import contracts, figures
from portfolio_ml.portfolio.figure import absent, present
from portfolio_ml.report import vega
from portfolio_ml.report.charts import portfolio, sections, stream
from portfolio_ml.report.charts.bridge import bridge
from portfolio_ml.report.charts.cohorts import cohorts
from portfolio_ml.report.charts.concentration import concentration
from portfolio_ml.report.charts.drawing import beside, to_svg
from portfolio_ml.report.charts.drift import drift
from portfolio_ml.report.charts.exhibit import Exhibit
from portfolio_ml.report.charts.model_exhibits import model_exhibits
from portfolio_ml.report.charts.models import drawn
from portfolio_ml.report.charts.projection import projection
from portfolio_ml.report.charts.segment_map import segment_map
from portfolio_ml.report.charts.theme import DARK, LIGHT
from portfolio_ml.report.customers import Group, Profile
from portfolio_ml.report.drift_facts import drift_facts
from portfolio_ml.report.evidence import ModelFacts, PartFacts, model_facts
from portfolio_ml.report.portfolio_facts import USED, portfolio_facts
from portfolio_ml.report.portfolio_records import (
    CohortPeriod,
    Concentrated,
    CurvePoint,
    Dimension,
    FlowPart,
    Health,
    Month,
    Potential,
    Projected,
    Section,
    Transition,
)

pytestmark = pytest.mark.unit

AS_OF = date(2024, 6, 30)
NOTHING = portfolio_facts([], as_of=AS_OF)
HOSTILE = ("</script><script>alert(1)</script>", "{{7*7}}", "=1+1", "\u202eevil", "a" * 900, "",
           "north\u2028south", "😀 & <b>'\"")  # fmt: skip


def a_section(name="North", **values):
    told = {
        "section": name, "customers": 2, "active": 1, "active_share": 0.5, "revenue": 30.0,
        "revenue_share": 0.25, "average_ticket": 10.0, "repurchase_days": 40.0,
        "margin_share": None, "churn": 0.2, "value_at_risk": 6.0,
    }  # fmt: skip
    return Section(**(told | values))


def a_dimension(*parts, **values):
    told = {
        "name": "region",
        "sections": parts or (a_section(), a_section("South", customers=6, value_at_risk=2.0)),
        "left_out": 0,
        "customers": 8,
        "value_at_risk": 8.0,
    }
    return Dimension(**(told | values))


def svg(exhibit: Exhibit, colours=LIGHT) -> ET.Element:
    assert exhibit.chart is not None
    return ET.fromstring(to_svg(exhibit.chart, colours=colours, width=320))


def texts(tree: ET.Element) -> list[str]:
    return [e.text for e in tree.iter() if e.tag.endswith("}text") and e.text]


# Facts


def test_facts_are_the_rows_of_the_figures(engine):
    book = small_book(
        [
            *bought("ann", 10, 200, 300, 395, amount=100.0),
            *bought("bob", 390, amount=50.0),
            *bought("eve", 50, 60, amount=30.0),
        ],
        engine,
        as_of=after(400),
        settings={"sections": ["value_tier"], "compare_days": 90},
    )
    found = {figure.name: figure for figure in figures(book, USED)}

    facts = portfolio_facts(found.values(), as_of=book.as_of)

    rows = found["sections"].rows.to_pylist()
    [dimension] = facts.dimensions
    assert [s.section for s in dimension.sections] == [row["section"] for row in rows]
    assert dimension.customers == 3
    assert dimension.value_at_risk is None
    assert facts.concentration is not None
    assert facts.concentration.revenue == 410.0
    assert len(facts.curve) == 101
    assert [m.month for m in facts.months] == found["monthly_flow"].rows["month"].to_pylist()
    assert {r.figure for r in facts.remarks} == {*USED}
    for exhibit in (*portfolio.course(facts), *portfolio.parts(facts)):
        assert (exhibit.chart is None) == bool(exhibit.absent)
        if exhibit.chart is not None:
            assert exhibit.numbers.rows
            assert exhibit.says.endswith(".")
            svg(exhibit)


def test_an_absent_figure_is_told_with_its_reason():
    contract = next(c for c in contracts() if c.name == "cohorts")
    facts = portfolio_facts([absent(contract, "Who stays", "too young")], as_of=AS_OF)

    assert cohorts(facts).absent == "too young"
    assert cohorts(facts).spec is None
    assert facts.of("flow").absent == "the figure was not computed"


def test_without_figures_every_exhibit_says_why():
    told = [*portfolio.course(NOTHING), *portfolio.parts(NOTHING), *portfolio.segments([], [])]

    assert all(exhibit.chart is None and exhibit.absent for exhibit in told)


def test_no_more_sections_are_told_than_the_page_has_room_for():
    contract = next(c for c in contracts() if c.name == "sections")
    names = [f"s{n:02}" for n in range(70)]
    columns = {c.name: [1] * 70 for c in contract.columns} | {
        "dimension": ["region"] * 70, "section": names, "value_at_risk": [nan] * 70,
    }  # fmt: skip
    facts = portfolio_facts([present(contract, "Sections", columns, as_of=AS_OF)], as_of=AS_OF)

    [dimension] = facts.dimensions
    assert (len(dimension.sections), dimension.left_out, dimension.customers) == (60, 10, 70)
    shown = sections.revenue_of(dimension)
    assert shown.how.endswith("Drawn: the 12 largest of 70.")
    assert len(shown.numbers.rows) == 60
    assert "s11" in texts(svg(shown))
    assert "s12" not in texts(svg(shown))


def test_potential_is_summed_by_group_with_what_may_come_of_it():
    contract = next(c for c in contracts() if c.name == "potential")
    columns = {c.name: [0.0] * 3 for c in contract.columns} | {
        "customer_id": ["a", "b", "c"], "peer_group": ["old", "young", "old"], "peers": [20] * 3,
        "widened": ["no"] * 3, "potential_gap": [5.0, 40.0, 7.0], "revenue": [1.0, 2.0, 3.0],
        "expected_gain": [1.0, None, None],
    }  # fmt: skip
    facts = portfolio_facts([present(contract, "Gap", columns, as_of=AS_OF)], as_of=AS_OF)

    assert facts.potential == (
        Potential("young", 1, 2.0, 40.0, None),
        Potential("old", 2, 4.0, 12.0, 1.0),
    )
    assert sections.potential(facts, currency="EUR").says == (
        "3 active customers would spend 52.00 EUR more a year at the 75th percentile of their "
        "peers; 1.00 of it may come, as far as the past tells."
    )


# What each says


def test_a_section_is_told_by_revenue_and_by_risk():
    dimension = a_dimension()

    assert sections.revenue_of(dimension).says == (
        "“North” brings 25 % of the revenue with 25 % of the customers."
    )
    assert sections.risk_of(dimension, currency="EUR").says == (
        "“North” holds 75 % of the value at risk: 6.00 of 8.00 EUR."
    )


def test_a_single_section_has_all():
    alone = a_dimension(a_section("all of them", customers=8, revenue_share=1.0))

    assert sections.revenue_of(alone).says == "All revenue comes from one section, “all of them”."
    svg(sections.revenue_of(alone))


def test_sections_without_scores_have_no_risk():
    unscored = a_dimension(value_at_risk=None)

    assert "no champion" in sections.risk_of(unscored).absent
    beyond = replace(a_dimension(a_section("the largest", value_at_risk=None)), value_at_risk=8.0)
    assert sections.risk_of(beyond).absent  # it is all in sections that the page does not tell
    assert "Value at risk" not in sections.revenue_of(unscored).numbers.columns


def test_concentration_is_told_now_and_then_where_both_compare():
    now = Concentrated(AS_OF, 50, 1000.0, 10, 0.71, 14, 0.28, 0.6, 0.1, 0.5)
    curve = (CurvePoint(0.0, 0.0), CurvePoint(0.2, 0.71), CurvePoint(1.0, 1.0))
    facts = replace(NOTHING, concentration=now, curve=curve)

    assert concentration(facts, currency="EUR").says == (
        "The top 20 % of customers bring 71 % of the revenue; 14 of 50 make up 80 % of 1,000 EUR."
    )
    both = replace(
        facts,
        concentration_then=replace(now, day=date(2023, 6, 30), top_share=0.65),
        curve_then=curve,
    )
    assert "(65 % on 2023-06-30)" in concentration(both).says
    assert "20 % bring 71 %" in texts(svg(concentration(both)))


def test_the_stream_tells_who_stayed_left_and_came():
    facts = replace(
        NOTHING,
        transitions=(
            Transition("none", "new", 5, 0.0, 50.0),
            Transition("new", "developing", 3, 30.0, 60.0),
            Transition("mature", "lapsed", 1, 10.0, 0.0),
            Transition("lapsed", "mature", 2, 0.0, 5.0),
            Transition("lapsed", "lapsed", 9, 0.0, 0.0),
        ),
    )

    shown = stream.stream(facts)

    assert shown.says == (
        "Of 4 customers who were active then, 75 % still are; 1 left, 7 came or came back."
    )
    assert {"not yet a customer  5", "lapsed  10", "mature  2"} <= {*texts(svg(shown))}


def test_the_stream_of_a_portfolio_without_active_customers_says_so():
    facts = replace(NOTHING, transitions=(Transition("lapsed", "lapsed", 9, 0.0, 0.0),))

    assert stream.stream(facts).says.startswith("Nobody was active then; 0 left")
    svg(stream.stream(facts))


def test_months_are_counted_and_the_last_ones_drawn():
    months = tuple(
        Month(f"20{20 + n // 12}-{n % 12 + 1:02}", date(2020 + n // 12, n % 12 + 1, 28), 2, 1, 3,
              100 + n, 1.0)
        for n in range(30)
    )  # fmt: skip

    shown = stream.months(replace(NOTHING, months=months))

    assert shown.says == (
        "Within 24 months 72 customers came or came back and 72 were lost; 129 are active now."
    )
    assert len(shown.numbers.rows) == 24


def test_value_is_bridged_only_between_years_that_compare():
    flow = tuple(
        FlowPart(name, 1, 1, value)
        for name, value in (
            ("then", 100.0), ("recruited", 30.0), ("reactivated", 5.0), ("lost", -25.0),
            ("stayers", -2.0), ("now", 108.0),
        )
    )  # fmt: skip
    health = Health("stable", "", 30.0, 5.0, 25.0, 1.4, 1.0, 2.0, 0.08, 4, 2, 0.5)

    shown = bridge(replace(NOTHING, flow=flow, health=health), currency="EUR")

    assert shown.says == (
        "The active customers' value grew by 8.0 %, from 100 to 108 EUR: recruited and reactivated "
        "customers brought 35, the lost took 25, and those who stayed changed by −2."
    )
    assert {"+30", "−25", "value now"} <= {*texts(svg(shown))}
    young = replace(health, value_change=None)
    assert "too short" in bridge(replace(NOTHING, flow=flow, health=young)).absent
    nothing = (replace(flow[0], value_change=0.0), *flow[1:])
    assert "had brought nothing" in bridge(replace(NOTHING, flow=nothing, health=young)).absent


def test_retention_is_told_over_all_cohorts_that_are_old_enough():
    cells = (
        CohortPeriod("2023-01", "0001-0090", 10, 4, 0.4),
        CohortPeriod("2023-01", "0091-0180", 10, 2, 0.2),
        CohortPeriod("2023-02", "0001-0090", 30, 4, 4 / 30),
        CohortPeriod("2023-02", "0091-0180", 30, None, None),
    )

    shown = cohorts(replace(NOTHING, cohorts=cells))

    assert shown.says == (
        "20 % of the customers bought again within 90 days of their first purchase; in the last "
        "period shown, 20 % did."
    )
    assert shown.numbers.columns[2:] == ("1 to 90 days", "91 to 180 days")
    assert shown.numbers.rows[1] == ("2023-02", "30", "13 %", "–")
    assert {"40", "13", "20"} <= {*texts(svg(shown))}


def test_the_projection_follows_on_the_past_with_its_interval():
    ahead = tuple(
        Projected(measure, day, value, value - 10, value + 10, None, 100.0)
        for measure in ("active", "revenue")
        for day, value in ((date(2024, 9, 29), 110.0), (date(2025, 6, 29), 130.0))
    )
    past = (Month("2024-06", AS_OF, 1, 0, 0, 100, 1.0),)
    facts = replace(NOTHING, projection=ahead, months=past)

    assert projection(facts, "active").says == (
        "130 customers are expected to be active on 2025-06-29 (80 % interval 120 to 140)."
    )
    assert projection(facts, "revenue", currency="EUR").says == (
        "130 EUR of revenue are expected by 2025-06-29 (80 % interval 120 to 140)."
    )
    assert "last year were repeated" not in projection(facts, "active").how
    for measure in ("active", "revenue"):
        svg(projection(facts, measure))


def test_the_map_takes_the_two_ways_that_tell_segments_apart():
    groups = [Group(n, 5, 0.5, None, None, v, None) for n, v in (("big", 30.0), ("small", 10.0))]
    profiles = [
        Profile("big", 5, None, 20.0, 9.0, 100.0),
        Profile("small", 5, None, 20.0, 3.0, 5.0),
    ]

    shown = segment_map(groups, profiles, currency="EUR")

    assert shown.says == (
        "The most value lies with the 5 customers called “big”, which hold 75 % of the expected "
        "value; usual among them: 9 purchase days so far and 100.00 EUR an order."
    )
    assert {"big", "small"} <= {*texts(svg(shown))}
    assert "two segments" in segment_map(groups, profiles[:1]).absent


# Models


def test_a_models_exhibits_tell_its_numbers(churn, value):
    told = {exhibit.name: exhibit for exhibit in (*model_exhibits(churn), *model_exhibits(value))}

    assert {name: told[name].says for name in ("churn-calibration", "churn-lift", "value-deciles")}
    assert told["churn-calibration"].says == (
        "On average, observed churn lies 3.5 percentage points from what was predicted; where it "
        "is farthest off, 60 % were predicted and 55 % observed."
    )
    assert told["churn-gains"].says == (
        "The 10 % of customers at the highest risk hold 24 % of all churners, the first half 70 %."
    )
    assert told["churn-lift"].says.startswith("The 10 % at the highest risk churned 2.40 times")
    assert told["churn-cutoffs"].says == (
        "It was ahead of the best baseline (Pareto/NBD) at 1 of 2 past dates."
    )
    assert told["value-deciles"].says == (
        "Of the tenth with the highest prediction, 9.90 of spend a customer were expected, and "
        "10.90 came."
    )
    assert told["value-lorenz"].says == (
        "The 20 % of the highest prediction then held 60 % of all net spend; with hindsight, the "
        "best 20 % held 80 %."
    )
    assert told["value-coverage"].says == (
        "Intervals meant to hold 80 % of outcomes held 78.6 %; the least in value tier A, 70.0 %."
    )
    for exhibit in told.values():
        svg(exhibit, DARK)


def test_the_profit_of_a_campaign_is_told_by_the_advice(churn):
    count = 40
    risk = np.linspace(0.9, 0.1, count)
    campaigns = Campaigns(
        cutoff=np.zeros(count, np.int32),
        customer=np.arange(count),
        p_churn=risk,
        value_if_buys=np.full(count, 100.0),
        churned=risk > 0.5,
        value=np.where(risk > 0.5, 0.0, 100.0),
    )
    advice = advise(campaigns, Economics(contact_cost=8.0, success_rate=0.3), n=20, seed=1)

    told = {e.name: e for e in model_exhibits(replace(churn, acting=advice))}["churn-profit"]

    assert told.says.startswith("Acting on active customers with a value at risk of")
    assert told.numbers.columns == ("Customers contacted", "Profit", "Low", "High")
    svg(told)


def test_a_single_past_date_is_told_as_one(churn):
    once = replace(
        churn,
        cutoffs=churn.cutoffs[:1],
        by_cutoff=churn.by_cutoff[:1],
        opponents=tuple(replace(o, by_cutoff=o.by_cutoff[:1]) for o in churn.opponents),
    )

    assert model_exhibits(once)[-1].says == (
        "It was no better than the best baseline (Pareto/NBD) at the one past date."
    )


def test_a_model_of_which_little_is_known_has_few_exhibits(churn):
    bare = replace(churn, curves={}, opponents=(), by_cutoff=(None, None))

    assert model_exhibits(bare) == ()


def test_charts_beside_each_other_have_a_width_of_their_own(churn):
    both = beside(*drawn(churn).values())

    assert "container" not in json.dumps(both.to_dict())


def a_drift(name, psi, **values):
    told = {
        "family": "features", "name": name, "state": "stable", "psi": psi, "raw_psi": psi,
        "expected_psi": 0.01, "shift": 0.01, "expected_shift": 0.01, "p_value": 0.5, "q_value": 0.6,
    }  # fmt: skip
    return Drift(**(told | values))


def test_drift_names_what_moved_beyond_what_is_usual():
    seen = [a_drift("recency_days", 0.02), a_drift("spend", 0.3, state="drifted"),
            a_drift("old", nan, state="constant")]  # fmt: skip
    facts = drift_facts(seen, as_of=AS_OF, unknown=None)

    assert {"0.30 · drifted", "0.02 · as usual"} <= {*texts(svg(drift(facts)))}
    assert drift(facts).says == "1 column of 2 drifted beyond what is usual: “spend”."
    assert [row[0] for row in drift(facts).numbers.rows] == ["spend", "recency_days"]


def test_no_drift_and_drift_that_cannot_be_told_are_two_things():
    still = drift_facts([a_drift("spend", 0.02)], as_of=AS_OF, unknown=None)
    unknown = drift_facts([], as_of=AS_OF, unknown="there is nothing newer to compare")

    assert drift(still).says.startswith("None of 1 column has drifted")
    assert drift(unknown).absent == "there is nothing newer to compare"


# The page


def test_names_from_the_data_stay_text():
    parts = [a_section(name) for name in HOSTILE]
    groups = [Group(n, 5, 0.1, None, None, 30.0, 0.1) for n in HOSTILE]
    profiles = [Profile(n, 5, None, 20.0 + k, 9.0, 100.0) for k, n in enumerate(HOSTILE)]
    facts = replace(
        NOTHING, dimensions=(a_dimension(*parts),), potential=(Potential(HOSTILE[0], 1, 1, 1, 1),)
    )

    for exhibit in (*portfolio.parts(facts), *portfolio.segments(groups, profiles)):
        if exhibit.chart is not None:
            tree = svg(exhibit)
            assert "script" not in {element.tag.rpartition("}")[2] for element in tree.iter()}
            assert HOSTILE[1] in texts(tree) or exhibit.name == "potential"


def test_a_specification_is_plain_and_has_no_colour_and_no_address(churn, value):
    facts = replace(NOTHING, dimensions=(a_dimension(),))
    shown = [*model_exhibits(churn), *model_exhibits(value), *portfolio.parts(facts)]

    for exhibit in shown:
        if exhibit.spec is None:
            continue
        text = json.dumps(exhibit.spec, allow_nan=False)
        assert exhibit.spec["width"] == "container"
        assert exhibit.spec["description"] == exhibit.text
        assert not re.search(r"#[0-9a-fA-F]{3,8}\b|https?:|\$schema|rgba?\(", text)


def test_the_script_is_one_text_that_a_page_can_hold():
    script = vega.runtime()

    assert script is vega.runtime()
    assert "</script" not in script.lower()
    assert "<!--" not in script
    assert f"window.{vega.DRAW}=" in script.replace(" ", "")
    assert len(script) < 1_000_000


@pytest.fixture(scope="module")
def churn() -> ModelFacts:
    def score(model, value, cutoff):
        found = {"model": model, "metric": "auroc", "value": value, "population": "all"}
        return found | {"cutoff": cutoff}

    gain = {"estimate": 0.05, "low": 0.02, "high": 0.08}
    return model_facts(
        {
            "target": "churn",
            "cutoffs": ["2023-12-31", "2024-03-31"],
            "winner": "blend",
            "best_baseline": "pareto_nbd",
            "primary": "auroc",
            "scores": [
                score("blend", 0.8, None), score("blend", 0.78, "2023-12-31"),
                score("blend", 0.82, "2024-03-31"), score("pareto_nbd", 0.79, "2023-12-31"),
                score("pareto_nbd", 0.8, "2024-03-31"),
            ],
            "gains": {"auroc": {"pareto_nbd": gain}},
            "curves": {
                "calibration": [
                    {"predicted": 0.1, "observed": 0.12, "rows": 50.0},
                    {"predicted": 0.6, "observed": 0.55, "rows": 50.0},
                ],
                "gains": [
                    {"share": s, "found": f}
                    for s, f in ((0.0, 0.0), (0.1, 0.24), (0.5, 0.7), (1.0, 1.0))
                ],
            },
        }
    )  # fmt: skip


@pytest.fixture(scope="module")
def value() -> ModelFacts:
    scores = {"normalised_gini": 0.7, "coverage": 0.786}
    found = model_facts(
        {
            "target": "lifetime_value",
            "cutoffs": ["2024-03-31"],
            "winner": "boosted",
            "best_baseline": "past_spend",
            "primary": "normalised_gini",
            "scores": [
                {"model": "boosted", "metric": m, "population": "all", "cutoff": None, "value": v}
                for m, v in scores.items()
            ],
            "gains": {"normalised_gini": {}},
            "curves": {
                "deciles": [
                    {"decile": d, "customers": 10.0, "actual": 110.0 - d, "predicted": 100.0 - d}
                    for d in range(1, 11)
                ],
                "lorenz": [
                    {"share": 0.0, "found": 0.0, "held": 0.0},
                    {"share": 0.2, "found": 0.6, "held": 0.8},
                    {"share": 1.0, "found": 1.0, "held": 1.0},
                ],
            },
        },
        coverage=0.8,
    )
    tiers = ((tier, share) for tier, share in (("A", 0.7), ("B", 0.9)))
    return replace(
        found,
        parts=tuple(PartFacts("value_tier", tier, 10, 5.0, 6.0, share) for tier, share in tiers),
    )
