"""The whole walk on a built-in data set, in one command."""
# ruff: noqa: PLC0415 - heavy libraries are imported by the commands that need them

from pathlib import Path
from typing import Annotated

import typer

from portfolio_ml.cli.options import Json, Quiet, now, teller, today


def demo(
    name: Annotated[str, typer.Argument(help="cdnow or grocery")] = "cdnow",
    folder: Annotated[
        Path, typer.Option("--dir", "-d", help="The folder that everything is written to.")
    ] = Path("demo"),
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Walk from real raw transactions to scores in a CRM, tracked in MLflow, with a page."""
    from portfolio_ml import pipeline
    from portfolio_ml.cli.printing import print_json
    from portfolio_ml.cli.show import print_demo, scoring, training
    from portfolio_ml.config import load_settings
    from portfolio_ml.datasets import dataset

    say = teller(quiet=quiet)
    chosen = dataset(name)
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / f"{name}.yaml"
    config.write_text(chosen.config, encoding="utf-8")
    settings = load_settings(config)
    with pipeline.opened(settings, today=today(), as_of=None, say=say) as portfolio:
        trained = pipeline.train(portfolio, promote=True, say=say)
        scored = pipeline.score(portfolio, now=now, say=say)
    page = pipeline.write_report(scored.facts, settings)
    if as_json:
        print_json({"training": training(trained), "scoring": scoring(scored), "report": str(page)})
    else:
        print_demo(chosen, trained, scored, config=config, page=page)
