"""The catalogue as a page: `make docs-features` writes it to docs/reference/features.md."""

from itertools import groupby

from portfolio_ml.features.catalogue import Catalogue, catalogue
from portfolio_ml.features.feature import Feature

_INTRODUCTION = """# Features

For those who read, use or doubt a feature. Made from the catalogue by `make docs-features`. History
is every event up to and including the as-of day; nothing after it changes a value. Features whose
columns are not mapped are left out, and `portfolio-ml features` says which. `ATTRIBUTE` stands for
each text of the customers table, `KIND` for each kind in `data.interactions.kinds`.
"""
_HEAD = ("name", "unit", "window", "formula", "null", "needs", "models learn from it")


def markdown() -> str:
    """The page: a table per family, a row per feature."""
    features = everything().features
    order = list(dict.fromkeys(feature.family for feature in features))
    ranked = sorted(features, key=lambda feature: order.index(feature.family))
    families = groupby(ranked, key=lambda feature: feature.family)
    tables = (f"## {family.capitalize()}\n\n{_table([*rows])}" for family, rows in families)
    return "\n".join([_INTRODUCTION, *tables])


def everything() -> Catalogue:
    """The catalogue of a portfolio with every table and column."""
    every = catalogue(attributes=["ATTRIBUTE"], kinds=["KIND"])
    needs = {need for absent in every.left_out.values() for need in absent}
    return catalogue(needs, attributes=["ATTRIBUTE"], kinds=["KIND"])


def _table(features: list[Feature]) -> str:
    rows = [_HEAD, ("---",) * len(_HEAD), *map(_cells, features)]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _cells(feature: Feature) -> tuple[str, ...]:
    return (
        f"`{feature.name.replace('kind_', 'KIND_')}`",
        feature.unit,
        feature.window,
        feature.formula.replace("|", "\\|"),
        feature.null or "never",
        ", ".join(f"`{need}`" for need in sorted(feature.needs)),
        "yes" if feature.is_model_input else "no",
    )
