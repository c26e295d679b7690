"""What is known of a customer besides purchases: dated attributes, or static ones.

An undated attribute is today's: it may have changed since, and tell the future. It is left out
unless the config declares it static.
"""

from collections.abc import Collection, Iterator

import narwhals as nw

from portfolio_ml.features.feature import Feature, Stage, change

FAMILY = "account"
YEAR_AGO = "_365d_ago"
KNOWN_SHARE = "_known_share"
NUMBERS = ("income", "service_cost")
DAYS = ("signup_date", "ended_at", "birthday")

_YEAR_DAYS = 365.2425


def account_features(columns: Collection[str] = ()) -> tuple[Feature, ...]:
    """The features of the customers table.

    Args:
        columns: The attributes that may be used: all of a dated table, the static ones of another.

    Example:
        >>> [feature.name for feature in account_features(["region"])][-2:]
        ['region_known_share', 'region_changed_365d']
    """
    return (*_of_days(), *_of_numbers(), *_of_texts(columns))


def _needs(*columns: str) -> frozenset[str]:
    return frozenset(f"customers.{column}" for column in columns)


def _of_days() -> Iterator[Feature]:
    as_of = nw.col("as_of")
    signup, ended_at, birthday = (nw.col(name) for name in DAYS)
    yield Feature(
        name="signup_days",
        family=FAMILY,
        unit="days",
        window="attributes valid on the as-of day",
        null="not known, or after the as-of day",
        formula="as-of day minus the day of signing up",
        stage=Stage.ATTRIBUTES,
        value=nw.when(signup <= as_of).then(as_of - signup),
        needs=_needs("signup_date"),
    )
    yield Feature(
        name="contract_days_left",
        family=FAMILY,
        unit="days",
        window="attributes valid on the as-of day",
        null="no end is known",
        formula="the contract's end minus the as-of day; below 0 once it has ended",
        stage=Stage.ATTRIBUTES,
        value=ended_at - as_of,
        needs=_needs("ended_at"),
    )
    age = (as_of - birthday).cast(nw.Float64) / _YEAR_DAYS
    yield Feature(
        name="days_to_birthday",
        family=FAMILY,
        unit="days",
        window="attributes valid on the as-of day",
        null="not known, or after the as-of day",
        formula="days to the next whole year of age, in years of 365.2425 days",
        stage=Stage.ATTRIBUTES,
        value=nw.when(birthday <= as_of).then((age.ceil() - age) * _YEAR_DAYS),
        needs=_needs("birthday"),
    )


def _of_numbers() -> Iterator[Feature]:
    for name in NUMBERS:
        words = name.replace("_", " ")
        yield Feature(
            name=name,
            family=FAMILY,
            unit="as given",
            window="attributes valid on the as-of day",
            null="not known",
            formula=words,
            stage=Stage.ATTRIBUTES,
            value=nw.col(name),
            needs=_needs(name),
        )
        yield Feature(
            name=f"{name}_change_365d",
            family=FAMILY,
            unit="ratio",
            window="last 365 days",
            null="not known now, or not known or 0 a year ago",
            formula=f"{words} / {words} 365 days before the as-of day, minus 1",
            stage=Stage.ATTRIBUTES,
            value=change(nw.col(name), nw.col(f"{name}{YEAR_AGO}")),
            needs=_needs(name, "valid_from"),
        )


def texts(columns: Collection[str]) -> tuple[str, ...]:
    """The attributes that are texts: names of groups."""
    own = {"customer_id", "valid_from", "referred_by", *NUMBERS, *DAYS}
    return tuple(name for name in columns if name not in own)


def _of_texts(columns: Collection[str]) -> Iterator[Feature]:
    for name in texts(columns):
        words = name.replace("_", " ")
        yield Feature(
            name=f"{name}{KNOWN_SHARE}",
            family=FAMILY,
            unit="share",
            window="attributes valid on the as-of day",
            null="not known",
            formula=f"of the portfolio's customers whose {words} is known, the share with the same "
            "one; 0 for one that is not among the 1,000 most frequent",
            stage=Stage.PORTFOLIO,
            value=nw.when(~nw.col(name).is_null()).then(
                nw.coalesce(nw.col(f"reference_{name}"), nw.lit(0.0))
            ),
            needs=_needs(name),
        )
        then = nw.col(f"{name}{YEAR_AGO}")
        yield Feature(
            name=f"{name}_changed_365d",
            family=FAMILY,
            unit="yes = 1",
            window="last 365 days",
            null="not known now or not a year ago",
            formula=f"whether the {words} differs from that of 365 days before the as-of day",
            stage=Stage.ATTRIBUTES,
            value=nw.when(~nw.col(name).is_null() & ~then.is_null()).then(
                (nw.col(name) != then).cast(nw.Int64)
            ),
            needs=_needs(name, "valid_from"),
        )
