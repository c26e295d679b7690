"""Merged customers are one, in every table and in everything that is computed from it."""

from datetime import date

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from portfolio_ml import matured, pipeline
from portfolio_ml.config import settings_from

pytestmark = pytest.mark.unit

TODAY = date(2024, 3, 10)
SALES = (
    "customer_id,timestamp,amount",
    "a,2024-01-01,10",
    "b,2024-01-02,20",
    "b,2024-01-02,20",
    "d,2024-03-05,5",
)
MERGES = "old_id,new_id,merged_at"


@pytest.fixture
def opened(tmp_path):
    """Settings of a shop with these further tables, and a portfolio of it."""

    def settings(**tables):
        data = {}
        for name, rows in {"transactions": SALES, **tables}.items():
            (tmp_path / f"{name}.csv").write_text("\n".join(rows))
            data[name] = {"source": f"{name}.csv"}
        return settings_from({"name": "shop", "data": data}, base=tmp_path)

    def opened(*, as_of=None, **tables):
        given = {"today": TODAY, "say": lambda text: None}
        return pipeline.opened(settings(**tables), as_of=as_of, **given)

    opened.settings = settings
    return opened


def rows_of(portfolio, frame, *by):
    return portfolio.engine.collect(frame.sort(*by)).to_pylist()


class TestLines:
    def test_are_those_of_the_survivor_who_may_have_none(self, opened):
        with opened(customer_merges=(MERGES, "a,b,", "b,c,")) as portfolio:
            lines = rows_of(portfolio, portfolio.history.lines, "customer_id", "amount")
            assert [(r["customer_id"], r["amount"]) for r in lines] == [
                ("c", 100_000),
                ("c", 200_000),
                ("c", 200_000),
                ("d", 50_000),
            ]
            named = rows_of(portfolio, portfolio.history.customers, "customer")
            assert named == [
                {"customer": 0, "customer_id": "c"},
                {"customer": 1, "customer_id": "d"},
            ]

    def test_make_one_customers_features(self, opened):
        with opened(customer_merges=(MERGES, "a,b,")) as portfolio:
            table = pipeline.features(portfolio, say=lambda text: None).dated_rows()
        rows = table.select(["customer_id", "purchase_days", "spend"]).to_pylist()
        assert rows == [
            {"customer_id": "b", "purchase_days": 2.0, "spend": 50.0},
            {"customer_id": "d", "purchase_days": 1.0, "spend": 5.0},
        ]

    def test_are_left_alone_where_nobody_with_a_line_was_merged(self, opened):
        with opened(customer_merges=(MERGES, "x,b,")) as portfolio:
            assert rows_of(portfolio, portfolio.history.customers, "customer")[0] == {
                "customer": 0,
                "customer_id": "a",
            }

    def test_keep_what_they_count(self, opened):
        with opened() as plain, opened(customer_merges=(MERGES, "a,b,")) as portfolio:
            assert portfolio.history.kept == plain.history.kept == 4
            assert portfolio.history.digest == plain.history.digest


class TestTheMergedIds:
    def test_are_told_with_who_survives(self, opened):
        with opened(customer_merges=(MERGES, "a,b,", "b,c,", "x,y,")) as portfolio:
            told = {row["old_id"]: row["new_id"] for row in portfolio.merged.to_pylist()}
        assert told == {"a": "c", "b": "c", "x": "y"}

    def test_are_none_without_such_a_table(self, opened):
        with opened() as portfolio:
            assert portfolio.merged is None

    def test_are_those_that_were_merged_by_the_as_of_date(self, opened):
        merged = (MERGES, "a,b,2024-02-01")
        for as_of, told in ((date(2024, 1, 31), 0), (date(2024, 2, 1), 1), (None, 1)):
            with opened(as_of=as_of, customer_merges=merged) as portfolio:
                assert portfolio.merged.num_rows == told
                ids = rows_of(portfolio, portfolio.history.customers, "customer")
                assert ("a" in {row["customer_id"] for row in ids}) == (told == 0)

    def test_are_not_those_merged_after_the_last_line_where_no_date_is_given(self, opened):
        merged = (MERGES, "a,b,2024-03-05", "d,e,2024-03-06")
        with opened(customer_merges=merged) as portfolio:
            assert portfolio.as_of == date(2024, 3, 5)
            assert portfolio.merged.to_pylist() == [{"old_id": "a", "new_id": "b"}]
            ids = rows_of(portfolio, portfolio.history.customers, "customer")
            assert [row["customer_id"] for row in ids] == ["b", "d"]

    def test_have_no_say_in_what_followed_old_scores(self, opened):
        scores = pa.table({"customer_id": ["a", "b"], "p_churn": [0.9, 0.1]})
        with opened(customer_merges=(MERGES, "a,b,")) as portfolio:
            left = matured._unmerged(scores, portfolio.merged)
        assert left["customer_id"].to_pylist() == ["b"]
        assert matured._unmerged(scores, None) is scores


class TestEvents:
    @pytest.mark.parametrize(("name", "said"), [("interactions", "kind"), ("contacts", "action")])
    def test_are_those_of_the_survivor(self, opened, name, said):
        events = (f"customer_id,timestamp,{said}", "a,2024-01-01,call", "d,2024-01-02,call")
        tables = {name: events, "customer_merges": (MERGES, "a,b,")}
        with opened(**tables) as portfolio:
            table = getattr(portfolio, name)
            rows = rows_of(portfolio, table.frame, "day")
            assert [row["customer_id"] for row in rows] == ["b", "d"]
            assert table.kept == 2


class TestDealsAndPoints:
    def test_are_those_of_the_survivor_or_of_nobody(self, opened):
        deals = ("opportunity_id,representative_id,outcome,customer_id", "1,r,won,a", "2,r,,")
        points = ("customer_id,timestamp,points", "a,2024-01-01,5", "b,2024-01-02,5")
        tables = {"opportunities": deals, "points": points}
        with opened(**tables, customer_merges=(MERGES, "a,b,")) as portfolio:
            rows = rows_of(portfolio, portfolio.opportunities.frame, "opportunity_id")
            assert [row["customer_id"] for row in rows] == ["b", None]
            rows = rows_of(portfolio, portfolio.points.frame, "day")
            assert [row["customer_id"] for row in rows] == ["b", "b"]


class TestProspects:
    @pytest.mark.parametrize(
        ("header", "row", "told"),
        [
            ("prospect_id,referred_by", "a,a", {"prospect_id": "a", "referred_by": "b"}),
            ("prospect_id,region", "a,x", {"prospect_id": "a", "region": "x"}),
        ],
    )
    def test_were_brought_by_who_survives(self, opened, header, row, told):
        tables = {"prospects": (header, row), "customer_merges": (MERGES, "a,b,")}
        with opened(**tables) as portfolio:
            assert rows_of(portfolio, portfolio.prospects.frame, "prospect_id") == [told]


class TestCustomers:
    def rows(self, opened, people, merged):
        with opened(customers=people, customer_merges=(MERGES, *merged)) as portfolio:
            table = portfolio.customers
            assert table.kept == len(people) - 1
            return [
                tuple(row.values())
                for row in rows_of(portfolio, table.frame, "customer_id", "valid_from")
            ]

    def test_without_dates_are_as_the_survivors_own_row_says(self, opened):
        people = ("customer_id,region,segment", "a,north,x", "b,south,", "d,east,y")
        assert self.rows(opened, people, ["a,b,"]) == [
            ("b", None, "south", None),
            ("d", None, "east", "y"),
        ]

    def test_are_as_a_merged_row_says_where_the_survivor_has_none(self, opened):
        people = ("customer_id,region", "a,north", "d,east")
        assert self.rows(opened, people, ["a,b,"]) == [("b", None, "north"), ("d", None, "east")]

    @pytest.mark.parametrize("name", ["survivor", "steps"])
    def test_may_have_attributes_that_are_called_what_they_will(self, opened, name):
        people = (f"customer_id,{name}", "a,north", "d,east")
        assert self.rows(opened, people, ["a,b,"]) == [("b", None, "north"), ("d", None, "east")]

    def test_of_a_chain_are_as_the_nearest_to_the_survivor_says(self, opened):
        people = ("customer_id,region", "a,north", "b,south", "x,west", "y,mid")
        merged = ["a,b,", "b,c,", "y,z,", "x,z,"]
        assert self.rows(opened, people, merged) == [("c", None, "south"), ("z", None, "west")]

    def test_with_dates_are_the_merged_ones_before_the_survivors_first(self, opened):
        people = (
            "customer_id,valid_from,region",
            "a,,always",
            "a,2020-01-01,before",
            "a,2021-01-01,same day",
            "a,2022-01-01,after",
            "b,2021-01-01,own",
            "b,2023-01-01,own later",
        )
        rows = self.rows(opened, people, ["a,b,"])
        assert [(who, region) for who, _, region in rows] == [
            ("b", "always"),
            ("b", "before"),
            ("b", "own"),
            ("b", "own later"),
        ]

    def test_that_have_always_been_so_leave_no_room_for_merged_ones(self, opened):
        people = ("customer_id,valid_from,region", "a,2020-01-01,old", "b,,own")
        assert self.rows(opened, people, ["a,b,"]) == [("b", None, "own")]

    def test_were_brought_by_who_survives_and_not_by_themselves(self, opened):
        people = ("customer_id,referred_by", "b,a", "d,a", "e,f", "g,")
        assert self.rows(opened, people, ["a,b,"]) == [
            ("b", None, None),
            ("d", None, "b"),
            ("e", None, "f"),
            ("g", None, None),
        ]


class TestValidate:
    def test_counts_what_the_table_of_merges_keeps(self, opened):
        settings = opened.settings(customer_merges=(MERGES, "a,b,", "c,d,"))
        found = pipeline.validate(settings, today=TODAY, say=lambda text: None)
        table = found.tables.others["customer_merges"]
        assert (table.kept, table.quarantined) == (2, 0)

    def test_looks_for_the_survivor_among_the_customers(self, opened):
        people = ("customer_id,region", "b,south", "d,east")
        for merged, missing in (("a,b,", 0), ("a,b,2024-03-10", 0), ("a,b,2024-03-11", 1)):
            settings = opened.settings(customers=people, customer_merges=(MERGES, merged))
            found = pipeline.validate(settings, today=TODAY, say=lambda text: None)
            assert found.unlisted == missing
            assert pc.sum(found.history.days["lines"]).as_py() == 4
