"""The commands on a portfolio's config.

Heavy libraries are imported by the commands that need them, so that `--help` answers at once.
"""
# ruff: noqa: PLC0415 - the imports inside commands are the point of this module

from pathlib import Path
from typing import Annotated, Any

import typer

from portfolio_ml.cli.options import AsOf, Config, Json, Quiet, now, parsed_date, teller, today
from portfolio_ml.cli.printing import print_json, print_rows
from portfolio_ml.errors import ConfigError

Out = Annotated[Path, typer.Option("--out", "-o", help="The Parquet file to write.")]


def validate(config: Config, as_json: Json = False, quiet: Quiet = False) -> None:
    """Load and check the data; say what was kept and what was refused, why, and where it is.

    The refused rows are kept in the file that data.quarantine names, even where they are too many
    and the exit code is 65.
    """
    from portfolio_ml import pipeline
    from portfolio_ml.cli.show import validation
    from portfolio_ml.config import load_settings

    checked = pipeline.validate(load_settings(config), today=today(), say=teller(quiet=quiet))
    facts = validation(checked.history)
    facts["quarantine"] = str(checked.quarantine) if checked.quarantine else None
    if not as_json and checked.quarantine is None:
        del facts["quarantine"]
    _print(facts, as_json=as_json)


def features(
    config: Config, out: Out, as_of: AsOf = None, as_json: Json = False, quiet: Quiet = False
) -> None:
    """Write the feature table: one row per customer at the as-of date."""
    from portfolio_ml import pipeline
    from portfolio_ml.config import load_settings
    from portfolio_ml.sinks.files import write_parquet

    if out.suffix.lower() != ".parquet":
        raise ConfigError("--out must name a .parquet file", saw=str(out))
    say = teller(quiet=quiet)
    with pipeline.opened(
        load_settings(config), today=today(), as_of=parsed_date(as_of), say=say
    ) as portfolio:
        table = pipeline.features(portfolio, say=say)
    write_parquet(table.dated_rows(), out)
    facts = {"rows": table.rows.num_rows, "features_hash": table.hash, "file": str(out)}
    _print(facts, as_json=as_json)


def backtest(
    config: Config, as_of: AsOf = None, as_json: Json = False, quiet: Quiet = False
) -> None:
    """Refit at rolling cutoffs and judge against baselines; registers nothing."""
    from portfolio_ml import pipeline
    from portfolio_ml.cli.show import print_judgements
    from portfolio_ml.config import load_settings

    say = teller(quiet=quiet)
    with pipeline.opened(
        load_settings(config), today=today(), as_of=parsed_date(as_of), say=say
    ) as portfolio:
        judgements = pipeline.backtest(portfolio, say=say)
    if as_json:
        print_json({target: judgement.to_dict() for target, judgement in judgements.items()})
    else:
        print_judgements(judgements)


def train(
    config: Config,
    as_of: AsOf = None,
    promote: Annotated[
        bool, typer.Option("--promote/--no-promote", help="Let accepted models take over.")
    ] = True,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Backtest, fit, log to MLflow, register, pass the gate, set the aliases."""
    from portfolio_ml import pipeline
    from portfolio_ml.cli.show import print_training, training
    from portfolio_ml.config import load_settings

    say = teller(quiet=quiet)
    with pipeline.opened(
        load_settings(config), today=today(), as_of=parsed_date(as_of), say=say
    ) as portfolio:
        result = pipeline.train(portfolio, promote=promote, say=say)
    if as_json:
        print_json(training(result))
    else:
        print_training(result)


def score(config: Config, as_of: AsOf = None, as_json: Json = False, quiet: Quiet = False) -> None:
    """Score every customer with the champions and deliver the rows, with a receipt."""
    from portfolio_ml import pipeline
    from portfolio_ml.cli.show import print_scoring, scoring
    from portfolio_ml.config import load_settings

    say = teller(quiet=quiet)
    with pipeline.opened(
        load_settings(config), today=today(), as_of=parsed_date(as_of), say=say
    ) as portfolio:
        result = pipeline.score(portfolio, now=now, say=say)
    if as_json:
        print_json(scoring(result))
    else:
        print_scoring(result)


def report(config: Config, as_of: AsOf = None, as_json: Json = False, quiet: Quiet = False) -> None:
    """Write the HTML page."""
    from portfolio_ml import pipeline
    from portfolio_ml.config import load_settings

    say = teller(quiet=quiet)
    with pipeline.opened(
        load_settings(config), today=today(), as_of=parsed_date(as_of), say=say
    ) as portfolio:
        path = pipeline.report(portfolio, now=now, say=say)
    _print({"file": str(path)}, as_json=as_json)


def _print(facts: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(facts)
    else:
        print_rows(facts)


COMMANDS = (validate, features, backtest, train, score, report)
