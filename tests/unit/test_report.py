"""The report: facts worked out by hand, true sentences, and a page that is safe and whole."""

import json
import re
from dataclasses import asdict, replace
from datetime import UTC, date, datetime
from html.parser import HTMLParser
from pathlib import Path

import pyarrow as pa
import pytest

from portfolio_ml.errors import ConfigError, ServiceUnavailableError
from portfolio_ml.report import page, vega, words
from portfolio_ml.report.charts import drawing, models, runs
from portfolio_ml.report.customers import Abstention, Profile, segment_groups, segment_profiles
from portfolio_ml.report.evidence import Gain, model_facts
from portfolio_ml.report.facts import HistoryFacts, Refused
from portfolio_ml.report.gathered import gather, history_facts
from portfolio_ml.schema import CUSTOMER_ROWS, QUARANTINE
from portfolio_ml.training import FEWEST_CUSTOMERS
from portfolio_ml.transactions import History

pytestmark = pytest.mark.unit

NAN = float("nan")
HOSTILE = "</td><script>alert('1')</script><img src=x onerror=\"alert(2)\">&amp;{{ 7 * 7 }}"
VOID = {"meta", "img", "source", "link", "br", "hr", "input"}


def a_row(customer_id, **values):
    return {
        "customer_id": customer_id,
        "as_of": date(1998, 6, 30),
        "is_active": True,
        "lifecycle_stage": "mature",
        "value_tier": "A",
        **dict.fromkeys(("rfm_r", "rfm_f", "rfm_m"), 3),
        "rfm_segment": "needing attention",
        "p_churn": 0.5,
        "p_return": None,
        "churn_reasons": None,
        "expected_orders": 1.0,
        "ltv": 10.0,
        "ltv_low": 0.0,
        "ltv_high": 20.0,
        "value_if_buys": 20.0,
        "value_at_risk": 10.0,
        "expected_next_order_date": date(1998, 7, 4),
        "segment_id": 0,
        "segment_name": "regular buyers, quiet",
        "abstention": None,
        **dict.fromkeys(("churn_model_version", "ltv_model_version", "segment_model_version"), "1"),
        "features_hash": "f00d",
        "run_id": "r1",
        "scored_at": datetime(1998, 7, 1, 4, tzinfo=UTC),
    } | values


def inactive(customer_id, **values):
    nothing = {"p_churn": None, "value_at_risk": None, "is_active": False}
    return a_row(customer_id, **nothing, lifecycle_stage="lapsed", p_return=0.1, **values)


def a_table(rows):
    return pa.Table.from_pylist(rows, schema=CUSTOMER_ROWS.arrow)


PORTFOLIO = [
    a_row("c1", p_churn=0.2, ltv=60.0, value_at_risk=12.0),
    a_row("c2", p_churn=0.6, ltv=20.0, value_at_risk=30.0, segment_id=1, segment_name="new"),
    a_row("c3", p_churn=0.4, ltv=10.0, value_at_risk=12.0, value_tier="B", lifecycle_stage="new"),
    a_row("c4", p_churn=0.0, ltv=5.0, value_at_risk=0.0, expected_next_order_date=None),
    inactive("c5", ltv=5.0, value_tier="D", segment_id=1, segment_name="new"),
]


def churn_judgement(**values):
    def score(model, metric, value, *, population="all", cutoff=None):
        found = {"model": model, "metric": metric, "value": value}
        return found | {"population": population, "cutoff": cutoff}

    return {
        "target": "churn",
        "cutoffs": ["1997-12-31", "1998-03-31"],
        "winner": "blend",
        "best_baseline": "bg_nbd",
        "primary": "auroc",
        "scores": [
            score("blend", "auroc", 0.8),
            score("blend", "auroc", 0.78, cutoff="1997-12-31"),
            score("blend", "auroc", 0.82, cutoff="1998-03-31"),
            score("blend", "auroc", NAN, population="active"),
            score("blend", "log_loss", 0.5),
            score("blend", "calibration_slope", 1.02),
            score("blend", "calibration_error", 0.015),
            score("blend", "lift_at_10pct", 2.4),
            score("boosted", "auroc", 0.79),
            score("boosted", "log_loss", None),
            score("bg_nbd", "auroc", 0.75),
            score("recency", "auroc", 0.7),
        ],
        "gains": {
            "auroc": {
                "boosted": {"estimate": 0.01, "low": -0.01, "high": 0.03},
                "recency": {"estimate": NAN, "low": NAN, "high": NAN},
                "bg_nbd": {"estimate": 0.05, "low": 0.02, "high": 0.08},
            },
            "log_loss": {"boosted": {"estimate": 0.1, "low": 0.0, "high": 0.2}},
        },
        "curves": {
            "calibration": [
                {"predicted": 0.1, "observed": 0.12, "rows": 50.0},
                {"predicted": 0.6, "observed": 0.55, "rows": 50.0},
            ],
            "gains": [
                {"share": 0.0, "found": 0.0},
                {"share": 0.1, "found": 0.24},
                {"share": 0.5, "found": NAN},
                {"share": 1.0, "found": 1.0},
            ],
        },
    } | values


def value_judgement():
    scores = {"normalised_gini": 0.7, "mae": 4.2, "total_bias": -0.032, "coverage": 0.786}
    gain = {"estimate": 0.001, "low": -0.004, "high": 0.006}
    return {
        "target": "lifetime_value",
        "cutoffs": ["1998-03-31"],
        "winner": "boosted",
        "best_baseline": "past_spend",
        "primary": "normalised_gini",
        "scores": [
            {"model": "boosted", "metric": m, "population": "all", "cutoff": None, "value": v}
            for m, v in scores.items()
        ],
        "gains": {"normalised_gini": {"past_spend": gain}},
        "curves": {
            "deciles": [
                {"decile": d, "customers": 10.0, "actual": 110.0 - d, "predicted": 100.0 - d}
                for d in range(1, 11)
            ]
        },
    }


HISTORY = HistoryFacts(
    date(1997, 1, 1), date(1998, 6, 30), 990, 10, (Refused("amount_missing", "amount", 10),)
)


def some_facts(rows=PORTFOLIO, **values):
    given = {
        "name": "cdnow",
        "currency": "USD",
        "as_of": date(1998, 6, 30),
        "churn_days": 90,
        "value_days": 180,
        "coverage": 0.8,
        "history": HISTORY,
        "judgements": {"lifetime_value": value_judgement(), "churn": churn_judgement()},
        "decisions": {"churn": {"target": "churn", "is_promoted": True, "reasons": ["it won"]}},
        "versions": {"churn": "3", "lifetime_value": "4", "segments": "2"},
        "tracking": "sqlite:///mlflow.db",
        "now": datetime(1998, 7, 1, 5, tzinfo=UTC),
    }
    return gather(a_table(rows), silent_for(*range(60, 60 + len(rows))), **(given | values))


def silent_for(*days):
    """Features of customers who last bought so many days ago, longer than usual."""
    count = len(days)
    return pa.table(
        {
            "recency_days": pa.array(days, pa.float32()),
            "overdue_ratio": [2.0] * count,
            "purchase_days": pa.array(range(1, count + 1), pa.float32()),
            "net_spend": pa.array([10.0 * k for k in range(1, count + 1)], pa.float32()),
            "ticket": pa.array([None, *range(2, count + 1)][:count], pa.float32()),
        }
    )


@pytest.fixture(scope="module")
def facts():
    return some_facts()


@pytest.fixture(scope="module")
def html(facts):
    return page.render(facts)


class Seen(HTMLParser):
    """The elements of a page with their attributes, and the text of some of them."""

    def __init__(self, html):
        super().__init__()
        self.elements, self.texts, self.open = [], [], []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append((self.open[-1] if self.open else "", data.strip()))

    def all(self, tag):
        return [attrs for name, attrs in self.elements if name == tag]


# Facts


def test_the_portfolio_in_five_numbers(facts):
    told = facts.headline

    assert (told.customers, told.active_customers, told.active_share) == (5, 4, 0.8)
    assert told.expected_value == pytest.approx(100)
    assert told.value_at_risk == pytest.approx(54)
    assert told.expected_churners == pytest.approx(1.2)


def test_a_segment_is_measured_on_its_own_customers(facts):
    regular, new = facts.segments

    assert (regular.name, regular.customers, regular.customer_share) == (
        "regular buyers, quiet",
        3,
        0.6,
    )
    assert (new.customers, new.active_share) == (2, 0.5)
    assert new.mean_p_churn == pytest.approx(0.6)  # the inactive customer has none
    assert new.ltv_total == pytest.approx(25)
    assert new.ltv_share == pytest.approx(0.25)


def test_a_segments_profile_has_the_medians_of_its_own_customers(facts):
    """c1, c3 and c4 are regular, c2 and c5 new; the ticket of c1 is unknown."""
    regular, new = facts.segment_profiles

    assert regular == Profile("regular buyers, quiet", 3, pytest.approx(80 / 150), 62, 3, 3.5)
    assert new == Profile("new", 2, pytest.approx(70 / 150), 62.5, 3.5, 3.5)


def test_a_profile_without_a_value_or_net_spend_says_so():
    features = silent_for(60)
    none = features.set_column(3, "net_spend", pa.array([0.0], pa.float32()))
    (profile,) = segment_profiles(a_table([a_row("c1")]), none)

    assert (profile.revenue_share, profile.ticket) == (None, None)


def test_the_page_shows_what_is_usual_in_each_segment(html):
    texts = [text for _, text in Seen(html).texts]
    start = texts.index("What is usual in a segment")
    shown = [text for text in texts[start:] if text]

    assert shown[shown.index("regular buyers, quiet") :][:6] == [
        "regular buyers, quiet", "3", "53.3 %", "62", "3", "3.50",
    ]  # fmt: skip


def test_stages_and_tiers_keep_their_order_and_empty_ones_are_absent(facts):
    assert [g.name for g in facts.lifecycle_stages] == ["new", "mature", "lapsed"]
    assert [g.name for g in facts.value_tiers] == ["A", "B", "D"]


def test_churn_risk_of_a_group_without_active_customers_is_absent(facts):
    assert facts.lifecycle_stages[-1].mean_p_churn is None


def test_attention_goes_to_the_most_value_at_risk_and_ties_to_the_first_id(facts):
    assert [a.customer_id for a in facts.attention] == ["c2", "c1", "c3"]


def test_attention_tells_each_customers_reasons_as_sentences():
    rows = [a_row(f"c{k}", value_at_risk=k, churn_reasons="LONG_SILENCE") for k in (1, 3, 2)]
    told = some_facts([inactive("c0"), *rows, a_row("c4", value_at_risk=0.5)])

    reasons = [(a.customer_id, *a.reasons) for a in told.attention]

    assert reasons == [
        ("c3", "no purchase for 62 days"),
        ("c2", "no purchase for 63 days"),
        ("c1", "no purchase for 61 days"),
        ("c4",),
    ]
    assert "no purchase for 62 days" in page.render(told)


def test_attention_ends_after_twenty():
    rows = [a_row(f"c{k:02}", value_at_risk=float(k)) for k in range(1, 31)]

    shown = some_facts(rows).attention

    assert len(shown) == 20
    assert shown[0].customer_id == "c30"


def test_scores_that_rest_on_less_are_counted_by_code():
    code = "customer_base_model:churn"
    told = some_facts([a_row("c1", abstention=code), a_row("c2")])

    assert told.abstentions == (Abstention(code, 1),)
    assert "For 1 of 2 customers, churn figures rest on the customer-base model" in page.render(
        told
    )


@pytest.mark.parametrize(
    ("customers", "ending"),
    [
        (FEWEST_CUSTOMERS - 1, "behind them, which need at least 50 customers."),
        (FEWEST_CUSTOMERS, "behind them."),
    ],
)
def test_a_portfolio_of_few_customers_is_told_how_many_trees_need(customers, ending):
    told = some_facts(
        [a_row(f"c{k}", abstention="customer_base_model:churn") for k in range(customers)]
    )
    (sentence,) = words.resting(told.abstentions[0], told)
    assert sentence.endswith(ending)


def test_an_extended_horizon_says_what_was_learnt_and_what_would_be_needed():
    codes = "customer_base_model:churn, horizon_extended:lifetime_value"
    facts = some_facts([a_row("c1", abstention=codes)], value_days=365, learned_value_days=168)
    first, second = words.resting(facts.abstentions[0], facts)
    assert "churn figures rest on the customer-base model alone" in first
    assert "value over 365 days was learnt over 168 days" in second
    assert "912 days of history would let it be learnt outright" in second
    assert "in the next 168 days" in page.render(facts)


def test_a_season_says_how_fast_the_next_days_are():
    assert words.season(some_facts()) is None
    facts = some_facts(pace_ahead=1.397)
    sentence = "over the next 180 days their pace is 1.40 times that of an average day"
    assert sentence in (words.season(facts) or "")
    assert sentence in page.render(facts)


def test_a_history_of_less_than_a_year_says_that_nobody_can_be_older_than_new():
    short = replace(HISTORY, first_day=date(1997, 9, 24))
    note = "the history covers 280 days, so no active customer can be older than"

    assert note in (words.young_history(some_facts(history=short)) or "")
    assert note in page.render(some_facts(history=short))
    assert words.young_history(some_facts()) is None
    assert words.young_history(some_facts(history=short, new_days=90)) is None
    assert "The history covers" not in page.render(some_facts())


def test_a_model_is_compared_with_baselines_first_and_candidates_after(facts):
    churn = facts.models[0]

    assert [(o.name, o.is_baseline) for o in churn.opponents] == [
        ("bg_nbd", True),
        ("recency", True),
        ("boosted", False),
    ]
    assert churn.opponents[0].gain == Gain(0.05, 0.02, 0.08)
    assert churn.opponents[1].gain == Gain(None, None, None)
    assert churn.by_cutoff == (0.78, 0.82)
    assert churn.chosen_by_label == "Log loss"


def test_a_baseline_has_no_figure_that_needs_more_than_an_order(facts):
    churn = facts.models[0]

    assert churn.figure("auroc").of_baseline == 0.75
    assert churn.figure("log_loss").of_baseline is None


def test_history_is_told_by_rule_with_the_most_frequent_first():
    days = pa.table({"day": [10227, 10407], "lines": [3, 4]})
    rules = ["amount_missing", "timestamp_missing", "timestamp_missing"]
    refused = [
        {"source": "s", "row_number": n, "rule": r, "column": r.split("_")[0], "value": None}
        for n, r in enumerate(rules, 1)
    ]
    quarantine = pa.Table.from_pylist(refused, schema=QUARANTINE.arrow)

    told = history_facts(History(None, None, days, quarantine))

    assert (told.first_day, told.last_day) == (date(1998, 1, 1), date(1998, 6, 30))
    assert (told.kept, told.quarantined) == (7, 3)
    assert told.refused == (
        Refused("timestamp_missing", "timestamp", 2),
        Refused("amount_missing", "amount", 1),
    )


def test_facts_are_plain_json_without_nan(facts):
    def refuse(constant):
        raise AssertionError(constant)

    read = json.loads(facts.to_json(), parse_constant=refuse)

    assert read["as_of"] == "1998-06-30"
    assert read["headline"] == asdict(facts.headline)
    assert [g["name"] for g in read["segments"]] == [g.name for g in facts.segments]
    assert read["models"][0]["opponents"][1]["gain"] == dict.fromkeys(("estimate", "low", "high"))
    assert read["lineage"]["made_at"] == "1998-07-01T05:00:00+00:00"


def test_nan_in_a_row_becomes_absent_instead_of_a_number():
    told = some_facts([a_row("c1", value_at_risk=NAN, p_churn=NAN), a_row("c2")])

    assert [a.customer_id for a in told.attention] == ["c2"]
    assert told.headline.value_at_risk is None
    assert b"NaN" not in told.to_json()


def test_a_portfolio_without_customers_or_backtest_still_has_a_page():
    told = some_facts([], judgements={}, decisions=None, history=replace(HISTORY, quarantined=0))

    shown = page.render(told)

    assert told.headline.active_share is None
    assert "No backtest is at hand" in shown
    assert "No active customer has value at risk" in shown
    assert "Every row that was read could be used" in shown


# Sentences


@pytest.mark.parametrize(
    ("gain", "says"),
    [
        (
            Gain(0.05, 0.02, 0.08),
            "is +0.0500 (90 % interval +0.0200 to +0.0800): the interval lies",
        ),
        (Gain(0.05, 0.02, 0.08), "so it is ahead"),
        (Gain(0.01, -0.01, 0.03), "includes zero, so it is not shown to be better"),
        (Gain(-0.05, -0.08, -0.02), "lies below zero, so the baseline is ahead"),
        (Gain(0.05, None, None), "how sure that is could not be computed"),
        (Gain(None, None, None), "could not be computed"),
    ],
)
def test_the_verdict_says_no_more_than_the_interval_shows(facts, gain, says):
    churn = facts.models[0]
    opponents = tuple(replace(o, gain=gain) for o in churn.opponents)

    assert says in words.verdict(replace(churn, opponents=opponents))


def test_figures_that_do_not_exist_are_passed_over():
    churn = model_facts(churn_judgement(scores=[]))

    assert words.meaning(churn) == ()


def test_value_is_told_in_words(facts):
    told = words.meaning(facts.models[1])

    assert "In total it predicted 3.2 % less than was spent." in told
    assert "Intervals meant to hold 80 % of outcomes held 78.6 %." in told


# Charts


def test_a_page_of_margins_speaks_of_margins():
    judged = value_judgement() | {"measure": "margin"}
    facts = some_facts(measure="margin", judgements={"lifetime_value": judged})
    html = page.render(facts)
    assert "<dt>Expected margin</dt>" in html
    assert "churn probability × margin if they buy" in html
    assert "Margin is expected margin over" in html
    assert "what margin each customer would bring" in words.setting(facts.models[0], 90)
    assert words.caption("deciles", "margin") == "Predicted and actual margin"
    assert "than came of them" in " ".join(words.meaning(facts.models[0]))
    assert "xpected spend" not in html


@pytest.mark.parametrize("judgement", [churn_judgement(), value_judgement()])
def test_plots_are_png_files_named_by_target(judgement):
    drawn = runs.plots(judgement)

    assert f"{judgement['target']}_against_baselines.png" in drawn
    assert all(content.startswith(b"\x89PNG") for content in drawn.values())


def test_a_curve_without_points_is_not_drawn():
    curves = {"calibration": [], "gains": [{"share": 0.0, "found": NAN}]}

    drawn = models.drawn(model_facts(churn_judgement(curves=curves)))

    assert [*drawn] == ["against_baselines"]


def test_segments_have_a_profile(facts):
    assert [*runs.segment_plots(facts.segments)] == ["segments_profile.png"]
    assert runs.segment_plots([]) == {}


def test_segments_are_drawn_from_their_models_profiles_too():
    profiles = [
        {"name": n, "customers": 5, "ltv": v, "p_churn": 0.5}
        for n, v in (("big", 30.0), ("small", 10.0))
    ]

    groups = segment_groups(profiles)

    assert [(g.name, g.customer_share, g.ltv_share) for g in groups] == [
        ("big", 0.5, 0.75),
        ("small", 0.5, 0.25),
    ]


def test_a_chart_may_fetch_nothing():
    far = drawing.alt.Chart("https://example.com/far.csv").mark_point().encode(x="a:Q")

    with pytest.raises(ValueError, match="not allowed"):
        drawing.to_svg(far)


# Page


def test_simulated_data_are_called_so_at_the_top():
    real, simulated = (
        page.render(some_facts([], history=replace(HISTORY, is_simulated=told)))
        for told in (False, True)
    )
    assert "Simulated data" in simulated.partition("</header>")[0]
    assert "Simulated data" not in real


def test_every_element_is_closed_and_the_page_opens_in_english(html):
    seen = Seen(html)

    assert seen.open == []
    assert seen.all("html") == [{"lang": "en"}]


def test_the_page_names_no_address_on_the_network(html):
    """But for those of XML's name spaces and of schemas, which Vega's own script names."""
    own = html.replace(vega.runtime(), "")

    assert len(own) < len(html)
    assert {*re.findall(r"https?://([^/\"']+)", own)} <= {"www.w3.org"}


def test_tables_and_pictures_say_what_they_are(html):
    seen = Seen(html)
    pictures = [e for _, e in seen.elements if "data-chart" in e]

    assert {cell.get("scope") for cell in seen.all("th")} == {"col", "row"}
    assert pictures
    assert all(p["role"] == "img" and len(p["aria-label"]) > 40 for p in pictures)


def test_figures_on_the_page_are_those_of_the_facts(html):
    texts = {text for _, text in Seen(html).texts}

    assert texts >= {"100.00", "54.00", "c2", "0.750", "+0.0200 to +0.0800"}
    assert "1,000 rows read, 990 kept, 10 quarantined" in texts


def test_hostile_names_and_values_stay_text():
    told = some_facts(
        [a_row(HOSTILE, segment_name=HOSTILE, abstention=HOSTILE, run_id=HOSTILE)],
        name=HOSTILE,
        currency=HOSTILE,
        history=replace(HISTORY, refused=(Refused(HOSTILE, HOSTILE, 1),)),
        judgements={"churn": hostile_judgement()},
        decisions={"churn": {"target": "churn", "is_promoted": False, "reasons": [HOSTILE]}},
        versions={"churn": HOSTILE},
        tracking=HOSTILE,
    )

    seen = Seen(page.render(told))

    assert seen.open == []
    assert len(seen.all("script")) == 3
    assert seen.all("img") == []
    assert ("bdi", HOSTILE) in seen.texts
    assert ("code", HOSTILE) in seen.texts


def hostile_judgement():
    text = json.dumps(churn_judgement())
    return json.loads(text.replace('"bg_nbd"', json.dumps(HOSTILE)))


def test_equal_facts_give_equal_pages(facts, html):
    assert page.render(facts) == html


# Writing


def test_the_page_replaces_the_one_before(facts, html, tmp_path):
    path = tmp_path / "report.html"
    path.write_text("yesterday", encoding="utf-8")

    page.write(facts, path)

    assert path.read_text(encoding="utf-8") == html
    data = tmp_path / "report.json"
    assert data.read_bytes() == facts.to_json()
    assert {*tmp_path.iterdir()} == {path, data}


def test_a_disk_that_is_full_leaves_the_page_before_as_it_was(facts, tmp_path, monkeypatch):
    path = tmp_path / "report.html"
    path.write_text("yesterday", encoding="utf-8")

    def full(self, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)

    with pytest.raises(ServiceUnavailableError, match="No space left on device"):
        page.write(facts, path)
    assert path.read_text(encoding="utf-8") == "yesterday"
    assert [*tmp_path.iterdir()] == [path]


def test_a_folder_that_is_missing_is_a_fault_of_the_config(facts, tmp_path):
    with pytest.raises(ConfigError, match=r"folder does not exist .*report\.path"):
        page.write(facts, tmp_path / "nowhere" / "report.html")


def test_a_folder_is_never_replaced(facts, tmp_path):
    with pytest.raises(ConfigError, match="cannot replace a folder"):
        page.write(facts, tmp_path)


def test_the_page_may_not_have_the_name_of_its_facts(facts, tmp_path):
    with pytest.raises(ConfigError, match="facts have that name"):
        page.write(facts, tmp_path / "report.json")
