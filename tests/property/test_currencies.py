"""Whatever the currencies: each row is converted, refused, or the reason to stop."""

from datetime import date

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from tests.examples import shown

from portfolio_ml import transactions
from portfolio_ml.config import settings_from
from portfolio_ml.errors import DataError
from portfolio_ml.schema import MONEY_SCALE

pytestmark = pytest.mark.property

TODAY = date(2024, 3, 10)
RATES = {"EUR": 1.0, "USD": 0.92, "JPY": 0.0061}

codes = st.sampled_from(("EUR", " eur", "USD", "usd ", "JPY", "GBP", "", None))
rows = st.lists(st.tuples(codes, st.integers(-10_000, 10_000)), min_size=1, max_size=30)
examples = shown(10, HealthCheck.function_scoped_fixture)


def loaded(rows, engine, rates):
    table = pa.table(
        {
            "customer_id": ["a"] * len(rows),
            "timestamp": ["2024-03-01"] * len(rows),
            "amount": pa.array([cents / 100 for _, cents in rows]),
            "currency": pa.array([code for code, _ in rows], pa.string()),
        }
    )
    data = {"transactions": {"source": "none"}, "rates": rates, "max_quarantined_share": 1.0}
    given = settings_from({"name": "shop", "data": data})
    return transactions.load(given, engine, today=TODAY, table=table)


def spelt(code: str | None) -> str:
    return (code or "").strip().upper()


@examples
@given(rows=rows)
def test_with_rates_every_row_is_converted_or_refused(rows, engine):
    known = [(RATES[spelt(code)], cents) for code, cents in rows if spelt(code) in RATES]
    if not known:
        with pytest.raises(DataError, match="so none is left"):
            loaded(rows, engine, RATES)
        return
    history = loaded(rows, engine, RATES)
    assert (history.kept, history.quarantined) == (len(known), len(rows) - len(known))
    amounts = sorted(engine.collect(history.lines)["amount"].to_pylist())
    expected = sorted(cents / 100 * rate * MONEY_SCALE for rate, cents in known)
    assert all(abs(a - e) <= 0.5 + 1e-6 for a, e in zip(amounts, expected, strict=True))
    refused = {row["rule"] for row in history.quarantine.to_pylist()}
    assert refused <= {"currency_missing", "currency_unknown"}


@examples
@given(rows=rows)
def test_without_rates_there_is_one_currency_or_none_at_all(rows, engine):
    told = {spelt(code) for code, _ in rows} - {""}
    if len(told) == 1:
        assert loaded(rows, engine, None).currency == told.pop()
        return
    with pytest.raises(DataError, match="currencies" if told else "currency_missing"):
        loaded(rows, engine, None)
