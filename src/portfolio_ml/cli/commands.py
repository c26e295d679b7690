"""The commands that read a portfolio and learn from it, watch it or report on it.

Heavy libraries are imported by the commands that need them, so that `--help` answers at once.
"""
# ruff: noqa: PLC0415 - the imports inside commands are the point of this module

import sys
from pathlib import Path
from time import monotonic
from typing import Annotated, Literal

import typer

from portfolio_ml.cli.options import AsOf, Config, Json, Quiet, now, today
from portfolio_ml.cli.printing import told
from portfolio_ml.errors import ConfigError, RefusedError
from portfolio_ml.wording import command

Out = Annotated[
    Path,
    typer.Option("--out", "-o", metavar="FILE", help="The Parquet file to write."),
]
Promote = Annotated[
    bool, typer.Option("--promote/--no-promote", help="Let accepted models take over.")
]

Minutes = Annotated[
    float, typer.Option(min=0.01, metavar="N", help="Begin no trial after so many minutes.")
]
Trials = Annotated[
    int | None,
    typer.Option(min=1, metavar="N", help="Nor after so many, those of earlier runs included."),
]
TuneTarget = Annotated[
    Literal["churn", "lifetime_value", "both"],
    typer.Option(metavar="TARGET", help="churn, lifetime_value or both."),
]
FailOn = Annotated[
    Literal["watch", "retrain"] | None,
    typer.Option(metavar="VERDICT", help="End with exit code 78 on watch or retrain."),
]
GateFailOn = Annotated[
    Literal["refused"] | None,
    typer.Option(
        "--fail-on",
        metavar="DECISION",
        help="End with exit code 78 where the gate refused a model: refused.",
    ),
]
TunedOut = Annotated[
    Path | None,
    typer.Option("--out", "-o", metavar="FILE", help="Write the printed block to a file, too."),
]


def validate(config: Config, as_json: Json = False, quiet: Quiet = False) -> None:
    """Check the data: what is kept, what is refused, and why.

    The refused rows are kept in the file that data.quarantine names, even where they are too many
    and the exit code is 65.
    """
    from portfolio_ml import pipeline
    from portfolio_ml.cli.printing import print_line
    from portfolio_ml.cli.progress import telling
    from portfolio_ml.cli.show.data import print_validation, validation
    from portfolio_ml.config import load_settings

    settings = load_settings(config)
    with telling(quiet=quiet) as say:
        checked = pipeline.validate(settings, today=today(settings.timezone), say=say)
    told(checked, plain=validation, drawn=print_validation, as_json=as_json)
    if not as_json:
        print_line(f"Next: {command('train', config)}")


def features(
    config: Config,
    as_of: AsOf = None,
    out: Out = Path("features.parquet"),
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Write the feature table: a row per customer at the as-of date.

    The same features that the models learn from, for a look or for models of your own. What is
    dated or recorded after the as-of date is not seen. docs/reference/features.md tells what each
    means.
    """
    from portfolio_ml import exports
    from portfolio_ml.cli.opened import opened
    from portfolio_ml.cli.show.data import export, print_export

    _demand_parquet(out)
    with opened(config, as_of, quiet=quiet) as (portfolio, say):
        written = exports.write_features(portfolio, out, say=say)
    told(written, plain=export, drawn=print_export, as_json=as_json)


def snapshots(
    config: Config,
    as_of: AsOf = None,
    out: Out = Path("snapshots.parquet"),
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Write the training table: past features and what came after.

    For models of your own: a row per customer and snapshot date, with a group for folds and a
    weight. Only dates whose outcomes are known up to the as-of date have rows. Where there would be
    more than training.max_rows, they are of customers drawn from all.
    """
    from portfolio_ml import exports
    from portfolio_ml.cli.opened import opened
    from portfolio_ml.cli.show.data import print_snapshots, snapshots_facts

    _demand_parquet(out)
    with opened(config, as_of, quiet=quiet) as (portfolio, say):
        written = exports.write_snapshots(portfolio, out, say=say)
    told(written, plain=snapshots_facts, drawn=print_snapshots, as_json=as_json)


def backtest(
    config: Config, as_of: AsOf = None, as_json: Json = False, quiet: Quiet = False
) -> None:
    """Refit at past cutoffs and judge against baselines.

    The same recipe as in train is fitted on what was known at each cutoff, and predicts what then
    happened. Each model's gain over each baseline comes with its interval. Nothing is registered.
    """
    from portfolio_ml import pipeline
    from portfolio_ml.cli.opened import opened
    from portfolio_ml.cli.show.learnt import judgements, print_judgements

    with opened(config, as_of, quiet=quiet) as (portfolio, say):
        judged = pipeline.backtest(portfolio, say=say)
    told(judged, plain=judgements, drawn=print_judgements, as_json=as_json)


def tune(
    config: Config,
    *,
    as_of: AsOf = None,
    minutes: Minutes = 10,
    trials: Trials = None,
    target: TuneTarget = "both",
    out: TunedOut = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Search for tree parameters that beat the defaults.

    It looks only at outcomes before the backtest's first cutoff, and advises what gains on
    customers that the search did not look at. The block that it prints belongs into the config.
    Trials are kept in the database tuning.url: the same command goes on after them.
    """
    from portfolio_ml import pipeline
    from portfolio_ml.cli.opened import opened
    from portfolio_ml.cli.show.learnt import print_after_tuning, print_tuned, tuned
    from portfolio_ml.cli.writing import write_text
    from portfolio_ml.results import tuned_yaml
    from portfolio_ml.tuning import TARGETS

    if out is not None and (out.is_dir() or not out.absolute().parent.is_dir()):
        raise ConfigError("--out must name a file in a folder that exists", saw=str(out))
    try:
        with opened(config, as_of, quiet=quiet) as (portfolio, say):
            found = pipeline.tune(
                portfolio,
                targets=TARGETS if target == "both" else (target,),
                budget=pipeline.Budget(minutes=minutes, trials=trials, stopwatch=monotonic),
                say=say,
            )
    except KeyboardInterrupt:
        print("the finished trials are kept; the same command goes on after them", file=sys.stderr)
        raise
    if out is not None:
        write_text(out, tuned_yaml(found) + "\n")
    told(found, plain=tuned, drawn=print_tuned, as_json=as_json)
    if not as_json:
        print_after_tuning(found, config)


def train(
    config: Config,
    *,
    as_of: AsOf = None,
    promote: Promote = True,
    fail_on: GateFailOn = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Backtest, fit, register in MLflow, and let the gate decide.

    Churn, lifetime value and segments are fitted on the whole history and logged as versions. What
    passes the gate, which compares it with the champion and the baselines, becomes the champion,
    which score and report use. With --no-promote the champions stay as they are. With --fail-on
    refused the exit code is 78 where the gate refused one; the others are champions all the same.
    """
    from portfolio_ml import pipeline
    from portfolio_ml.cli.opened import opened
    from portfolio_ml.cli.show.learnt import print_after_training, print_training, training

    with opened(config, as_of, quiet=quiet) as (portfolio, say):
        result = pipeline.train(portfolio, promote=promote, say=say)
    told(result, plain=training, drawn=print_training, as_json=as_json)
    if not as_json:
        print_after_training(portfolio.settings, config, promote=promote)
    refused = [name for name, each in result.decisions.items() if not each.is_promoted]
    if fail_on is not None and refused:
        raise RefusedError(
            f"the gate refused {', '.join(refused)}",
            do=f"see its reasons above, and who is in force: {command('champions', config)}",
        )


def monitor(
    config: Config,
    *,
    as_of: AsOf = None,
    fail_on: FailOn = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Say whether to keep the champions, watch them, or retrain.

    Features and scores are held against training, ageing aside, and delivered scores whose horizon
    has passed against what happened. What is seen is logged as a run. With --fail-on the exit code
    is 78 where the verdict is that one, or a graver one.
    """
    from portfolio_ml import pipeline
    from portfolio_ml.cli.opened import opened
    from portfolio_ml.cli.show.watched import monitoring, print_monitoring
    from portfolio_ml.monitoring.verdict import LEVELS

    with opened(config, as_of, quiet=quiet) as (portfolio, say):
        seen = pipeline.monitor(portfolio, say=say)
    told(seen, plain=monitoring, drawn=print_monitoring, as_json=as_json)
    if fail_on is not None and LEVELS.index(seen.verdict.level) >= LEVELS.index(fail_on):
        raise RefusedError(
            f"the monitor says {seen.verdict.level}", do=f"retrain: {command('train', config)}"
        )


def report(config: Config, as_of: AsOf = None, as_json: Json = False, quiet: Quiet = False) -> None:
    """Write the HTML page on customers, portfolio and models.

    One file that opens without a network: the portfolio, the customers worth attention with the
    reasons, and how far the models can be trusted. It scores afresh, computes all figures and
    delivers nothing. The page's facts are written beside it as JSON.
    """
    from portfolio_ml import pipeline
    from portfolio_ml.cli.opened import opened
    from portfolio_ml.cli.show.report import print_reported, reported

    with opened(config, as_of, quiet=quiet) as (portfolio, say):
        done = pipeline.report(portfolio, now=now, say=say)
    told(done, plain=reported, drawn=print_reported, as_json=as_json)


def _demand_parquet(out: Path) -> None:
    if out.suffix.lower() != ".parquet":
        raise ConfigError("--out must name a .parquet file", saw=str(out))


COMMANDS = (
    validate,
    features,
    snapshots,
    backtest,
    tune,
    train,
    monitor,
    report,
)
