"""Profitability: the return on the portfolio, from its customers or from a table of valuations."""

from collections.abc import Mapping, Sequence
from datetime import date
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from portfolio_ml.errors import DataError
from portfolio_ml.portfolio.book import NO_SCORES, Book
from portfolio_ml.portfolio.figure import Figure, absent, contract_of, present
from portfolio_ml.portfolio.returns.rates_of_return import money_weighted, time_weighted
from portfolio_ml.portfolio.returns.stock_value import StockPeriod, Worth, stock_periods
from portfolio_ml.portfolio.returns.takings import of_customers, taken_between
from portfolio_ml.schema import MONEY_SCALE, Column, Table
from portfolio_ml.timeline import to_date, to_day
from portfolio_ml.wording import counted

_RATES = (
    Column("period_return", pa.float64(), "of the period, as a share: 0.05 is 5 %", decimals=6),
    Column("total_return", pa.float64(), "of all periods so far, chained", decimals=6),
    Column(
        "annual_return", pa.float64(), "total_return as a rate for a year of 365 days, leap days "
        "left out", null="no day has passed", decimals=6,
    ),
    Column(
        "money_weighted", pa.float64(), "the internal rate of return so far, for a year",
        null="no rate solves it, or not only one", decimals=6,
    ),
)  # fmt: skip

VALUATION_RETURNS: Table = contract_of(
    "valuation_returns",
    grain="one date of the table of valuations",
    key=("date",),
    columns=(
        Column("date", pa.date32(), "when the portfolio was valued"),
        Column("days", pa.int64(), "since the first valuation, leap days left out"),
        Column("value", pa.float64(), "after the cash flow, currency units", decimals=2),
        Column("cash_flow", pa.float64(), "put in on the date; negative is taken out", decimals=2),
        *_RATES,
    ),
)

STOCK_RETURNS: Table = contract_of(
    "stock_returns",
    grain="one period between two dates at which the customers were valued",
    key=("until",),
    columns=(
        Column("since", pa.date32(), "the period begins after this day"),
        Column("until", pa.date32(), "its last day"),
        Column("customers", pa.int64(), "those with a purchase by its start"),
        Column("recruits", pa.int64(), "those with a first purchase in it"),
        Column("value_before", pa.float64(), "expected value of the customers at its start, "
               "currency units", decimals=2),
        Column("value_kept", pa.float64(), "expected value of the same customers at its end, those "
               "who were lost included", decimals=2),
        Column("value_recruited", pa.float64(), "expected value of the recruits at its end: put "
               "in, no performance", decimals=2),
        Column("value_after", pa.float64(), "value_kept + value_recruited", decimals=2),
        Column("earned", pa.float64(), "what the customers at its start brought in it", decimals=2),
        Column("recruits_earned", pa.float64(), "what the recruits brought in it; in no return",
               decimals=2),
        Column("value_change", pa.float64(), "value_kept / value_before - 1", decimals=6),
        *_RATES,
        Column("steady_return", pa.float64(), "the period's return, had all customers kept their "
               "value and brought what was expected", decimals=6),
        Column("against_steady", pa.float64(), "(1 + period_return) / (1 + steady_return) - 1: how "
               "the period went beside that", decimals=6),
        Column("total_against_steady", pa.float64(), "of all periods so far, chained", decimals=6),
    ),
)  # fmt: skip

VALUATIONS_TITLE = "Returns by the table of valuations"
STOCK_TITLE = "Returns on the stock of customers"
NO_VALUATIONS = "there is no table of valuations: name one under data.valuations"
NO_EARLIER_SCORES = "the customers of an earlier date were not scored by today's champions"


def valuation_returns(book: Book) -> Figure:
    """The return at each date of the table of valuations up to the as-of date."""
    if book.valuations is None:
        return absent(VALUATION_RETURNS, VALUATIONS_TITLE, NO_VALUATIONS)
    rows = book.valuations.until(book.as_of_day)
    if not rows.num_rows:
        why = f"no valuation is dated {book.as_of} or before"
        return absent(VALUATION_RETURNS, VALUATIONS_TITLE, why)
    dates = [to_date(day) for day in rows["day"].to_pylist()]
    value, flow = rows["value"].to_numpy(), rows["flow"].to_numpy()
    try:
        rates, notes = _rates(dates, value, flow)
    except DataError as error:
        return absent(VALUATION_RETURNS, VALUATIONS_TITLE, str(error))
    columns = {"date": dates, "value": value, "cash_flow": flow, **rates}
    if flow[0] not in (0, value[0]):
        notes = [*notes, "the first cash flow is part of the value that the returns begin with"]
    return present(VALUATION_RETURNS, VALUATIONS_TITLE, columns, as_of=book.as_of, notes=notes)


def stock_returns(book: Book) -> Figure:
    """The return of each period between the dates at which the customers are valued, and so far.

    Value is the expected lifetime value of all customers by the champions of today, at both ends.
    What the customers of a period's start brought in it is performance, taken out at its end; the
    value of recruits at its end is put in; whoever was lost lowers the value that is left. So
    period_return = (value_kept + earned) / value_before - 1.
    """
    if not book.has_scores:
        return absent(STOCK_RETURNS, STOCK_TITLE, NO_SCORES)
    if book.then_scores is None or not book.then_scores.num_rows:
        return absent(STOCK_RETURNS, STOCK_TITLE, NO_EARLIER_SCORES)
    worths = _worths(book, book.then_scores)
    days = [to_day(worth.as_of) for worth in worths]
    taken = taken_between(book.inputs, days, measure=book.measure)
    earned = [
        of_customers(taken, f"taken_{n}", worth.customers) / MONEY_SCALE
        for n, worth in enumerate(worths[1:])
    ]
    periods = stock_periods(worths, earned)
    value = [periods[0].value_before, *(period.value_after for period in periods)]
    flow = [periods[0].value_before, *(period.cash_flow for period in periods)]
    try:
        rates, notes = _rates([worth.as_of for worth in worths], np.array(value), np.array(flow))
    except DataError as error:
        return absent(STOCK_RETURNS, STOCK_TITLE, str(error))
    columns = {**_of_periods(periods), **{name: rate[1:] for name, rate in rates.items()}}
    horizon = book.frozen.horizons.value_days
    lengths = np.array([end - start for start, end in pairwise(days)])
    steady = lengths / horizon
    beside = (1 + columns["period_return"]) / (1 + steady)
    columns |= {
        "steady_return": steady,
        "against_steady": beside - 1,
        "total_against_steady": np.cumprod(beside) - 1,
    }
    notes = [_in_words(book, periods[-1]), *_what_value_is(book, horizon), *notes]
    return present(STOCK_RETURNS, STOCK_TITLE, columns, as_of=book.as_of, notes=notes)


def _worths(book: Book, earlier: pa.Table) -> list[Worth]:
    """What the customers were worth at each earlier date, and now."""
    numbers = book.now.rows["customer"].to_numpy()
    now = Worth(book.as_of, numbers, np.nan_to_num(book.now.column("ltv")))
    found = []
    for as_of in sorted(set(earlier["as_of"].to_pylist()) - {book.as_of}):
        rows = earlier.filter(pc.equal(earlier["as_of"], as_of))
        ids = book.now.rows["customer_id"].combine_chunks()
        place = pc.index_in(rows["customer_id"].cast(pa.string()), ids).combine_chunks()
        is_known = pc.is_valid(place)
        value = rows["ltv"].filter(is_known).combine_chunks().to_numpy(zero_copy_only=False)
        there = place.drop_null().to_numpy()
        found.append(Worth(as_of, numbers[there], value))
    return [*found, now]


def _of_periods(periods: Sequence[StockPeriod]) -> dict[str, Any]:
    told = [name for name in STOCK_RETURNS.names if hasattr(periods[0], name)]
    columns = {name: [getattr(period, name) for period in periods] for name in told}
    return columns | {"value_change": [p.value_kept / p.value_before - 1 for p in periods]}


def _rates(
    dates: Sequence[date], value: NDArray[np.float64], flow: NDArray[np.float64]
) -> tuple[Mapping[str, Any], list[str]]:
    """The columns of rates, one row per date, and why the last money-weighted one is missing."""
    timed = time_weighted(dates, value, flow)
    money = [money_weighted(dates[:n], value[:n], flow[:n]) for n in range(1, len(dates) + 1)]
    why = money[-1].absent
    return {
        "days": timed.days,
        "period_return": timed.period,
        "total_return": timed.total,
        "annual_return": timed.annual,
        "money_weighted": np.array([rate.annual for rate in money]),
    }, [f"there is no money-weighted return: {why}"] if why else []


def _in_words(book: Book, last: StockPeriod) -> str:
    """What became of the stock in the last period, in a sentence."""
    change = last.value_kept / last.value_before - 1
    kept = f"{abs(change):.1%} {'more' if change >= 0 else 'less'}"
    unit = f" {book.currency}" if book.currency else ""
    return (
        f"the customers of {last.since} were worth {kept} on {last.until} and brought "
        f"{last.earned:,.0f}{unit} in between; {counted(last.recruits, 'recruit')} put "
        f"{last.value_recruited:,.0f}{unit} of value in"
    )


def _what_value_is(book: Book, horizon: int) -> tuple[str, ...]:
    what = "net spend" if book.measure == "revenue" else "margin"
    value = f"value is the {what} expected within {counted(horizon, 'day')}"
    beside = "against_steady tells how the stock did beside one that keeps its value"
    return (
        f"{value}, and is earned anew as often as those pass, so yearly rates are high: {beside}",
        f"earnings are {what} too, before what it cost to win and to serve the customers",
    )
