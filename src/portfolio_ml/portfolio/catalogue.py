"""Every figure of the portfolio, in the order in which people read them."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import pyarrow as pa

from portfolio_ml.errors import ConfigError, nearest
from portfolio_ml.portfolio.book import Book
from portfolio_ml.portfolio.daily_list import DAILY_LIST, NEEDS, daily_list
from portfolio_ml.portfolio.figure import Figure, contract_of, present
from portfolio_ml.portfolio.sections import SECTIONS, sections
from portfolio_ml.schema import Column, Table

Compute = Callable[[Book], Figure]


@dataclass(frozen=True, slots=True)
class Derived:
    """A figure that is computed from others.

    Attributes:
        compute: Computes it from the book and those others.
        needs: The names of those others.
    """

    compute: Callable[[Book, Mapping[str, Figure]], Figure]
    needs: tuple[str, ...]


FIGURES: Mapping[Table, Compute | Derived] = MappingProxyType(
    {
        DAILY_LIST: Derived(daily_list, NEEDS),
        SECTIONS: sections,
    }
)
"""What computes each figure, by its contract, in the order in which people read them."""

CONTENTS = contract_of(
    "figures",
    grain="one figure",
    key=("figure",),
    columns=(
        Column("figure", pa.string(), "what it is called: the name of its table"),
        Column("title", pa.string(), "what it tells"),
        Column("row_count", pa.int64(), "rows of its table"),
        Column("absent", pa.string(), "why it could not be computed", null="it was"),
        Column("notes", pa.string(), "what to know of it, in sentences", null="nothing"),
    ),
)


def contracts() -> tuple[Table, ...]:
    """The tables of all figures, in their order."""
    return (*FIGURES, CONTENTS)


def demand_known(names: Collection[str]) -> None:
    """Refuse names of figures that there are not.

    Raises:
        ConfigError: One of them is no figure; the message lists those there are.
    """
    known = [contract.name for contract in FIGURES]
    for name in names:
        if name not in known:
            guess = nearest(name, known)
            raise ConfigError(
                f"there is no figure {name!r}",
                do=f"did you mean {guess!r}?" if guess else f"choose from {', '.join(known)}",
            )


def figures(book: Book, names: Collection[str] = ()) -> list[Figure]:
    """The figures, in the order in which people read them.

    Args:
        book: What they are computed from.
        names: Which ones; all of them where none is named.
    """
    by_name = {contract.name: compute for contract, compute in FIGURES.items()}
    wanted = [name for name in by_name if not names or name in names]
    found: dict[str, Figure] = {}

    def compute(name: str) -> Figure:
        if name not in found:
            how = by_name[name]
            found[name] = (
                how.compute(book, {need: compute(need) for need in how.needs})
                if isinstance(how, Derived)
                else how(book)
            )
        return found[name]

    return [compute(name) for name in wanted]


def contents(found: Collection[Figure], book: Book) -> Figure:
    """What figures there are, and why others are absent."""
    columns = {
        "figure": [figure.name for figure in found],
        "title": [figure.title for figure in found],
        "row_count": [figure.rows.num_rows for figure in found],
        "absent": [figure.absent or None for figure in found],
        "notes": ["; ".join(figure.notes) or None for figure in found],
    }
    return present(CONTENTS, "The figures", columns, as_of=book.as_of)
