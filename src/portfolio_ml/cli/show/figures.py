"""The portfolio's figures, as plain values for `--json`, and drawn for people."""

from typing import Any

from portfolio_ml.cli.printing import (
    console,
    print_line,
    print_sentence,
    print_table,
    print_title,
)
from portfolio_ml.cli.show.delivery import deliveries, print_deliveries
from portfolio_ml.delivering import Deliveries
from portfolio_ml.figure_tables import figure_tables
from portfolio_ml.portfolio.figure import Figure
from portfolio_ml.reckoned import Reckoned
from portfolio_ml.wording import counted

Done = tuple[Reckoned, Deliveries]

HEADLINE = ("health", "flow", "concentration", "goals", "daily_list")
"""The figures to look at first; whom to contact comes last, where the eye is left."""
_FEW = 10


def figures(result: Done) -> dict[str, Any]:
    """Every figure with all its rows, or why it is absent; and what became of them."""
    found, done = result
    return {
        "as_of": found.as_of.isoformat(),
        "run_id": found.run_id,
        "currency": found.currency,
        "figures": {
            figure.name: {
                "title": figure.title,
                "absent": figure.absent or None,
                "notes": [*figure.notes],
                "rows": figure.rows.drop_columns(["as_of"]).to_pylist(),
            }
            for figure in found.figures[:-1]
        },
        **deliveries(done),
    }


def print_figures(result: Done, *, rows: int) -> None:
    """The first rows of every figure that is there, its notes, and which figures are absent."""
    found, done = result
    money = f", amounts in {found.currency}" if found.currency else ""
    print_title(f"The portfolio as of {found.as_of}{money}")
    for figure in found.figures[:-1]:
        _print_figure(figure, rows)
    if lacking := [figure for figure in found.figures if figure.absent]:
        print_line("Absent:")
        for figure in lacking:
            print_sentence(f"{figure.title}: {figure.absent}", indent=2)
    print_deliveries(done)


def print_headline(result: Done) -> None:
    """The figures to look at first, how many more there are, and where all of them went."""
    found, done = result
    by_name = {figure.name: figure for figure in found.figures}
    for name in HEADLINE:
        _print_figure(by_name[name], _FEW)
    others = [figure for figure in found.present[:-1] if figure.name not in HEADLINE]
    print_line(f"{counted(len(others), 'further figure')} of the portfolio as of {found.as_of}")
    for target in dict.fromkeys(receipt.target for receipt in done.receipts):
        sent = [receipt for receipt in done.receipts if receipt.target == target]
        rows, tables = sum(r.rows for r in sent), counted(len(sent), "table")
        print_line(f"{target}: {tables} such as {sent[0].table}, {counted(rows, 'row')} in all")


def _print_figure(figure: Figure, rows: int) -> None:
    """The first rows of a figure and its notes; nothing where it is absent."""
    if figure.absent:
        return
    for table in figure_tables(figure, rows=rows, width=console().width):
        print_table(table)
    for note in figure.notes:
        print_sentence(note, indent=2)
