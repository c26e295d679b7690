"""One currency per portfolio: mixed amounts are refused, or converted where rates are given."""

from collections.abc import Mapping

import narwhals as nw

from portfolio_ml.config import Settings
from portfolio_ml.errors import ConfigError, DataError
from portfolio_ml.wording import counted

_MAP_IT = "map currency under data.transactions.columns"


def rates_of(settings: Settings, *, is_told: bool) -> Mapping[str, float] | None:
    """What one unit of each currency is worth in the portfolio's; None where nothing converts.

    Args:
        settings: Its `data.rates`, to which the portfolio's own currency is added at 1.
        is_told: Whether the rows tell their currency.

    Raises:
        ConfigError: There are rates and no column to look them up by, or the portfolio's own
            currency has another rate than 1.

    Example:
        >>> from portfolio_ml.config import settings_from
        >>> data = {"transactions": {"source": "sales.csv"}, "rates": {"USD": 0.92}}
        >>> shop = settings_from({"name": "shop", "currency": "EUR", "data": data})
        >>> dict(rates_of(shop, is_told=True))
        {'EUR': 1.0, 'USD': 0.92}
    """
    rates, own = settings.data.rates, code(settings.currency)
    if rates is None:
        return None
    if not is_told:
        raise ConfigError(
            "there are rates, but no column tells a row's currency", where="data.rates", do=_MAP_IT
        )
    if rates.get(own, 1.0) != 1.0:
        raise ConfigError(
            f"the portfolio's own currency {own} must have the rate 1",
            where="data.rates",
            saw=str(rates[own]),
            do=f"give each currency's worth in {own}, or correct currency",
        )
    return {own: 1.0, **rates} if own else dict(rates)


def code(text: str) -> str:
    """A currency's code as it is compared: in capitals, without blanks around it."""
    return text.strip().upper()


def rate(currency: nw.Expr, rates: Mapping[str, float]) -> nw.Expr:
    """The rate of each row's currency; null where there is none."""
    found = nw.lit(None, dtype=nw.Float64)
    for name, worth in rates.items():
        found = nw.when(currency == name).then(nw.lit(worth)).otherwise(found)
    return found


def demand_one(rows: Mapping[str, int], settings: Settings, *, where: str) -> None:
    """Refuse amounts in more than one currency, or in another one than the portfolio's.

    Args:
        rows: How many rows there are, by currency.
        settings: The portfolio's currency, where it is named.
        where: The source of the rows.

    Raises:
        DataError: With the currencies and their rows.
    """
    own = code(settings.currency)
    ranked = sorted(rows.items(), key=lambda item: (-item[1], item[0]))
    saw = ", ".join(f"{name} in {counted(count, 'row')}" for name, count in ranked)
    if len(rows) > 1:
        first, second = (
            own or ranked[0][0],
            next(n for n, _ in ranked if n != (own or ranked[0][0])),
        )
        raise DataError(
            f"the amounts are in {len(rows)} currencies, and one portfolio has one",
            where=where,
            saw=saw,
            do=f"give data.rates, each currency's worth in {first}, such as {{{first}: 1.0, "
            f"{second}: ...}}, or keep one currency per portfolio",
        )
    if own and rows and own not in rows:
        raise DataError(
            f"the amounts are not in {own}, the portfolio's currency",
            where=where,
            saw=saw,
            do=f"set currency to {ranked[0][0]}, or give data.rates to convert the amounts",
        )
