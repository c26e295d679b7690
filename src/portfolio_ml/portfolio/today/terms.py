"""Terms: what the config says that holds for the customers of a section."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from portfolio_ml.config import Terms
from portfolio_ml.portfolio.stock import Stock

TERMS = tuple(Terms.model_fields)
"""Payment term, delivery term and contact policy."""


def terms_of(
    stock: Stock, terms: Mapping[str, Mapping[str, Terms]]
) -> dict[str, NDArray[np.object_]]:
    """Each customer's terms, by name, shape (customers,); None where none is configured.

    Args:
        stock: The customers.
        terms: By attribute and value. Where several sections of a customer have a term, that of
            the attribute which comes first in the config holds.
    """
    found = {name: np.full(stock.count, None, object) for name in TERMS}
    for attribute in reversed([*terms]):  # the first has the last word
        if not stock.has(attribute):
            continue
        section = stock.section(attribute)
        for value, told in terms[attribute].items():
            for name, held in found.items():
                if (term := getattr(told, name)) is not None:
                    held[section == value] = term
    return found
