"""The package from Python: tables in, tables of the same kind out, results that show themselves.

Like the command line, this is an edge of the package.
"""

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from time import monotonic

import pyarrow as pa

from portfolio_ml import champions, discovery, engine, exports, pipeline
from portfolio_ml.answers import (
    BacktestResult,
    ChampionRecord,
    MonitorResult,
    MoveResult,
    Picture,
    PortfolioResult,
    ScoreResult,
    TrainResult,
    TuneResult,
    ValidationResult,
)
from portfolio_ml.config import Settings, settings_from
from portfolio_ml.given import AsOf, Table, like, now, opened, silent, today, warn_of_refused
from portfolio_ml.judgement import Supervised
from portfolio_ml.report.charts.drawing import Chart
from portfolio_ml.report.words import young_history
from portfolio_ml.tuning import TARGETS


def build_features(
    transactions: Table | str | PathLike[str],
    *,
    as_of: AsOf = None,
    columns: Mapping[str, str] | None = None,
    churn_days: int = 90,
    value_days: int = 90,
    timezone: str = "UTC",
) -> Table:
    """The feature table: one row per customer with a purchase in history.

    Args:
        transactions: A pandas, Polars or Arrow table, or a path to CSV or Parquet files.
        as_of: The last day to see; by default the last complete day of the history.
        columns: What the columns are called: `customer_id`, `timestamp`, `amount` and where
            there is one `order_id`, to the table's own names. Not needed where these match.
        churn_days: How far the customer-base model's chance of no purchase looks ahead.
        value_days: How far its expected spend looks ahead.
        timezone: The zone in which days begin.

    Returns:
        A table of the kind that was given (pandas for a path): customer_id, as_of, and a float32
        column per feature.

    Raises:
        ConfigError: The mapping or a parameter is wrong.
        DataError: The data cannot be used, or `as_of` lies outside it.

    Warns:
        QuarantineWarning: Some rows break a rule, such as an unreadable date, and are left out.

    Example:
        >>> import pandas as pd
        >>> purchases = pd.DataFrame(
        ...     {
        ...         "customer_id": ["ann", "ann", "bob"],
        ...         "timestamp": ["2024-01-05", "2024-02-09", "2024-02-11"],
        ...         "amount": [20.0, 10.0, 5.0],
        ...     }
        ... )
        >>> table = build_features(purchases)
        >>> table[["customer_id", "recency_days", "purchase_days", "spend"]]
          customer_id  recency_days  purchase_days  spend
        0         ann           2.0            2.0   30.0
        1         bob           0.0            1.0    5.0
    """
    is_path = isinstance(transactions, str | PathLike)
    source = str(Path(transactions).absolute()) if is_path else "table"
    given = {"source": source} | ({"columns": dict(columns)} if columns else {})
    settings = settings_from(
        {
            "name": "notebook",
            "timezone": timezone,
            "data": {"transactions": given},
            "targets": {
                "churn": {"horizon_days": churn_days},
                "lifetime_value": {"horizon_days": value_days},
            },
        }
    )
    table = None if is_path else transactions
    with opened(settings, as_of, table) as portfolio:
        warn_of_refused(portfolio)
        rows = pipeline.features(portfolio, say=silent).dated_rows()
    return like(rows, table)


def training_table(settings: Settings, *, as_of: AsOf = None, transactions: Table = None) -> Table:
    """The training table for models of your own: features at past dates, and what came after.

    Args:
        settings: From `load_settings` or `settings_from`; `training` says how many dates.
        as_of: The last day to see; by default the last complete day of the history.
        transactions: A table to use instead of the settings' source.

    Returns:
        A table of the kind that was given (pandas where none was): a row per customer and
        snapshot date whose outcomes are known, with the columns of `schema.TRAINING_ROWS` and a
        float32 column per feature. All rows of a `group` belong on one side of a fold. Where there
        would be more than `training.max_rows`, they are of customers drawn from all.

    Raises:
        DataError: The data cannot be used, or is too short for a single snapshot.

    Warns:
        QuarantineWarning: Some rows break a rule, such as an unreadable date, and are left out.
    """
    with opened(settings, as_of, transactions) as portfolio:
        warn_of_refused(portfolio)
        table = exports.training_table(portfolio)
        rows = pa.Table.from_batches(table.batches(lambda _: None), schema=table.schema)
    return like(rows, transactions)


def backtest(
    settings: Settings, *, as_of: AsOf = None, transactions: Table = None
) -> BacktestResult:
    """How the recipe would have done at rolling cutoffs, against baselines.

    Args:
        settings: From `load_settings` or `settings_from`.
        as_of: The last day to see; by default the last complete day of the history.
        transactions: A table to use instead of the settings' source.
    """
    with opened(settings, as_of, transactions) as portfolio:
        warn_of_refused(portfolio)
        judgements = pipeline.backtest(portfolio, say=silent)
    return BacktestResult(judgements)


def validate(settings: Settings, *, transactions: Table = None) -> ValidationResult:
    """What of the data is kept, what is refused, and why.

    The refused rows are kept in the file that `data.quarantine` names, as by the command.

    Args:
        settings: From `load_settings` or `settings_from`.
        transactions: A table to use instead of the settings' source.

    Raises:
        DataError: The data cannot be used, or too many rows are refused.
    """
    return ValidationResult(
        pipeline.validate(settings, today=today(settings), say=silent, table=transactions)
    )


def guess_config(transactions: str | PathLike[str], *, name: str | None = None) -> str:
    """A commented config for files of one's own, as YAML; what the command `init` writes.

    Relative paths start from the current folder. Parts that are marked UNSURE are to be checked.

    Args:
        transactions: A .csv or .parquet file, a folder or a glob.
        name: The portfolio's name; by default the file's.

    Raises:
        ConfigError: There is no such file, or a required column cannot be found.
        DataError: The data cannot be used.
    """
    source, here = str(transactions), Path.cwd()
    with engine.opened() as reader:
        seen = discovery.look(source, reader, base=here)
        guessed = discovery.guess(seen, reader)
        found = discovery.propose(source, guessed, reader, base=here, today=now().date())
    chosen = name or discovery.slug(source)
    return discovery.config_text(chosen, source, guessed, found, base=here, folder=here)


def contributions(
    settings: Settings,
    customers: Sequence[str] | None = None,
    *,
    as_of: AsOf = None,
    transactions: Table = None,
) -> Table:
    """What each feature adds to the log-odds of churn by the champion, against those who stay.

    Exact SHAP values, from which `churn_reasons` are told. They take up to 2 ms a customer.

    Args:
        settings: From `load_settings` or `settings_from`.
        customers: Whose; by default everybody's.
        as_of: The last day to see; by default the last complete day of the history.
        transactions: A table to use instead of the settings' source.

    Returns:
        A table of the kind that was given (pandas where none was): customer_id, and a column per
        feature; those of a row add up to its log-odds before calibration, minus the mean of
        those who stay.

    Raises:
        DataError: There is no champion, or it has no trees.
    """
    with opened(settings, as_of, transactions) as portfolio:
        warn_of_refused(portfolio)
        rows = pipeline.contributions(portfolio, customers, say=silent)
    return like(rows, transactions)


def tune(
    settings: Settings,
    *,
    as_of: AsOf = None,
    transactions: Table = None,
    minutes: float = 10,
    trials: int | None = None,
    targets: Sequence[Supervised] = TARGETS,
) -> TuneResult:
    """Search for tree parameters that beat the defaults, before every evaluation.

    Needs `pip install 'portfolio-ml[tune]'`. Trials are kept in the database `tuning.url`, and the
    same call goes on after them.

    Args:
        settings: From `load_settings` or `settings_from`.
        as_of: The last day to see; by default the last complete day of the history.
        transactions: A table to use instead of the settings' source.
        minutes: No trial is begun after so many.
        trials: Nor where a target has so many, those of earlier calls included.
        targets: `churn`, `lifetime_value`, or both.

    Raises:
        ConfigError: Optuna is not installed, or `tuning.url` is another tool's database.
        DataError: The data cannot be used, or the history is too short.
    """
    with opened(settings, as_of, transactions) as portfolio:
        warn_of_refused(portfolio)
        budget = pipeline.Budget(minutes=minutes, trials=trials, stopwatch=monotonic)
        return TuneResult(pipeline.tune(portfolio, targets=targets, budget=budget, say=silent))


def train(
    settings: Settings, *, as_of: AsOf = None, transactions: Table = None, promote: bool = True
) -> TrainResult:
    """Backtest, fit, log to MLflow, register, and pass the gate.

    Args:
        settings: From `load_settings` or `settings_from`.
        as_of: The last day to see; by default the last complete day of the history.
        transactions: A table to use instead of the settings' source.
        promote: Whether accepted challengers become champions.
    """
    with opened(settings, as_of, transactions) as portfolio:
        warn_of_refused(portfolio)
        return TrainResult(pipeline.train(portfolio, promote=promote, say=silent))


def promote(settings: Settings, target: str, version: int | str, *, reason: str) -> MoveResult:
    """Make a registered version the champion by hand; who, when and why go on record.

    Args:
        settings: From `load_settings` or `settings_from`.
        target: `churn`, `lifetime_value` or `segments`.
        version: Its number in the registry.
        reason: Why, in a sentence.

    Raises:
        ConfigError: There is no such target or version.
        NothingToDoError: It is the champion already.
        DataError: Its files are not the registered ones.
    """
    return MoveResult(champions.promote(settings, target, str(version), reason=reason))


def rollback(settings: Settings, target: str, *, reason: str) -> MoveResult:
    """Make the champion before the champion again; who, when and why go on record.

    Args:
        settings: From `load_settings` or `settings_from`.
        target: `churn`, `lifetime_value` or `segments`.
        reason: Why, in a sentence.

    Raises:
        ConfigError: There is no such target, or none to go back to.
        DataError: Its files are not the registered ones.
    """
    return MoveResult(champions.rollback(settings, target, reason=reason))


def champion_record(settings: Settings) -> ChampionRecord:
    """Which versions are in use, and how the champions changed.

    Args:
        settings: From `load_settings` or `settings_from`.
    """
    return ChampionRecord(champions.successions(settings))


def score(
    settings: Settings,
    *,
    as_of: AsOf = None,
    transactions: Table = None,
    customers: Sequence[str] | None = None,
) -> ScoreResult:
    """Score customers with the champions and deliver the rows as the settings say.

    Args:
        settings: From `load_settings` or `settings_from`.
        as_of: The last day to see; by default the last complete day of the history.
        transactions: A table to use instead of the settings' source.
        customers: Whom to score; by default everybody. Files, which hold everybody, are then left
            alone.

    Raises:
        PortfolioError: There is no champion, or a target did not take the rows; the other targets
            have taken them.
    """
    with opened(settings, as_of, transactions) as portfolio:
        warn_of_refused(portfolio)
        scored = pipeline.score(portfolio, now=now, say=silent, customers=customers)
    if scored.faults:
        raise scored.faults[0]
    rows = None if scored.rows is None else like(scored.rows, transactions)
    return ScoreResult(rows, scored.receipts, scored.facts, young_history(scored.facts))


def monitor(settings: Settings, *, as_of: AsOf = None, transactions: Table = None) -> MonitorResult:
    """Say whether to keep the champions, watch them, or retrain, and why.

    Features and scores are held against training, ageing aside, and delivered scores whose horizon
    has passed against what happened. What is seen is logged as a run.

    Args:
        settings: From `load_settings` or `settings_from`.
        as_of: The last day to see; by default the last complete day of the history.
        transactions: A table to use instead of the settings' source.

    Raises:
        DataError: There is no champion, or the data cannot be used.
    """
    with opened(settings, as_of, transactions) as portfolio:
        warn_of_refused(portfolio)
        return MonitorResult(pipeline.monitor(portfolio, say=silent))


def portfolio_figures(
    settings: Settings,
    *,
    as_of: AsOf = None,
    transactions: Table = None,
    names: Sequence[str] = (),
) -> PortfolioResult:
    """The portfolio's own figures, delivered where `portfolio.delivery` of the settings says.

    Args:
        settings: From `load_settings` or `settings_from`.
        as_of: The last day to see; by default the last complete day of the history.
        transactions: A table to use instead of the settings' source.
        names: Which figures, as in docs/reference/portfolio.md; by default all of them.

    Raises:
        PortfolioError: There is no figure of a name, the data cannot be used, or a target did not
            take the figures.
    """
    with opened(settings, as_of, transactions) as portfolio:
        warn_of_refused(portfolio)
        found, done = pipeline.portfolio_figures(portfolio, now=now, say=silent, names=names)
    if done.faults:
        raise done.faults[0]
    return PortfolioResult(found, done.receipts)


def picture(*shown: Chart) -> Picture:
    """Altair charts side by side in the report's style, as a picture that needs no network."""
    return Picture(shown)
