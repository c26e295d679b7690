"""Whether the amount is one: against unit price and quantity, order by order, and its currency."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import narwhals as nw

from portfolio_ml.config import CsvFormat
from portfolio_ml.discovery.profiles import Profile
from portfolio_ml.discovery.roles import Finding
from portfolio_ml.engine import Frame, Reader, Reading


def checked(
    found: Mapping[str, Finding], frame: Frame, written: CsvFormat, engine: Reader
) -> Finding:
    """The amount, doubted where it is an order's total that stands on each of its lines."""
    amount, order = found["amount"], found.get("order_id")
    price, quantity = found.get("price"), found.get("quantity")
    if " * " in amount.column or order is None:
        return _as_product(found, frame, written, engine)
    keys = frame.select(order.column, amount.column)
    counts = engine.collect(
        keys.select(nw.len().alias("lines"), nw.col(order.column).n_unique().alias("orders"))
    ).to_pylist()[0]
    pairs = engine.collect(keys.unique().select(nw.len().alias("n")))["n"][0].as_py()
    if pairs == counts["orders"] < 0.8 * counts["lines"]:
        doubt = (
            "it is the same on every line of an order, so an order's total may be counted "
            "once per line"
        )
        if price and quantity:
            return replace(
                amount,
                column=f"{price.column} * {quantity.column}",
                others=(amount.column, *amount.others),
            ).doubted(f"{amount.column!r}: {doubt}")
        return amount.doubted(doubt)
    return _as_product(found, frame, written, engine)


def _as_product(
    found: Mapping[str, Finding], frame: Frame, written: CsvFormat, engine: Reader
) -> Finding:
    """The amount, with the share of rows in which it is price times quantity as evidence."""
    amount, price, quantity = found["amount"], found.get("price"), found.get("quantity")
    if not (price and quantity) or " * " in amount.column or price.column == amount.column:
        return amount
    readings = [
        Reading("amount", amount.column, "number"),
        Reading("both", price.column, "number", times=quantity.column),
    ]
    read = engine.parsed(frame, readings, timezone="UTC", written=written)
    off = (nw.col("amount") - nw.col("both")).abs()
    agrees = off <= nw.col("amount").abs() * 0.005 + 0.011
    share = engine.collect(
        read.filter(~nw.col("amount").is_null() & ~nw.col("both").is_null()).select(
            agrees.cast(nw.Float64).mean().alias("share")
        )
    )["share"][0].as_py()
    if share is None:
        return amount
    said = f"is {price.column} x {quantity.column} in {share:.0%} of rows"
    return replace(amount, evidence=(*amount.evidence, said))


def currency_of(
    found: Mapping[str, Finding], by_name: Mapping[str, Profile]
) -> tuple[str, Sequence[str]]:
    """The one currency that the rows tell, or a sign in front of the amounts; and the doubts."""
    if "currency" in found:
        profile = by_name[found["currency"].column]
        codes = sorted({v.upper() for v in profile.values})
        if len(codes) == 1 and profile.filled == profile.rows:
            return codes[0], ()
        said = f"the amounts are in several currencies ({', '.join(codes[:6])}); they are added up"
        return "", (f"{said} as if they were one: map currency and give data.rates",)
    signs = {"€": "EUR", "£": "GBP", "$": "USD", "zł": "PLN", "zl": "PLN"}
    amounts = by_name.get(found["amount"].column)
    values = amounts.values[:200] if amounts else ()
    told = {code for v in values for sign, code in signs.items() if sign in v}
    return (told.pop(), ()) if len(told) == 1 else ("", ())
