"""Numbers to reckon with, and money in whole parts."""

import narwhals as nw

from portfolio_ml.schema import MONEY_SCALE

LARGEST_NUMBER = 1e12


def within(number: nw.Expr, largest: float) -> nw.Expr:
    """The number, or null where it is none to reckon with: not finite, or beyond `largest`."""
    # NaN is asked for by name: a Parquet file's statistics do not count it, and DuckDB trusts them.
    return nw.when(~number.is_nan() & (number.abs() <= largest)).then(number)


def scaled(number: nw.Expr, scale: int) -> nw.Expr:
    """The number in whole parts of 1 / `scale`; null where there is none to reckon with."""
    return (within(number, LARGEST_NUMBER) * scale).round().cast(nw.Int64)


def money(amount: nw.Expr) -> nw.Expr:
    """Currency units in 1/10,000 of them; null where there is no number to reckon with."""
    return scaled(amount, MONEY_SCALE)
