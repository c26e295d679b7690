"""Opportunities: what became of each deal, by when, and how it stood on an earlier day."""

from datetime import date

import pyarrow as pa
import pytest

from portfolio_ml import opportunities
from portfolio_ml.config import settings_from
from portfolio_ml.errors import ConfigError, DataError
from portfolio_ml.timeline import to_day

pytestmark = pytest.mark.unit

TODAY = date(2024, 3, 10)
HEADER = "opportunity_id,representative_id,outcome"
DATED = "opportunity_id,representative_id,outcome,opened_at,offered_at,closed_at"


@pytest.fixture
def load(engine, tmp_path):
    """Loads opportunities from a CSV file."""

    def load(header: str, *rows: str, share: float = 1.0, **how):
        (tmp_path / "deals.csv").write_text("\n".join([header, *rows, ""]), encoding="utf-8")
        data = {
            "transactions": {"source": "sales.csv"},
            "opportunities": {"source": "deals.csv", **how},
            "max_quarantined_share": share,
        }
        values = {"name": "shop", "timezone": "Europe/Berlin", "data": data}
        return opportunities.load(settings_from(values, base=tmp_path), engine, today=TODAY)

    return load


def day(text: str | None) -> int | None:
    return None if text is None else to_day(date.fromisoformat(text))


def outcomes(table, engine) -> dict[str, bool | None]:
    rows = engine.collect(table.frame).to_pylist()
    return {row["opportunity_id"]: row["is_won"] for row in rows}


def refused(table) -> list[tuple]:
    """Row number, rule, column and value of every refused row."""
    names = ("row_number", "rule", "column", "value")
    return [tuple(row[n] for n in names) for row in table.quarantine.to_pylist()]


def test_amounts_whose_sum_64_bits_could_not_hold_are_refused(load):
    rows = [f"{n},r1,won,1e12" for n in range(462)]
    with pytest.raises(DataError, match=r"column amount comes to more .* \(in deals\.csv\)"):
        load(f"{HEADER},amount", *rows)


def test_a_deal_is_held_in_days_and_whole_parts_of_money(load, engine):
    table = load(
        "opportunity_id,representative_id,stage,opened_at,offered_at,closed_at,customer_id,amount,"
        "category,segment,region,recorded_at",
        "007, r1 ,Closed Won,2024-01-01,2024-01-05,2024-01-31T23:30:00Z,a,1200.5,bikes,B,north,"
        "2024-02-02",
    )
    assert engine.collect(table.frame).to_pylist() == [
        {
            "opportunity_id": "007",
            "representative_id": "r1",
            "is_won": True,
            "opened_day": day("2024-01-01"),
            "offered_day": day("2024-01-05"),
            "closed_day": day("2024-02-01"),  # in the portfolio's zone
            "known_day": day("2024-02-02"),
            "amount": 12_005_000,
            "customer_id": "a",
            "category": "bikes",
            "segment": "B",
            "region": "north",
        }
    ]
    assert table.columns == {
        *("stage", "opened_at", "offered_at", "closed_at", "customer_id", "amount", "category"),
        *("segment", "region", "recorded_at"),
    }


def test_what_the_source_does_not_have_is_null_and_not_among_the_columns(load, engine):
    table = load(HEADER, "1,r,won")
    [row] = engine.collect(table.frame).to_pylist()
    assert {name for name, value in row.items() if value is not None} == {
        "opportunity_id",
        "representative_id",
        "is_won",
    }
    assert table.columns == {"outcome"}
    types = {field.name: field.type for field in engine.collect(table.frame).schema}
    assert (types["amount"], types["closed_day"]) == (pa.int64(), pa.int32())
    assert (types["is_won"], types["region"]) == (pa.bool_(), pa.string())


class TestAnOutcome:
    def test_is_won_or_lost_in_capitals_or_not_and_else_open(self, load, engine):
        said = ["won", "Closed Won", "CLOSED_WON", "closedwon", "Lost", "closed lost", "", "quoted"]
        table = load(HEADER, *(f"{n},r,{text}" for n, text in enumerate(said)))
        verdicts = [True] * 4 + [False] * 2 + [None] * 2
        assert outcomes(table, engine) == {str(n): v for n, v in enumerate(verdicts)}
        assert table.outcomes == {"won": 4, "lost": 2, "open": 2}
        assert table.undecided == ()

    def test_is_told_by_the_values_that_the_config_names(self, load, engine):
        how = {"won": [" Gewonnen "], "lost": ["verloren", "storniert"]}
        rows = ("1,r,GEWONNEN", "2,r,Storniert", "3,r,won", "4,r,offen")
        table = load(HEADER, *rows, **how)
        assert outcomes(table, engine) == {"1": True, "2": False, "3": None, "4": None}

    def test_goes_before_the_stage_which_tells_it_where_no_outcome_does(self, load, engine):
        table = load(f"{HEADER},stage", "1,r,lost,won", "2,r,,won", "3,r,pending,lost", "4,r,,x")
        assert outcomes(table, engine) == {"1": False, "2": True, "3": False, "4": None}

    def test_that_nobody_has_leaves_the_commonest_values_to_look_at(self, load):
        table = load(HEADER, "1,r,offen", "2,r,gewonnen", "3,r,gewonnen", "4,r,")
        assert table.outcomes == {"won": 0, "lost": 0, "open": 4}
        assert table.undecided == ("gewonnen", "offen")


class TestAnOpenDeal:
    def test_has_no_closing_day_whatever_it_expects(self, load, engine):
        rows = (
            "1,r,,2024-03-01,,2030-01-01",
            "2,r,,2024-03-01,,soon",
            "3,r,,2024-03-01,,2024-01-01",
        )
        table = load(DATED, *rows)
        assert table.quarantined == 0
        assert engine.collect(table.frame)["closed_day"].to_pylist() == [None] * 3

    def test_may_belong_to_no_customer_and_have_no_readable_amount(self, load, engine):
        table = load(f"{HEADER},customer_id,amount", "1,r,,,much", "2,r,,a,inf", "3,r,,a,-1")
        rows = engine.collect(table.frame.sort("opportunity_id")).to_pylist()
        assert [(r["customer_id"], r["amount"]) for r in rows] == [
            (None, None),
            ("a", None),
            ("a", -10_000),
        ]


def test_an_offer_after_the_decision_is_unknown(load, engine):
    rows = ("1,r,won,,2024-02-02,2024-02-01", "2,r,won,,2024-02-01,2024-02-01", "3,r,won,,soon,")
    table = load(DATED, *rows)
    offered = engine.collect(table.frame.sort("opportunity_id"))["offered_day"].to_pylist()
    assert offered == [None, day("2024-02-01"), None]
    assert table.quarantined == 0


class TestTheRules:
    def test_refuse_a_row_with_its_number_column_and_value(self, load, tmp_path):
        table = load(
            DATED,
            "1,r,won,2024-01-01,2024-01-02,2024-01-03",
            ",r,won,,,",
            "2, ,won,,,",
            "3,r,won,soon,,",
            "4,r,won,1899-12-31,,",
            "5,r,,2024-03-12,,",
            "6,r,lost,,,later",
            "7,r,lost,,,1753-01-01",
            "8,r,lost,,,2024-03-12",
            "9,r,won,2024-01-02,,2024-01-01",
            "1,r,lost,,,",
        )
        assert refused(table) == [
            (2, "opportunity_id_missing", "opportunity_id", None),
            (3, "representative_id_missing", "representative_id", None),
            (4, "opened_at_unreadable", "opened_at", "soon"),
            (5, "opened_at_before_1900", "opened_at", "1899-12-31"),
            (6, "opened_at_in_the_future", "opened_at", "2024-03-12"),
            (7, "closed_at_unreadable", "closed_at", "later"),
            (8, "closed_at_before_1900", "closed_at", "1753-01-01"),
            (9, "closed_at_in_the_future", "closed_at", "2024-03-12"),
            (10, "closed_before_opened", "closed_at", "2024-01-01"),
            (11, "duplicate_key", "opportunity_id", "1"),
        ]
        assert [rule.name for rule in opportunities.rules(TODAY)] == [
            r[1] for r in refused(table)[:-1]
        ]
        assert (table.kept, table.quarantined) == (1, 10)
        assert {*table.quarantine["source"].to_pylist()} == {str(tmp_path / "deals.csv")}

    def test_keep_the_first_of_several_rows_that_breaks_no_other_rule(self, load, engine):
        rows = ("1,r,won,soon,,", "1,r,lost,2024-01-01,,", " 1,r,won,,,")
        table = load(DATED, *rows)
        assert outcomes(table, engine) == {"1": False}
        assert [(n, rule) for n, rule, *_ in refused(table)] == [
            (1, "opened_at_unreadable"),
            (3, "duplicate_key"),
        ]

    def test_keep_a_deal_that_was_opened_and_decided_on_one_day(self, load):
        table = load(DATED, "1,r,won,2024-01-01,2024-01-01,2024-01-01")
        assert table.quarantined == 0

    def test_stop_where_too_many_rows_break_them(self, load):
        with pytest.raises(DataError) as caught:
            load(HEADER, "1,r,won", "1,r,lost", share=0.1)
        assert caught.value.exit_code == 65
        assert "Keep one row for each opportunity: how it stands today" in str(caught.value)


class TestAnEarlierDay:
    """What `known_on` tells, deal by deal."""

    def known(self, table, engine, as_of: str) -> dict[str, tuple]:
        rows = engine.collect(table.known_on(date.fromisoformat(as_of))).to_pylist()
        names = ("is_won", "offered_day", "closed_day")
        return {row["opportunity_id"]: tuple(row[n] for n in names) for row in rows}

    def test_sees_a_deal_open_until_it_is_decided_and_not_before_it_began(self, load, engine):
        table = load(DATED, "1,r,won,2024-01-10,2024-01-20,2024-02-01")
        offered, closed = day("2024-01-20"), day("2024-02-01")
        assert self.known(table, engine, "2024-01-09") == {}
        assert self.known(table, engine, "2024-01-10") == {"1": (None, None, None)}
        assert self.known(table, engine, "2024-01-20") == {"1": (None, offered, None)}
        assert self.known(table, engine, "2024-01-31") == {"1": (None, offered, None)}
        assert self.known(table, engine, "2024-02-01") == {"1": (True, offered, closed)}

    def test_sees_nothing_of_a_deal_that_was_not_recorded_yet(self, load, engine):
        header = "opportunity_id,representative_id,outcome,opened_at,closed_at,recorded_at"
        table = load(header, "1,r,lost,2024-01-01,2024-01-05,2024-02-01", "2,r,,2024-01-01,,")
        assert {*self.known(table, engine, "2024-01-31")} == {"2"}
        assert self.known(table, engine, "2024-02-01")["1"] == (False, None, day("2024-01-05"))

    def test_takes_an_undated_decision_as_known_with_the_deal(self, load, engine):
        table = load(DATED, "1,r,won,2024-01-10,,", "2,r,lost,,,")
        assert self.known(table, engine, "2024-01-09") == {"2": (False, None, None)}
        assert self.known(table, engine, "2024-01-10")["1"] == (True, None, None)

    def test_does_not_see_a_deal_before_the_first_of_its_dates_where_it_lacks_the_opening(
        self, load, engine
    ):
        table = load(DATED, "1,r,won,,2024-01-20,2024-02-01", "2,r,won,,,2024-02-01")
        assert {*self.known(table, engine, "2024-01-19")} == set()
        assert {*self.known(table, engine, "2024-01-20")} == {"1"}
        assert {*self.known(table, engine, "2024-02-01")} == {"1", "2"}


class TestAMapping:
    @pytest.mark.parametrize(
        ("how", "said"),
        [
            (
                {"columns": {"opportunity_id": "i", "representative_id": "r"}},
                "'outcome' or 'stage' must be mapped",
            ),
            (
                {"columns": {"opportunity_id": "i", "outcome": "o"}},
                "'representative_id' must be mapped",
            ),
            ({"won": ["Won", "done"], "lost": ["DONE"]}, "'done' must not be both won and lost"),
            ({"won": []}, "at least one value is needed"),
            ({"lost": [" "]}, "none may be empty"),
        ],
    )
    def test_with_a_fault_is_a_config_error(self, load, how, said):
        with pytest.raises(ConfigError, match=said):
            load("i,r,o", "1,r,won", **how)

    def test_may_name_a_stage_alone(self, load, engine):
        columns = {"opportunity_id": "Nr", "representative_id": "Vertreter", "stage": "Stand"}
        table = load("Nr;Vertreter;Stand", "1;r;Won", columns=columns)
        assert outcomes(table, engine) == {"1": True}

    def test_without_outcome_and_stage_lists_the_columns_that_are_there(self, load):
        with pytest.raises(
            DataError, match=r"'outcome' is missing .*'opportunity_id', 'repres.*'s"
        ) as e:
            load("opportunity_id,representative_id,state", "1,r,won")
        assert "data.opportunities.columns, or stage" in str(e.value)


def test_a_database_is_a_source_like_any_other(engine, monkeypatch):
    deals = pa.table(
        {
            "opportunity_id": [1, 2, 2],
            "representative_id": ["r"] * 3,
            "outcome": ["won", "lost", "lost"],
            "closed_at": [date(2024, 1, 1)] * 3,
        }
    )
    monkeypatch.setattr("portfolio_ml.sources.read_table", lambda url, name, **_: deals)
    data = {
        "transactions": {"source": "x.csv"},
        "opportunities": {"source": "postgresql://ann:s3cret@db/crm", "table": "deals"},
        "max_quarantined_share": 1,
    }
    settings = settings_from({"name": "shop", "data": data})
    table = opportunities.load(settings, engine, today=TODAY)
    assert table.quarantine["source"].to_pylist() == ["postgresql://ann:***@db/crm (opportunities)"]
    assert outcomes(table, engine) == {"1": True, "2": False}
