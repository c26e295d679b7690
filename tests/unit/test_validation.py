"""What every table shares: the first rule that a row breaks, and read = kept + quarantined."""

import narwhals as nw
import pyarrow as pa
import pytest

from portfolio_ml.config import settings_from
from portfolio_ml.errors import TryAgainLaterError
from portfolio_ml.schema import QUARANTINE, TRANSACTIONS
from portfolio_ml.validation import Rule, TooManyRefusedError, shown, validated, value, within

pytestmark = pytest.mark.unit

RULES = (
    Rule("a_missing", "a", value("a").is_null()),
    Rule("a_negative", "a", value("a") < 0),
    Rule("a_odd", "a", value("a") % 2 == 1, advice="give even ones"),
)


@pytest.fixture
def split(engine):
    """Validates numbers by the rules above."""

    def split(*numbers: int | None, share: float = 1.0):
        texts = [None if n is None else str(n) for n in numbers]
        count = len(numbers)
        rows = {"_a": pa.array(numbers, pa.int64()), "_a:text": pa.array(texts, pa.string())}
        lineage = {"_source": ["x.csv"] * count, "_row": [*range(1, count + 1)]}
        data = {"transactions": {"source": "x.csv"}, "max_quarantined_share": share}
        return validated(
            engine.from_arrow(pa.table(rows | lineage)),
            RULES,
            {"a": value("a"), "text": shown("a")},
            engine,
            of=TRANSACTIONS,
            settings=settings_from({"name": "shop", "data": data}),
            where="x.csv",
        )

    return split


def test_a_row_is_refused_under_the_first_rule_that_it_breaks(split, engine):
    found = split(2, None, -1, 3, 4)
    assert engine.collect(found.kept).to_pylist() == [{"a": 2, "text": "2"}, {"a": 4, "text": "4"}]
    assert [(r["row_number"], r["rule"], r["value"]) for r in found.quarantine.to_pylist()] == [
        (2, "a_missing", None),
        (3, "a_negative", "-1"),
        (4, "a_odd", "3"),
    ]
    assert found.read == 5


def test_clean_rows_leave_an_empty_quarantine(split, engine):
    found = split(2, 4)
    assert found.quarantine.schema == QUARANTINE.arrow
    assert found.quarantine.num_rows == 0
    assert found.kept.collect_schema().names() == ["a", "text"]


def test_rows_that_change_between_two_readings_are_for_later(split, engine, monkeypatch):
    keep = type(engine).keep
    monkeypatch.setattr(
        type(engine), "keep", lambda self, rows: keep(self, rows.filter(nw.col("a") != 3))
    )
    with pytest.raises(TryAgainLaterError, match=r"changed.*saw 2 refused rows.* were 1"):
        split(2, -1, 3, 4)


def test_too_many_refused_tell_the_worst_rules_advice(split):
    with pytest.raises(TooManyRefusedError, match=r"2 x a_odd, .* '1'\. Give even ones, or allow"):
        split(2, 1, 3, None, share=0.1)


def test_an_error_can_take_on_the_refused_rows_of_tables_before_it(split):
    before = split(2, -1).quarantine
    with pytest.raises(TooManyRefusedError) as caught:
        split(2, 1, share=0.1)
    after = caught.value.after(before)
    assert str(after) == str(caught.value)
    assert after.quarantine["rule"].to_pylist() == ["a_negative", "a_odd"]


@pytest.mark.parametrize(
    ("number", "held"),
    [(1.5, 1.5), (-10.0, -10.0), (10.5, None), (float("inf"), None), (float("nan"), None)],
)
def test_numbers_that_are_none_to_reckon_with_are_null(engine, number, held):
    frame = engine.from_arrow(pa.table({"x": [number]}))
    assert engine.collect(frame.select(x=within(nw.col("x"), 10)))["x"].to_pylist() == [held]
