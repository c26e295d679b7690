"""The whole walk on a built-in data set, in one command."""
# ruff: noqa: PLC0415 - heavy libraries are imported by the commands that need them

from pathlib import Path
from typing import Annotated

import typer

from portfolio_ml.cli.completion import datasets
from portfolio_ml.cli.options import Json, Quiet, now


def demo(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="cdnow, grocery or b2b (simulated).",
            autocompletion=datasets,
        ),
    ] = "cdnow",
    folder: Annotated[
        Path, typer.Option("--dir", "-d", metavar="DIR", help="Where everything is written to.")
    ] = Path("demo"),
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Walk from raw rows to scores in a CRM, on a built-in data set.

    On b2b, whose every table is simulated, the walk goes on to the portfolio's own figures.
    Everything is left in the folder, with a config that every other command can be run on.
    """
    from portfolio_ml import pipeline
    from portfolio_ml.cli.opened import opened
    from portfolio_ml.cli.printing import print_json, print_line
    from portfolio_ml.cli.show.figures import figures, print_headline
    from portfolio_ml.cli.show.learnt import training
    from portfolio_ml.cli.show.scores import scoring
    from portfolio_ml.cli.show.walked import print_demo
    from portfolio_ml.cli.writing import write_text
    from portfolio_ml.datasets import dataset
    from portfolio_ml.sinks.files import told

    chosen = dataset(name)
    with told(folder):
        folder.mkdir(parents=True, exist_ok=True)
    config = folder / f"{name}.yaml"
    write_text(config, chosen.config)
    with opened(config, None, quiet=quiet) as (portfolio, say):
        trained = pipeline.train(portfolio, promote=True, say=say)
        scored = pipeline.score(portfolio, now=now, say=say)
        report = pipeline.report(portfolio, now=now, say=say)
        reckoned = None
        if portfolio.settings.portfolio.delivery:
            delivered = pipeline.delivered_figures(
                report.reckoned, portfolio.settings, now=now, say=say
            )
            reckoned = (report.reckoned, delivered)
    page = report.page
    if as_json:
        facts = {"training": training(trained), "scoring": scoring(scored), "report": str(page)}
        print_json(facts if reckoned is None else {**facts, "portfolio": figures(reckoned)})
    else:
        print_demo(chosen, trained, scored, config=config, page=page)
        if reckoned is not None:
            print_headline(reckoned)
        if chosen.is_simulated:
            print_line("The data are simulated: no such business, no such customers.")
    for fault in (*scored.faults, *(() if reckoned is None else reckoned[1].faults)):
        raise fault
