"""One currency per portfolio, or rates that make it one."""

import pytest

from portfolio_ml import transactions
from portfolio_ml.config import settings_from
from portfolio_ml.errors import ConfigError, DataError

from .test_transactions import GOOD, TODAY, lines, refused

pytestmark = pytest.mark.unit

HEADER = "customer_id,timestamp,amount,currency"


@pytest.fixture
def load(engine, tmp_path):
    """Loads rows whose last field is the currency."""

    def load(*rows: str, currency="", rates=None, header=HEADER, columns=None, share=1.0):
        (tmp_path / "sales.csv").write_text("\n".join([header, *rows, ""]), encoding="utf-8")
        source = {"source": "sales.csv"} | ({"columns": columns} if columns else {})
        data = {"transactions": source, "rates": rates, "max_quarantined_share": share}
        values = {"name": "shop", "currency": currency, "data": data}
        return transactions.load(settings_from(values, base=tmp_path), engine, today=TODAY)

    return load


def amounts(history, engine) -> list[int]:
    return [amount for _, _, amount in lines(history, engine)]


class TestOneCurrency:
    def test_is_kept_as_it_is_and_told(self, load, engine):
        history = load(f"{GOOD},EUR", f"{GOOD}, eur ")
        assert amounts(history, engine) == [100_000, 100_000]
        assert history.currency == "EUR"

    def test_may_be_the_portfolios_in_any_spelling(self, load):
        assert load(f"{GOOD},usd", currency="USD").currency == "USD"

    def test_is_the_configured_one_where_no_column_tells(self, load):
        assert load(GOOD, header="customer_id,timestamp,amount", currency="USD").currency == "USD"

    def test_that_contradicts_the_portfolios_is_refused(self, load):
        with pytest.raises(DataError) as caught:
            load(f"{GOOD},EUR", currency="USD")
        assert str(caught.value) == (
            "The amounts are not in USD, the portfolio's currency (in sales.csv): saw EUR in 1 "
            "row. Set currency to EUR, or give data.rates to convert the amounts."
        )

    def test_may_be_in_a_column_of_any_name(self, load):
        columns = {"customer_id": "c", "timestamp": "t", "amount": "a", "currency": "Währung"}
        assert load(f"{GOOD},CHF", header="c,t,a,Währung", columns=columns).currency == "CHF"

    def test_that_a_row_does_not_tell_is_not_guessed(self, load):
        history = load(f"{GOOD},EUR", f"{GOOD}, ", f"{GOOD},EUR")
        assert refused(history) == [(2, "currency_missing", None)]


class TestMixedCurrencies:
    def test_are_refused_with_their_counts_and_the_rates_to_give(self, load):
        with pytest.raises(DataError) as caught:
            load(f"{GOOD},USD", f"{GOOD},EUR", f"{GOOD},usd", currency="EUR")
        assert str(caught.value) == (
            "The amounts are in 2 currencies, and one portfolio has one (in sales.csv): saw USD "
            "in 2 rows, EUR in 1 row. Give data.rates, each currency's worth in EUR, such as "
            "{EUR: 1.0, USD: ...}, or keep one currency per portfolio."
        )

    def test_are_refused_where_the_portfolio_names_none(self, load):
        with pytest.raises(DataError, match=r"worth in USD, such as \{USD: 1\.0, EUR: \.\.\.\}"):
            load(f"{GOOD},USD", f"{GOOD},EUR", f"{GOOD},usd")

    def test_of_refused_rows_do_not_count(self, load):
        assert load(f"{GOOD},EUR", "a,soon,10,USD").currency == "EUR"


class TestRates:
    def test_convert_every_amount(self, load, engine):
        history = load(f"{GOOD},EUR", f"{GOOD},USD", rates={"EUR": 1.0, "USD": 0.92})
        assert amounts(history, engine) == [92_000, 100_000]

    def test_know_the_portfolios_own_currency(self, load, engine):
        history = load(f"{GOOD},EUR", f"{GOOD},USD", currency="EUR", rates={"usd": 0.92})
        assert amounts(history, engine) == [92_000, 100_000]
        assert history.currency == "EUR"

    def test_quarantine_what_they_lack(self, load, engine):
        history = load(f"{GOOD},EUR", f"{GOOD},GBP", f"{GOOD},", rates={"EUR": 1.0})
        assert refused(history) == [(2, "currency_unknown", "GBP"), (3, "currency_missing", None)]
        assert [r["column"] for r in history.quarantine.to_pylist()] == ["currency"] * 2
        assert amounts(history, engine) == [100_000]

    def test_leave_the_other_rules_before_them(self, load):
        history = load(f"{GOOD},EUR", "a,2024-03-01,much,GBP", rates={"EUR": 1.0})
        assert refused(history) == [(2, "amount_unreadable", "much")]

    def test_judge_the_amount_after_they_applied(self, load):
        history = load(f"{GOOD},EUR", "a,2024-03-01,1e11,XAU", rates={"EUR": 1.0, "XAU": 2000})
        assert refused(history) == [(2, "amount_out_of_range", "1e11")]

    def test_count_towards_the_share_that_may_be_refused(self, load):
        with pytest.raises(DataError, match=r"1 x currency_unknown, such as row 2 .* with 'GBP'"):
            load(f"{GOOD},EUR", f"{GOOD},GBP", rates={"EUR": 1.0}, share=0.1)

    def test_without_a_column_are_a_config_error(self, load):
        with pytest.raises(ConfigError, match="no column tells a row's currency"):
            load(GOOD, header="customer_id,timestamp,amount", rates={"EUR": 1.0})

    def test_must_give_the_portfolios_own_currency_as_1(self, load):
        with pytest.raises(ConfigError, match=r"EUR must have the rate 1 .*saw 1\.1"):
            load(f"{GOOD},EUR", currency="EUR", rates={"EUR": 1.1})

    @pytest.mark.parametrize(
        "rates", [{}, {"EUR": 0}, {"EUR": -1}, {"EUR": float("inf")}, {"eur": 1, "EUR ": 1}]
    )
    def test_that_cannot_convert_are_a_config_error(self, load, rates):
        with pytest.raises(ConfigError, match=r"data\.rates"):
            load(f"{GOOD},EUR", rates=rates)
