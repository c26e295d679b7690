"""The figures as a page: `make docs-portfolio` writes it to docs/reference/portfolio.md."""

from portfolio_ml.portfolio.catalogue import contracts
from portfolio_ml.schema import Column, Table

_INTRODUCTION = """# The portfolio's figures

For those who work with the portfolio's own figures. Made from the contracts by
`make docs-portfolio`; [the ideas](../explanation/portfolio_figures.md) behind them have a page of
their own. `portfolio-ml portfolio --config FILE` computes them and, where `portfolio.delivery` of
the config says, writes each into a table or file of its own:
`portfolio_NAME` in a database, with `portfolio_NAME_history` beside it, or `NAME.parquet`. A figure
is what its table holds as of its newest date; `as_of` says since when a row has been what it is,
and a row that a figure has no more is removed and stays in the history. Amounts are in the
portfolio's currency. What the data has no columns for is absent, and `portfolio_figures` says why.

"""
_HEAD = ("column", "what it holds", "null")


def markdown() -> str:
    """The page: a section per figure."""
    return _INTRODUCTION + "\n".join(map(_section, contracts()))


def _section(table: Table) -> str:
    key = ", ".join(f"`{name}`" for name in table.key)
    rows = [_HEAD, ("---",) * len(_HEAD), *map(_cells, table.columns)]
    lines = "".join(f"| {' | '.join(row)} |\n" for row in rows)
    return f"## `{table.name}`\n\nOne row is {table.grain}. Key: {key}.\n\n{lines}"


def _cells(column: Column) -> tuple[str, str, str]:
    return f"`{column.name}`", column.description, column.null or "never"
