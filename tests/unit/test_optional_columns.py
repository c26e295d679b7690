"""What a history holds beside customer, day and amount, where the source tells it."""

from datetime import date, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from portfolio_ml import transactions
from portfolio_ml.config import settings_from
from portfolio_ml.errors import DataError
from portfolio_ml.schema import HISTORY
from portfolio_ml.timeline import to_day

pytestmark = pytest.mark.unit

TODAY = date(2024, 3, 10)
HEADER = "customer_id,timestamp,amount"
GOOD = "a,2024-03-01,10"


@pytest.fixture
def load(engine, tmp_path):
    """Loads rows under the usual header and further columns of our names."""

    def load(*rows: str, more: str = "", table: pa.Table | None = None, **data):
        name = "sales.csv" if table is None else "sales.parquet"
        if table is None:
            header = ",".join([HEADER, *more.split()])
            (tmp_path / name).write_text("\n".join([header, *rows, ""]), encoding="utf-8")
        else:
            pq.write_table(table, tmp_path / name)
        zone = data.pop("timezone", "UTC")
        source = {"source": name, "format": data.pop("format", {})}
        values = {"name": "shop", "timezone": zone, "data": {"transactions": source, **data}}
        return transactions.load(settings_from(values, base=tmp_path), engine, today=TODAY)

    return load


def column(history, name: str, engine) -> list:
    """The values of a column, in the order of the amounts."""
    return engine.collect(history.lines.sort("amount"))[name].to_pylist()


class TestColumnsThatAreMapped:
    @pytest.mark.parametrize(
        ("name", "written", "held"),
        [
            ("product_id", "007", "007"),
            ("category", " tea ", "tea"),
            ("category", "", None),
            ("channel", "web", "web"),
            ("quantity", "1.5", 1.5),
            ("quantity", "abc", None),
            ("quantity", "nan", None),
            ("quantity", "inf", None),
            ("cost", "4.00005", 40_001),
            ("cost", "-4", -40_000),
            ("cost", "1e300", None),
            ("cost", "much", None),
            ("discount", "0", 0),
            ("discount", "0.5", 5_000),
            ("discount", "-0.5", None),
        ],
    )
    def test_are_in_the_lines_and_null_where_they_cannot_be_read(
        self, load, engine, name, written, held
    ):
        history = load(f"{GOOD},{written}", more=name)
        assert history.columns == {name}
        assert column(history, name, engine) == [held]
        assert history.quarantined == 0

    def test_have_the_types_of_the_schema(self, load, engine):
        more = "product_id category channel quantity cost discount recorded_at order_id"
        history = load(f"a,2024-03-01 10:00,1,{',' * 7}", more=more)
        table = engine.collect(history.lines)
        assert table.schema.names == list(HISTORY.names)
        assert table.schema.types == [c.type for c in HISTORY.columns]
        assert history.columns == {*HISTORY.names} - {"customer_id", "day", "amount"}

    def test_are_not_there_otherwise(self, load, engine):
        history = load(GOOD)
        assert history.columns == frozenset()
        assert history.lines.collect_schema().names() == [
            c.name for c in HISTORY.columns if c.required
        ]

    def test_of_money_are_converted_like_the_amount(self, load, engine):
        rows = [f"{GOOD},4,1,USD", f"{GOOD},4,1,EUR"]
        history = load(*rows, more="cost discount currency", rates={"EUR": 1, "USD": 0.5})
        assert column(history, "cost", engine) == [20_000, 40_000]
        assert column(history, "discount", engine) == [5_000, 10_000]
        assert "currency" not in history.lines.collect_schema().names()

    def test_with_a_discount_in_numbers_that_are_not_there_are_null(self, load, engine):
        nan = float("nan")
        table = pa.table(
            {
                "customer_id": ["a", "a"],
                "timestamp": ["2024-03-01"] * 2,
                "amount": [1.0, 2.0],
                "cost": [nan, 1.0],
                "discount": [nan, 1.0],
                "quantity": [nan, 1.0],
            }
        )
        history = load(table=table)
        for name in ("cost", "discount", "quantity"):
            assert column(history, name, engine)[0] is None


class TestTheMinute:
    def test_is_that_of_the_day_and_null_where_only_a_date_is_told(self, load, engine):
        rows = ["a,2024-03-01T23:59:59,1", "a,2024-03-01,2", "a,2024-03-01 00:00,3"]
        assert column(load(*rows), "minute", engine) == [1439, None, 0]

    def test_is_that_of_the_portfolios_zone(self, load, engine):
        history = load("a,2024-02-29T23:30:00Z,1", timezone="Asia/Kolkata")
        assert column(history, "minute", engine) == [5 * 60]

    @pytest.mark.parametrize("told", ["2024-03-01", "20240301", "2024-03-01 00:00:00"])
    def test_is_not_there_where_no_row_tells_a_time(self, load, told):
        assert "minute" not in load(f"a,{told},1").columns

    @pytest.mark.parametrize(
        ("form", "told", "minute"),
        [
            ("%d.%m.%Y", "01.03.2024 14:05", 845),
            ("%d.%m.%Y", "01.03.2024 2:05 PM", 845),
            ("%Y%m%d%H%M%S", "20240301140500", 845),
        ],
    )
    def test_is_read_by_the_format(self, load, engine, form, told, minute):
        history = load(f"a,{told},1", format={"date_format": form})
        assert column(history, "minute", engine) == [minute]

    @pytest.mark.parametrize(
        ("kind", "there"), [("date32", False), ("timestamp[ns]", True), ("timestamp[s]", True)]
    )
    def test_is_there_for_typed_times_and_not_for_dates(self, load, engine, kind, there):
        moment = datetime.fromisoformat("2024-03-01T14:05")
        typed = pa.array([moment]).cast(kind, safe=False)
        table = pa.table({"customer_id": ["a"], "timestamp": typed, "amount": [1.0]})
        history = load(table=table)
        assert ("minute" in history.columns) is there
        if there:
            assert column(history, "minute", engine) == [845]


class TestALineRecordedLater:
    ROWS = (
        "a,2024-03-01,1,2024-03-01",
        "b,2024-03-02,2,2024-03-05 10:00",
        "c,2024-03-03,3,",
        "d,2024-03-04,4,2024-03-02",
        "e,2024-03-04,5,9999-01-01",
    )

    def test_is_known_from_the_later_of_both_days(self, load, engine):
        history = load(*self.ROWS, more="recorded_at")
        days = [to_day(date(2024, 3, d)) for d in (1, 5, 3, 4)]
        assert column(history, "known_day", engine)[:4] == days

    def test_is_not_in_history_before_it_was_recorded(self, load, engine):
        history = load(*self.ROWS, more="recorded_at")
        until = history.until(date(2024, 3, 4), engine)
        assert column(until, "customer_id", engine) == ["a", "c", "d"]
        assert (until.kept, history.kept) == (3, 5)
        assert until.days["lines"].to_pylist() == [1, 1, 1]

    def test_leaves_the_same_history_as_if_it_had_never_come(self, load, engine):
        until = load(*self.ROWS, more="recorded_at").until(date(2024, 3, 4), engine)
        known = load(*(self.ROWS[n] for n in (0, 2, 3)), more="recorded_at")
        assert until.digest == known.digest

    @pytest.mark.parametrize(
        ("amount", "recorded", "known"),
        [(2, "2024-03-05", "2024-03-05"), (-2, "", "2024-03-06"), (2, "", "2024-03-01")],
    )
    def test_says_from_when_on_there_were_customers(self, load, engine, amount, recorded, known):
        rows = (f"a,2024-03-01,{amount},{recorded}", "b,2024-03-06,1,")
        history = load(*rows, more="recorded_at")
        assert history.span.first_day == to_day(date(2024, 3, 1))
        assert history.known_from(engine) == to_day(date.fromisoformat(known))

    def test_may_leave_none(self, load, engine):
        history = load("a,2024-03-01,1,2024-03-05", more="recorded_at")
        with pytest.raises(DataError, match="Not a line had been recorded by 2024-03-01"):
            history.until(date(2024, 3, 1), engine)

    def test_of_returns_alone_is_known_from_its_first_line(self, load, engine):
        history = load("a,2024-03-01,-1,2024-03-05", more="recorded_at")
        assert history.known_from(engine) == history.span.first_day
