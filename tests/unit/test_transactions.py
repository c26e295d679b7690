"""From raw rows to validated lines and a quarantine that accounts for every other row."""

import sqlite3
from datetime import date, datetime
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from portfolio_ml import sources, transactions
from portfolio_ml.config import settings_from
from portfolio_ml.errors import ConfigError, DataError, ServiceUnavailableError, TryAgainLaterError
from portfolio_ml.freshness import chosen_as_of, default_as_of
from portfolio_ml.schema import HISTORY, QUARANTINE
from portfolio_ml.timeline import to_day
from portfolio_ml.transactions import History, rules

pytestmark = pytest.mark.unit

TODAY = date(2024, 3, 10)
HEADER = "customer_id,timestamp,amount"
GOOD = "a,2024-03-01,10"


@pytest.fixture
def load(engine, tmp_path):
    """Loads transactions from the test's folder, by default the file sales.csv."""

    def load(
        source: str = "sales.csv",
        *,
        timezone: str = "UTC",
        share: float = 1.0,
        today: date = TODAY,
        **how,
    ) -> History:
        values = {
            "name": "shop",
            "timezone": timezone,
            "data": {
                "transactions": {"source": source, **how},
                "max_quarantined_share": share,
            },
        }
        return transactions.load(settings_from(values, base=tmp_path), engine, today=today)

    return load


@pytest.fixture
def load_csv(load, tmp_path):
    """Writes rows under the usual header and loads them."""

    def load_csv(*rows: str, header: str = HEADER, **how) -> History:
        (tmp_path / "sales.csv").write_text("\n".join([header, *rows, ""]), encoding="utf-8")
        return load(**how)

    return load_csv


def lines(history: History, engine) -> list[tuple]:
    """Customer, day and amount of every line, in order."""
    table = engine.collect(history.lines.sort("day", "customer_id", "amount"))
    return [(row["customer_id"], row["day"], row["amount"]) for row in table.to_pylist()]


def refused(history: History) -> list[tuple]:
    """Row number, rule and value of every refused row."""
    return [(r["row_number"], r["rule"], r["value"]) for r in history.quarantine.to_pylist()]


BROKEN = {
    "customer_id_missing": (" ,2024-03-01,10", "customer_id", None),
    "timestamp_missing": ("a,,10", "timestamp", None),
    "timestamp_unreadable": ("a,soon,10", "timestamp", "soon"),
    "timestamp_before_1900": ("a,1899-12-31,10", "timestamp", "1899-12-31"),
    "timestamp_in_the_future": ("a,2024-03-12,10", "timestamp", "2024-03-12"),
    "amount_missing": ("a,2024-03-01,", "amount", None),
    "amount_unreadable": ('a,2024-03-01,"1,5"', "amount", "1,5"),
    "amount_out_of_range": ("a,2024-03-01,-1e13", "amount", "-1e13"),
}


class TestTheRules:
    def test_are_all_tested_here(self):
        assert [rule.name for rule in rules(TODAY)] == list(BROKEN)

    @pytest.mark.parametrize("rule", BROKEN)
    def test_quarantine_a_row_with_its_source_number_column_and_value(
        self, load_csv, tmp_path, rule
    ):
        row, column, value = BROKEN[rule]
        history = load_csv(GOOD, row, GOOD)
        assert history.quarantine.to_pylist() == [
            {
                "source": str(tmp_path / "sales.csv"),
                "row_number": 2,
                "rule": rule,
                "column": column,
                "value": value,
            }
        ]
        assert (history.kept, history.quarantined) == (2, 1)

    def test_are_tried_in_order_and_the_first_one_counts(self, load_csv):
        assert refused(load_csv(GOOD, ",soon,much", "a,soon,much")) == [
            (2, "customer_id_missing", None),
            (3, "timestamp_unreadable", "soon"),
        ]

    @pytest.mark.parametrize(
        "row",
        [
            "a,1900-01-01,10",
            "a,2024-03-11,10",  # tomorrow: somebody's clock runs ahead
            "a,2024-03-01,1e12",
            "a,2024-03-01,-1e12",
            "a,2024-03-01,0",
            "nan,2024-03-01,1",
        ],
    )
    def test_keep_a_row_on_their_edge(self, load_csv, row):
        assert load_csv(GOOD, row).kept == 2

    @pytest.mark.parametrize(
        ("amount", "rule"),
        [
            ("inf", "amount_out_of_range"),
            ("-Infinity", "amount_out_of_range"),
            ("1e999", "amount_out_of_range"),
            ("nan", "amount_unreadable"),
            ("NaN", "amount_unreadable"),
        ],
    )
    def test_refuse_amounts_that_are_no_numbers_to_add(self, load_csv, amount, rule):
        assert refused(load_csv(GOOD, f"a,2024-03-01,{amount}")) == [(2, rule, amount)]

    @pytest.mark.parametrize("column", ["amount", "cost", "discount"])
    def test_leave_no_column_whose_sums_64_bits_could_not_hold(self, load_csv, column):
        sizes = [{"amount": "1", "cost": "1", "discount": "1"} | {column: "1e12"}] * 462
        rows = [f"a,2024-03-01,{n['amount']},{n['cost']},{n['discount']}" for n in sizes]
        header = f"{HEADER},cost,discount"
        assert load_csv(*rows[1:], f"a,soon,{rows[0][13:]}", header=header).kept == 461
        with pytest.raises(DataError) as refused:
            load_csv(*rows, header=header)
        assert str(refused.value) == (
            f"The column {column} comes to more than can be added up exactly (in sales.csv): saw "
            "462,000,000,000,000 in all, where at most 461,168,601,842,739 can be. Give it in a "
            "larger unit, such as thousands."
        )

    @pytest.mark.parametrize("moment", ["infinity", "epoch", "now", "2024-02-30", "99999-01-01"])
    def test_refuse_dates_that_only_a_database_would_know(self, load_csv, moment):
        [[number, rule, value]] = refused(load_csv(GOOD, f"a,{moment},10"))
        assert (number, value) == (2, moment)
        assert rule.startswith("timestamp_")

    @pytest.mark.parametrize("blank", [" ", "\t", "\xa0", "\u3000", '" \n "'])
    def test_refuse_a_customer_whose_id_is_blank(self, load_csv, blank):
        assert refused(load_csv(GOOD, f"{blank},2024-03-01,10")) == [
            (2, "customer_id_missing", None)
        ]

    def test_refuse_nothing_in_clean_data(self, load_csv):
        quarantine = load_csv(GOOD).quarantine
        assert quarantine.num_rows == 0
        assert quarantine.schema == QUARANTINE.arrow


class TestTooManyRefused:
    def test_stops_with_the_worst_rule_and_an_example(self, load_csv, tmp_path):
        rows = [GOOD] * 10 + ["a,soon,10", "a,2024-03-01,much", "b,2024-03-01,more"]
        with pytest.raises(DataError) as caught:
            load_csv(*rows, share=0.2)
        assert caught.value.exit_code == 65
        assert str(caught.value) == (
            "3 of 13 rows broke a rule, more than the allowed share (in sales.csv): "
            "saw 2 x amount_unreadable, such as row 12 of "
            f"{tmp_path / 'sales.csv'} with 'much'. Say how numbers are written in "
            "data.transactions.format, check data.transactions.columns, or allow it with "
            "data.max_quarantined_share (now 0.2)."
        )

    def test_says_where_there_is_no_value(self, load_csv):
        with pytest.raises(DataError, match=r"such as row 2 of .* with no value"):
            load_csv(GOOD, ",2024-03-01,10", share=0.2)

    def test_goes_on_where_the_share_is_just_allowed(self, load_csv):
        assert load_csv(GOOD, "a,soon,10", share=0.5).quarantined == 1

    def test_stops_where_no_row_is_left_whatever_is_allowed(self, load_csv):
        with pytest.raises(DataError, match="1 of 1 row broke a rule, so none is left"):
            load_csv("a,soon,10", share=1.0)

    def test_stops_where_there_was_no_row(self, load_csv):
        with pytest.raises(DataError, match=r"not a single row \(in sales\.csv\)"):
            load_csv()


class TestTheLines:
    def test_are_as_the_schema_says(self, load_csv, engine):
        table = engine.collect(load_csv(GOOD).lines)
        assert table.schema.names == [c.name for c in HISTORY.columns if c.required]
        assert table.schema.types == [c.type for c in HISTORY.columns if c.required]

    @pytest.mark.parametrize(
        ("written", "held"),
        [
            ("10", 100_000),
            ("0.0001", 1),
            ("0.00005", 1),
            ("0.00004", 0),
            ("-0.00005", -1),
            ("0.1", 1_000),
            ("2.675", 26_750),
            ("-19.99", -199_900),
            ("1e12", 10**16),
            ("-0", 0),
        ],
    )
    def test_hold_money_in_ten_thousandths_rounded(self, load_csv, engine, written, held):
        [[_, _, amount]] = lines(load_csv(f"a,2024-03-01,{written}"), engine)
        assert amount == held

    def test_keep_the_leading_zeros_of_ids(self, load_csv, engine):
        history = load_csv("007,2024-03-01,1", "7,2024-03-01,1", "0,2024-03-01,1")
        assert [customer for customer, _, _ in lines(history, engine)] == ["0", "007", "7"]

    def test_have_ids_without_the_blanks_around_them(self, load_csv, engine):
        history = load_csv(" a ,2024-03-01,1", "a,2024-03-01,1")
        assert {customer for customer, _, _ in lines(history, engine)} == {"a"}

    def test_tell_ids_that_differ_in_case_apart(self, load_csv, engine):
        history = load_csv("a,2024-03-01,1", "A,2024-03-01,1")
        assert {customer for customer, _, _ in lines(history, engine)} == {"a", "A"}

    def test_have_an_order_id_where_it_is_mapped(self, load_csv, engine):
        columns = {n: n for n in HEADER.split(",")} | {"order_id": "basket"}
        rows = ["a,2024-03-01,1,x", "a,2024-03-01,1, "]
        history = load_csv(*rows, header=f"{HEADER},basket", columns=columns)
        assert history.has_orders
        assert set(engine.collect(history.lines)["order_id"].to_pylist()) == {"x", None}

    def test_have_an_order_id_where_a_column_goes_by_our_name(self, load_csv):
        assert load_csv(f"{GOOD},x", header=f"{HEADER},order_id").has_orders

    def test_have_none_otherwise(self, load_csv, engine):
        history = load_csv(GOOD)
        assert not history.has_orders
        assert engine.collect(history.lines)["order_id"].to_pylist() == [None]

    def test_are_counted_by_day(self, load_csv):
        history = load_csv("a,2024-03-01,10", "b,2024-03-01,-4", "a,2024-03-01,1", "a,2024-03-03,2")
        assert history.days.to_pylist() == [
            {"day": to_day(date(2024, 3, 1)), "lines": 3, "amount": 70_000.0},
            {"day": to_day(date(2024, 3, 3)), "lines": 1, "amount": 20_000.0},
        ]

    @pytest.mark.parametrize("name", ["_timestamp", "_customer_id", "_rule", "_text_amount"])
    def test_may_come_from_columns_named_like_our_own_working_ones(self, load_csv, engine, name):
        columns = {"customer_id": name, "timestamp": "t", "amount": "a"}
        history = load_csv("c,2024-03-01,1", header=f"{name},t,a", columns=columns)
        assert lines(history, engine) == [("c", to_day(date(2024, 3, 1)), 10_000)]


class TestTimeZones:
    ROWS = ("a,2024-02-29T23:30:00Z,1", "a,2024-03-01 23:30:00,1")

    def test_a_time_with_a_zone_falls_on_the_portfolios_day(self, load_csv, engine):
        history = load_csv(*self.ROWS, timezone="Europe/Berlin")
        assert history.days["day"].to_pylist() == [to_day(date(2024, 3, 1))]

    def test_a_time_without_one_falls_on_its_own_day(self, load_csv, engine):
        history = load_csv(*self.ROWS, timezone="America/New_York")
        assert history.days["day"].to_pylist() == [
            to_day(date(2024, 2, 29)),
            to_day(date(2024, 3, 1)),
        ]

    def test_csv_and_parquet_agree(self, load, load_csv, engine, tmp_path):
        instant = datetime.fromisoformat("2024-02-29T23:30:00+00:00")
        table = pa.table(
            {
                "customer_id": ["a"],
                "timestamp": pa.array([instant], pa.timestamp("us", tz="UTC")),
                "amount": [1.0],
            }
        )
        pq.write_table(table, tmp_path / "sales.parquet")
        for timezone in ("UTC", "Europe/Berlin", "America/New_York"):
            text = load_csv(self.ROWS[0], timezone=timezone)
            typed = load("sales.parquet", timezone=timezone)
            assert lines(text, engine) == lines(typed, engine)

    def test_the_end_of_the_day_can_lie_in_the_future(self, load_csv):
        history = load_csv(GOOD, "a,2024-03-11T23:30:00Z,1", timezone="Europe/Berlin")
        assert refused(history) == [(2, "timestamp_in_the_future", "2024-03-11T23:30:00Z")]


class TestUntil:
    ROWS = ("a,2024-03-01,10", "b,2024-03-05,20", "a,2024-03-05,-5", "c,2024-03-06,30")

    def test_later_rows_change_nothing(self, load_csv, engine):
        known = load_csv(*self.ROWS[:3])
        until = load_csv(*self.ROWS).until(date(2024, 3, 5), engine)
        assert lines(until, engine) == lines(known, engine)
        assert until.days == known.days
        assert (until.kept, until.span, until.digest) == (known.kept, known.span, known.digest)

    def test_the_day_itself_is_in(self, load_csv, engine):
        assert load_csv(*self.ROWS).until(date(2024, 3, 6), engine).kept == 4

    def test_a_day_without_lines_is_as_good_as_another(self, load_csv, engine):
        assert load_csv(*self.ROWS).until(date(2024, 3, 4), engine).kept == 1

    @pytest.mark.parametrize("as_of", [date(2024, 2, 29), date(2024, 3, 7)])
    def test_a_day_outside_the_history_is_refused_with_what_there_is(self, load_csv, engine, as_of):
        with pytest.raises(DataError, match="lines from 2024-03-01 to 2024-03-06"):
            load_csv(*self.ROWS).until(as_of, engine)

    def test_the_digest_tells_histories_apart(self, load_csv):
        digests = {load_csv(*self.ROWS[:n]).digest for n in (1, 2, 3, 4)}
        assert len(digests) == 4


class TestTheDefaultAsOf:
    def test_is_the_last_day_with_a_line(self, load_csv):
        history = load_csv("a,2024-03-01,10", "a,2024-03-05,10")
        assert default_as_of(history, today=TODAY) == date(2024, 3, 5)

    def test_is_not_today_which_is_not_over(self, load_csv):
        history = load_csv("a,2024-03-01,10", "a,2024-03-10,10")
        assert default_as_of(history, today=TODAY) == date(2024, 3, 9)

    @pytest.mark.parametrize("future", ["2024-03-11", "2024-03-12", "2030-01-01", "9999-12-31"])
    def test_is_not_moved_by_a_row_from_the_future(self, load_csv, future):
        history = load_csv("a,2024-03-01,10", "a,2024-03-05,10", f"a,{future},10")
        assert default_as_of(history, today=TODAY) == date(2024, 3, 5)

    @pytest.mark.parametrize("first", ["2024-03-10", "2024-03-11"])
    def test_cannot_be_told_before_a_day_is_over(self, load_csv, first):
        with pytest.raises(DataError, match=f"saw the first line on {first}"):
            default_as_of(load_csv(f"a,{first},10"), today=TODAY)


class TestAStaleLoad:
    """The last complete day is 2024-03-05, five days before today."""

    ROWS = ("a,2024-03-01,10", "a,2024-03-05,10")

    @pytest.fixture
    def chosen(self, load_csv):
        def chosen(given: date | None, limit: int | None) -> date:
            history = load_csv(*self.ROWS)
            return chosen_as_of(history, today=TODAY, given=given, max_staleness_days=limit)

        return chosen

    def test_is_refused_for_later_and_says_what_was_seen(self, chosen):
        with pytest.raises(TryAgainLaterError) as caught:
            chosen(None, 4)
        assert caught.value.exit_code == 75
        assert str(caught.value) == (
            "The history is stale: its last complete day, 2024-03-05, lies 5 days before today, "
            "2024-03-10 (in sales.csv): saw more than the 4 days of data.max_staleness_days. "
            "Load the newer transactions and run it again, or give an --as-of to look at the past "
            "on purpose."
        )

    def test_is_one_day_too_old_and_not_the_day_before(self, chosen):
        assert chosen(None, 5) == date(2024, 3, 5)

    def test_is_no_matter_where_nothing_is_configured(self, chosen):
        assert chosen(None, None) == date(2024, 3, 5)

    def test_may_be_looked_at_on_purpose(self, chosen):
        assert chosen(date(2024, 3, 4), 4) == date(2024, 3, 4)

    def test_is_refused_for_a_day_that_should_have_been_loaded(self, chosen):
        with pytest.raises(TryAgainLaterError):
            chosen(date(2024, 3, 9), 4)

    def test_cannot_be_hidden_by_a_row_from_tomorrow(self, load_csv):
        history = load_csv(*self.ROWS, "a,2024-03-11,10")
        with pytest.raises(TryAgainLaterError, match="2024-03-05"):
            chosen_as_of(history, today=TODAY, given=None, max_staleness_days=4)

    def test_is_not_in_the_future(self, chosen):
        with pytest.raises(DataError, match=r"from 2024-03-01 to 2024-03-05\..* within the h"):
            chosen(date(2024, 3, 11), 30)


class TestADayOnWhichNobodyBought:
    ROWS = ("a,2024-03-01,10", "a,2024-03-05,10")

    @pytest.mark.parametrize("as_of", [date(2024, 3, 6), date(2024, 3, 8)])
    def test_may_end_the_history_within_the_tolerated_days(self, load_csv, engine, as_of):
        assert load_csv(*self.ROWS).until(as_of, engine, quiet_days=3).kept == 2

    def test_may_not_lie_further_off(self, load_csv, engine):
        with pytest.raises(DataError, match=r"2024-03-09 lies outside the history \(in sales"):
            load_csv(*self.ROWS).until(date(2024, 3, 9), engine, quiet_days=3)


class TestFiles:
    def test_of_a_pattern_number_their_rows_apart(self, load, tmp_path):
        (tmp_path / "1.csv").write_text(f"{HEADER}\n{GOOD}\na,soon,1\n")
        (tmp_path / "2.csv").write_text(f"{HEADER}\na,never,1\n{GOOD}\n{GOOD}\na,,1\n")
        history = load("*.csv")
        shown = [(r["source"][-5:], r["row_number"]) for r in history.quarantine.to_pylist()]
        assert shown == [("1.csv", 2), ("2.csv", 1), ("2.csv", 4)]
        assert history.kept == 3

    @pytest.mark.parametrize(
        "pattern", ["*/sales.csv", "**/*.csv", "2024-0?/sales.csv", "2024-0[12]/*", "x/../*/*.csv"]
    )
    def test_of_several_folders_can_be_named_by_a_pattern(self, load, tmp_path, pattern):
        for folder in ("2024-01", "2024-02", "x"):
            (tmp_path / folder).mkdir()
        (tmp_path / "2024-01/sales.csv").write_text(f"{HEADER}\n{GOOD}\n")
        (tmp_path / "2024-02/sales.csv").write_text(f"{HEADER}\n{GOOD}\n{GOOD}\n")
        assert load(pattern).kept == 3

    def test_may_lie_in_a_folder_that_looks_like_a_pattern(self, load, tmp_path):
        (tmp_path / "[old]*").mkdir()
        (tmp_path / "[old]*/sales.csv").write_text(f"{HEADER}\n{GOOD}\n")
        assert load("[old]*/*.csv").kept == 1

    def test_may_be_named_by_an_absolute_path(self, load, load_csv, tmp_path):
        load_csv(GOOD)
        assert load(str(tmp_path / "sales.csv")).kept == 1

    def test_may_have_their_suffix_in_capitals(self, load, tmp_path):
        (tmp_path / "SALES.CSV").write_text(f"{HEADER}\n{GOOD}\n")
        assert load("SALES.CSV").kept == 1

    def test_of_csv_and_parquet_give_the_same_history(self, load, load_csv, engine, tmp_path):
        history = load_csv("007,2024-03-01,19.99", "b,20240302,-0.00005", "b,2024-03-02 23:59:59,3")
        table = pa.table(
            {
                "customer_id": ["007", "b", "b"],
                "timestamp": pa.array(
                    [datetime.fromisoformat(f"2024-03-0{d}T23:59:59") for d in (1, 2, 2)],
                    pa.timestamp("ns"),
                ),
                "amount": [Decimal("19.99000"), Decimal("-0.00005"), Decimal(3)],
            }
        )
        pq.write_table(table, tmp_path / "sales.parquet")
        typed = load("sales.parquet")
        assert lines(typed, engine) == lines(history, engine)
        assert typed.digest == history.digest

    def test_of_parquet_can_miss_values(self, load, tmp_path):
        table = pa.table(
            {
                "customer_id": ["a", None, "b", "c"],
                "timestamp": pa.array([date(2024, 3, 1), date(2024, 3, 1), None, TODAY]),
                "amount": [1.0, 1.0, 1.0, float("nan")],
            }
        )
        pq.write_table(table, tmp_path / "sales.parquet")
        assert refused(load("sales.parquet")) == [
            (2, "customer_id_missing", None),
            (3, "timestamp_missing", None),
            (4, "amount_missing", None),
        ]

    @pytest.mark.parametrize(
        ("source", "said"),
        [
            ("none.csv", "saw no such file"),
            ("none/*.csv", "saw no file that matches"),
            (".", "saw a folder without .csv and .parquet files"),
            ("", r"in data\.transactions\.source\): saw an empty name"),
            ("/", "saw the root of the disk"),
            ("cdnwo", "built-in data set 'cdnow'"),
            ("a**.csv", "cannot be followed"),
            ("x" * 300, "cannot be followed"),
        ],
    )
    def test_that_are_not_there_are_a_config_error(self, load, source, said):
        with pytest.raises(ConfigError, match=said):
            load(source)

    def test_of_mixed_kinds_are_a_config_error(self, load, tmp_path):
        (tmp_path / "a.csv").write_text(f"{HEADER}\n{GOOD}\n")
        (tmp_path / "a.parquet").write_bytes(b"")
        with pytest.raises(ConfigError, match=r"all of one kind .*saw \.csv, \.parquet"):
            load("a.*")

    def test_of_an_unknown_kind_are_a_config_error(self, load, tmp_path):
        (tmp_path / "a").write_text("x")
        with pytest.raises(ConfigError, match="saw no suffix"):
            load("a")

    def test_with_a_broken_line_refuse_it_with_its_text(self, load_csv):
        history = load_csv(GOOD, "a,2024-03-01,1,234.50", GOOD)
        assert refused(history) == [(2, "line_unreadable", "a,2024-03-01,1,234.50")]
        assert history.kept == 2


class TestColumns:
    def test_can_be_called_anything(self, load_csv, engine):
        columns = {"customer_id": "Kunde Nr.", "timestamp": "Datum", "amount": "Betrag (€)"}
        header = "Datum;Betrag (€);Kunde Nr."
        history = load_csv("2024-03-01;10;a", header=header, columns=columns)
        assert lines(history, engine) == [("a", to_day(date(2024, 3, 1)), 100_000)]

    def test_that_are_missing_list_those_there_and_the_nearest_and_where_to_map_it(self, load_csv):
        with pytest.raises(DataError) as caught:
            load_csv("a,2024-03-01,1", header="customer_id,timestamp,ammount")
        assert str(caught.value) == (
            "Column 'amount' is missing (in sales.csv): "
            "saw columns 'ammount', 'customer_id', 'timestamp'. "
            "Did you mean 'ammount'? Map it under data.transactions.columns."
        )

    def test_that_are_missing_name_the_section_where_nothing_is_near(self, load_csv):
        columns = {"customer_id": "xyz", "timestamp": "timestamp", "amount": "amount"}
        with pytest.raises(DataError, match=r"\. Map it under data\.transactions\.columns\.$"):
            load_csv(GOOD, columns=columns)

    def test_that_are_optional_and_mapped_must_be_there_too(self, load_csv):
        columns = {n: n for n in HEADER.split(",")} | {"order_id": "basket"}
        with pytest.raises(DataError, match="Column 'basket' is missing"):
            load_csv(GOOD, columns=columns)


class TestABuiltInDataSet:
    def test_comes_with_its_mapping(self, load, engine):
        history = load("cdnow")
        assert (history.kept, history.quarantined) == (69_659, 0)
        assert engine.collect(history.lines.select("customer_id").unique()).num_rows == 23_570

    def test_of_a_million_lines_is_kept_whole(self, load):
        history = load("grocery")
        assert (history.kept, history.quarantined) == (1_469_307, 0)
        assert history.has_orders
        assert sum(history.days["amount"].to_pylist()) == 45_960_395_800

    def test_can_be_mapped_otherwise(self, load):
        columns = {"customer_id": "customer_id", "timestamp": "date", "amount": "number_of_cds"}
        history = load("cdnow", columns=columns)
        assert sum(history.days["amount"].to_pylist()) != sum(
            load("cdnow").days["amount"].to_pylist()
        )

    def test_that_lacks_a_column_is_named(self, load):
        columns = {"customer_id": "customer_id", "timestamp": "day", "amount": "dollar_value"}
        with pytest.raises(DataError, match=r"Column 'day' is missing \(in cdnow\)"):
            load("cdnow", columns=columns)


class TestADatabase:
    URL = "sqlite:///crm.db?timeout=1"

    @pytest.fixture(autouse=True)
    def crm(self, tmp_path):
        """A database with good and bad rows, and columns named like ours."""
        connection = sqlite3.connect(tmp_path / "crm.db")
        connection.executescript(
            """
            CREATE TABLE sales (customer_id, timestamp TEXT, amount, _row, _source);
            INSERT INTO sales VALUES
                ('007', '2024-03-01', 10, 99, 'x'), (8, '2024-03-02 10:00', '2.5', 99, 'x'),
                ('a', '2024-03-02', 'much', 99, 'x');
            CREATE TABLE empty (customer_id TEXT, timestamp TEXT, amount REAL);
            """
        )
        connection.close()

    def test_is_read_by_a_table(self, load, engine):
        history = load(self.URL, table="sales")
        assert lines(history, engine) == [
            ("007", to_day(date(2024, 3, 1)), 100_000),
            ("8", to_day(date(2024, 3, 2)), 25_000),
        ]

    def test_is_read_by_a_query(self, load):
        query = "SELECT * FROM sales WHERE customer_id = '007'"
        assert load(self.URL, query=query).kept == 1

    def test_numbers_its_rows_and_shows_its_url_without_options(self, load):
        [row] = load(self.URL, table="sales").quarantine.to_pylist()
        assert (row["source"], row["row_number"], row["value"]) == ("sqlite:///crm.db", 3, "much")

    def test_without_rows_is_a_data_error(self, load):
        with pytest.raises(DataError, match="not a single row"):
            load(self.URL, table="empty")

    def test_that_is_not_there_is_unavailable(self, load):
        with pytest.raises(ServiceUnavailableError, match="not there"):
            load("sqlite:///none.db", table="sales")

    def test_that_lacks_a_column_is_named(self, load):
        with pytest.raises(DataError, match=r"Column 'amount' is missing \(in sqlite:///crm\.db\)"):
            load(self.URL, query="SELECT customer_id, timestamp FROM sales")


class TestADatabasesPassword:
    """A server is played by a function, since what is told matters and not what is there."""

    URL = "postgresql://ann:s3cret@db/crm?password=s3cret"

    @pytest.fixture(autouse=True)
    def server(self, monkeypatch):
        """Answers every query with a good and a bad row."""
        table = pa.table(
            {"customer_id": ["a", None], "timestamp": ["2024-03-01"] * 2, "amount": [1, 1]}
        )
        monkeypatch.setattr(sources, "read_table", lambda url, name, **_: table)

    def test_is_not_in_the_quarantine(self, load):
        quarantine = load(self.URL, table="sales").quarantine
        assert quarantine["source"].to_pylist() == ["postgresql://ann:***@db/crm"]

    def test_is_not_told_where_too_many_rows_are_refused(self, load):
        with pytest.raises(DataError, match="postgresql://ann:\\*\\*\\*@db/crm") as caught:
            load(self.URL, table="sales", share=0.0)
        assert "s3cret" not in str(caught.value)

    def test_is_not_told_where_a_column_is_missing(self, load):
        columns = {"customer_id": "customer_id", "timestamp": "timestamp", "amount": "spend"}
        with pytest.raises(DataError, match="'spend' is missing") as caught:
            load(self.URL, table="sales", columns=columns)
        assert "s3cret" not in str(caught.value)

    def test_is_not_told_where_the_url_is_a_slip(self, load, monkeypatch):
        monkeypatch.undo()
        with pytest.raises(ConfigError) as caught:
            load("postgresql:/ann:s3cret@db/crm", table="sales")
        assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("sign", [1, -1])
def test_amounts_whose_sum_no_integer_holds_are_refused(load, tmp_path, sign):
    def write(amount):
        rows = {"customer_id": ["a"] * 600, "timestamp": ["2024-03-01"] * 600}
        table = pa.table({**rows, "amount": [sign * amount] * 600})
        pq.write_table(table, tmp_path / "sales.parquet")

    write(7e11)
    assert load("sales.parquet").days["amount"].to_pylist() == [sign * 600 * 7e15]
    write(8e11)
    with pytest.raises(DataError, match=r"saw 480,000,000,000,000 in all.*a larger unit"):
        load("sales.parquet")
