"""Which customers turned out to be one: rows accounted for, chains followed, circles refused."""

from datetime import date

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from portfolio_ml import merges
from portfolio_ml.config import settings_from
from portfolio_ml.errors import ConfigError, DataError
from portfolio_ml.timeline import to_day

pytestmark = pytest.mark.unit

HEADER = "old_id,new_id"
DATED = "old_id,new_id,merged_at"
LATE = date(2024, 12, 31)


@pytest.fixture
def load(engine, tmp_path):
    """Loads merges from a CSV file, or a table through a Parquet file."""

    def load(header: str | pa.Table, *rows: str, share: float = 1.0, **how):
        if isinstance(header, pa.Table):
            pq.write_table(header, tmp_path / "merges.parquet")
            source = "merges.parquet"
        else:
            (tmp_path / "merges.csv").write_text("\n".join([header, *rows, ""]), encoding="utf-8")
            source = "merges.csv"
        data = {
            "transactions": {"source": "sales.csv"},
            "customer_merges": {"source": source, **how},
            "max_quarantined_share": share,
        }
        settings = settings_from({"name": "shop", "data": data}, base=tmp_path)
        return merges.load(settings, engine)

    return load


def followed(table, engine, as_of: date = LATE) -> dict[str, tuple[str, int]]:
    """Who survives each merged id, and how many merges further."""
    rows = engine.collect(table.known_on(as_of, engine)).to_pylist()
    found = {row["old_id"]: (row["new_id"], row["steps"]) for row in rows}
    assert len(found) == len(rows)
    return found


def refused(table) -> list[tuple]:
    """Row number, rule, column and value of every refused row."""
    names = ("row_number", "rule", "column", "value")
    return [tuple(row[n] for n in names) for row in table.quarantine.to_pylist()]


class TestAMerge:
    def test_leads_to_the_id_that_survives(self, load, engine):
        table = load(HEADER, "a,b", " x , y ")
        assert followed(table, engine) == {"a": ("b", 1), "x": ("y", 1)}
        assert (table.kept, table.quarantined) == (2, 0)

    def test_is_followed_over_others(self, load, engine):
        table = load(HEADER, "c,d", "a,b", "b,c", "z,c")
        assert followed(table, engine) == {
            "a": ("d", 3),
            "b": ("d", 2),
            "c": ("d", 1),
            "z": ("d", 2),
        }

    @pytest.mark.parametrize("count", [1, 2, 3, 4, 7, 8, 9, 100])
    def test_is_followed_however_many_follow(self, load, engine, count):
        table = load(HEADER, *(f"c{n},c{n + 1}" for n in range(count)))
        assert followed(table, engine) == {f"c{n}": (f"c{count}", count - n) for n in range(count)}

    def test_keeps_ids_without_a_fraction(self, load, engine):
        assert followed(load(pa.table({"old_id": [1.0], "new_id": [2.0]})), engine) == {
            "1": ("2", 1)
        }

    def test_may_be_called_anything_by_a_mapping(self, load, engine):
        columns = {"old_id": "verlierer", "new_id": "gewinner"}
        table = load("gewinner;verlierer;von", "b;a;ann", columns=columns)
        assert followed(table, engine) == {"a": ("b", 1)}

    def test_need_not_be_there(self, load, engine):
        table = load(HEADER)
        assert (table.kept, table.quarantined) == (0, 0)
        assert followed(table, engine) == {}


class TestADatedMerge:
    def test_holds_from_its_day_on(self, load, engine):
        table = load(DATED, "a,b,2024-03-01 23:59")
        assert followed(table, engine, date(2024, 2, 29)) == {}
        assert followed(table, engine, date(2024, 3, 1)) == {"a": ("b", 1)}

    def test_without_a_date_holds_always(self, load, engine):
        table = load(DATED, "a,b,", "b,c,2024-03-01")
        assert followed(table, engine, date(1990, 1, 1)) == {"a": ("b", 1)}
        assert followed(table, engine) == {"a": ("c", 2), "b": ("c", 1)}

    def test_may_be_planned(self, load, engine):
        table = load(DATED, "a,b,2999-01-01")
        assert table.quarantined == 0
        assert followed(table, engine) == {}

    def test_of_an_id_that_is_merged_again_is_the_one_that_counts_if_it_is_earlier(
        self, load, engine
    ):
        table = load(DATED, "a,b,2024-03-01", "a,c,2024-02-01", "a,d,2024-02-01", "x,y,", "x,z,")
        assert followed(table, engine) == {"a": ("c", 1), "x": ("y", 1)}
        assert [(number, rule) for number, rule, *_ in refused(table)] == [
            (1, "duplicate_key"),
            (3, "duplicate_key"),
            (5, "duplicate_key"),
        ]


class TestTheRules:
    def test_refuse_a_row_with_its_number_column_and_value(self, load, engine):
        table = load(
            DATED,
            "a,a,2024-01-01",
            "a,b,2024-01-02",
            ",b,2024-01-01",
            "c, ,2024-01-01",
            "d,b,soon",
            "e,b,1899-12-31",
            "a,c,2024-01-03",
            "d,f,2024-01-03",
        )
        assert refused(table) == [
            (1, "merged_into_itself", "new_id", "a"),
            (3, "old_id_missing", "old_id", None),
            (4, "new_id_missing", "new_id", None),
            (5, "merged_at_unreadable", "merged_at", "soon"),
            (6, "merged_at_before_1900", "merged_at", "1899-12-31"),
            (7, "duplicate_key", "old_id", "a"),
        ]
        assert table.kept == 2
        assert followed(table, engine) == {"a": ("b", 1), "d": ("f", 1)}

    def test_are_all_tried_on_dated_rows(self):
        assert [rule.name for rule in merges.rules(is_dated=True)] == [
            "old_id_missing",
            "new_id_missing",
            "merged_into_itself",
            "merged_at_unreadable",
            "merged_at_before_1900",
            "duplicate_key",
        ]

    def test_stop_where_too_many_rows_break_them(self, load):
        with pytest.raises(DataError, match="merged_into_itself") as caught:
            load(HEADER, "a,a", "b,b", "c,d", share=0.1)
        assert caught.value.exit_code == 65
        assert "Leave out customers who were not merged" in str(caught.value)


class TestACircle:
    @pytest.mark.parametrize(
        ("rows", "count", "row"),
        [
            (("a,b", "b,a"), 2, 1),
            (("x,a", "a,b", "b,c", "c,a", "y,x"), 3, 2),
            (("a,b", "b,a", "k,l", "l,m", "m,k", "p,q"), 5, 1),
            (tuple(f"c{n},c{(n + 1) % 9}" for n in range(9)), 9, 1),
        ],
    )
    def test_is_refused_with_how_many_are_in_it(self, load, rows, count, row):
        with pytest.raises(DataError) as caught:
            load(HEADER, *rows)
        assert caught.value.exit_code == 65
        assert f"{count} customers were merged in a circle" in str(caught.value)
        assert f"such as row {row} of " in str(caught.value)

    def test_is_refused_whenever_its_merges_were_made(self, load):
        with pytest.raises(DataError, match="2 customers were merged in a circle"):
            load(DATED, "a,b,2020-01-01", "b,a,2024-01-01")


class TestAMapping:
    @pytest.mark.parametrize(
        ("columns", "said"),
        [
            ({"old_id": "o"}, "'new_id' must be mapped"),
            ({"old_id": "o", "new_ID": "n"}, "did you mean 'new_id'?"),
            ({"old_id": "o", "new_id": "o"}, "'o' must not be mapped more than once"),
        ],
    )
    def test_with_a_fault_is_a_config_error(self, load, columns, said):
        with pytest.raises(ConfigError, match=said):
            load("o,n", "a,b", columns=columns)

    def test_of_a_missing_column_names_the_section(self, load):
        with pytest.raises(DataError, match=r"Map it under data\.customer_merges\.columns"):
            load("loser,winner", "a,b")


def test_the_day_of_a_merge_is_kept_with_its_row(load, engine):
    table = load(DATED, "a,b,2024-03-01")
    [row] = engine.collect(table.frame).to_pylist()
    assert (row["known_day"], row["row_number"]) == (to_day(date(2024, 3, 1)), 1)
