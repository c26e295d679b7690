"""Returns of any portfolio: what recruits and withdrawals change, and what they do not."""

from datetime import date, timedelta
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from tests.examples import shown

from portfolio_ml.portfolio.returns.rates_of_return import money_weighted, time_weighted
from portfolio_ml.portfolio.returns.stock_value import Worth, stock_periods

pytestmark = pytest.mark.property

START = date(2019, 11, 3)
growths = st.floats(0.2, 3.0)
gaps = st.integers(30, 800)
examples = shown(50)


@st.composite
def portfolios(draw: st.DrawFn) -> tuple[list[date], list[float], list[float], list[float]]:
    """Dates, values, flows, and what each period's value grew by; flows never take all."""
    periods = draw(st.lists(st.tuples(gaps, growths, st.floats(-0.8, 2.0)), min_size=1, max_size=8))
    dates, values, flows = [START], [100.0], [100.0]
    for days, growth, flow in periods:
        grown = values[-1] * growth
        dates.append(dates[-1] + timedelta(days))
        flows.append(grown * flow)
        values.append(grown + flows[-1])
    return dates, values, flows, [growth for _, growth, _ in periods]


@examples
@given(portfolios())
def test_whatever_flows_the_time_weighted_return_is_what_was_grown(portfolio) -> None:
    dates, values, flows, grown = portfolio

    found = time_weighted(dates, values, flows)

    assert found.total[-1] == pytest.approx(np.prod(grown) - 1)
    assert (found.period[1:] + 1) == pytest.approx(grown)


@examples
@given(portfolios(), st.integers(1, 700), growths)
def test_a_period_split_without_a_flow_returns_the_same(portfolio, days, growth) -> None:
    dates, values, flows, _ = portfolio
    assume(days < (dates[1] - dates[0]).days)
    split = [dates[0], dates[0] + timedelta(days), *dates[1:]]

    found = time_weighted(split, [values[0], values[0] * growth, *values[1:]], [100, 0, *flows[1:]])

    assert found.total[-1] == pytest.approx(time_weighted(dates, values, flows).total[-1])


@examples
@given(portfolios())
def test_a_money_weighted_rate_pays_back_every_flow(portfolio) -> None:
    dates, values, flows, _ = portfolio

    found = money_weighted(dates, values, flows)

    put_in = np.array([values[0], *flows[1:]])
    put_in[-1] -= values[-1]
    if found.absent:
        assert put_in[-1] >= 0 or (put_in < 0).sum() > 1
        return
    years = np.array([(d - dates[0]).days for d in dates]) / 365
    worth = put_in * (1 + found.annual) ** -years
    assert worth.sum() == pytest.approx(0, abs=1e-6 * np.abs(worth).sum())


@examples
@given(st.lists(st.tuples(gaps, growths), min_size=1, max_size=6))
def test_without_flows_both_rates_are_one_over_the_same_days(periods) -> None:
    dates, values = [START], [100.0]
    for days, growth in periods:
        dates.append(dates[-1] + timedelta(days))
        values.append(values[-1] * growth)
    flows = [100.0] + [0.0] * len(periods)

    money, timed = money_weighted(dates, values, flows), time_weighted(dates, values, flows)

    if not money.absent:
        days = (dates[-1] - dates[0]).days
        assert np.log1p(money.annual) * days / 365 == pytest.approx(
            np.log1p(timed.total[-1]), abs=1e-6
        )


values = st.integers(1, 10_000).map(float)
stocks = st.dictionaries(st.integers(0, 30), values, min_size=1, max_size=12)


def worth(stock: dict[int, float], days: int) -> Worth:
    numbers = sorted(stock)
    return Worth(START + timedelta(days), np.array(numbers), np.array([stock[n] for n in numbers]))


def total_return(held: list[Worth], earned: list[np.ndarray]) -> float:
    periods = stock_periods(held, earned)
    value = [periods[0].value_before, *(period.value_after for period in periods)]
    flow = [periods[0].value_before, *(period.cash_flow for period in periods)]
    return float(time_weighted([w.as_of for w in held], value, flow).total[-1])


@st.composite
def histories(draw: st.DrawFn) -> list[dict[int, float]]:
    """What the customers of a stock are worth at some dates; nobody leaves the table."""
    found = [draw(stocks)]
    for _ in range(draw(st.integers(1, 4))):
        recruits = draw(stocks)
        found.append({**recruits, **{n: draw(values) for n in found[-1]}})
    return found


@examples
@given(stocks, st.data())
def test_without_recruits_and_losses_a_return_is_performance_alone(stock, data) -> None:
    later = {n: data.draw(values) for n in stock}
    earned = np.array([data.draw(values) for _ in stock])

    found = total_return([worth(stock, 0), worth(later, 90)], [earned])

    whole = sum(stock.values())
    assert found == pytest.approx((sum(later.values()) + earned.sum()) / whole - 1)


@examples
@given(histories(), st.data())
def test_the_value_of_recruits_changes_no_return(history, data) -> None:
    first, second = history[:2]
    richer = {n: v if n in first else v + data.draw(values) for n, v in second.items()}
    earned = np.array([data.draw(values) for _ in second])
    more = earned + np.array([0.0 if n in first else 5.0 for n in sorted(second)])

    plain = total_return([worth(first, 0), worth(second, 90)], [earned])

    assert total_return([worth(first, 0), worth(richer, 90)], [more]) == pytest.approx(plain)


@examples
@given(histories())
def test_a_stocks_value_is_what_was_there_kept_and_recruited(history) -> None:
    held = [worth(stock, 90 * n) for n, stock in enumerate(history)]

    periods = stock_periods(held, [np.zeros(w.customers.size) for w in held[1:]])

    for period, (before, after) in zip(periods, pairwise(held), strict=True):
        assert period.value_before == before.value.sum()
        assert period.value_after == after.value.sum()
        assert period.customers + period.recruits == after.customers.size
