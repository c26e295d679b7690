"""The command on the portfolio's own figures."""
# ruff: noqa: PLC0415 - heavy libraries are imported by the commands that need them

from typing import Annotated

import typer

from portfolio_ml.cli.completion import figures as figures_like
from portfolio_ml.cli.options import AsOf, Config, Json, Quiet, now
from portfolio_ml.cli.printing import told

FigureNames = Annotated[
    list[str] | None,
    typer.Option(
        "--figure",
        "-f",
        metavar="NAME",
        help="Only this one; may be given again.",
        autocompletion=figures_like,
    ),
]
Rows = Annotated[
    int, typer.Option(min=1, metavar="N", help="How many rows of each figure are shown.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show the figures, and write nothing.")]


def portfolio(
    config: Config,
    *,
    as_of: AsOf = None,
    figure: FigureNames = None,
    rows: Rows = 10,
    dry_run: DryRun = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Show the portfolio's figures: sections, flow, the daily list.

    And many more. They are written where portfolio.delivery says. A figure whose columns or
    tables the data lacks is absent, with its reason. --json gives all rows.
    """
    from functools import partial

    from portfolio_ml import pipeline
    from portfolio_ml.cli.opened import opened
    from portfolio_ml.cli.show.figures import figures, print_figures
    from portfolio_ml.portfolio.catalogue import demand_known

    demand_known(figure or ())  # before minutes are spent on loading
    with opened(config, as_of, quiet=quiet) as (chosen, say):
        found, done = pipeline.portfolio_figures(
            chosen, now=now, say=say, names=figure or (), write=not dry_run
        )
    drawn = partial(print_figures, rows=rows)
    told((found, done), plain=figures, drawn=drawn, as_json=as_json)
    for fault in done.faults:
        raise fault
