"""The commands that write into the CRM: score, deliver, migrate, erase."""
# ruff: noqa: PLC0415 - heavy libraries are imported by the commands that need them

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from portfolio_ml.cli.options import AsOf, Config, Json, Quiet, now, parsed_date
from portfolio_ml.cli.printing import told
from portfolio_ml.errors import ConfigError, NothingToDoError, PortfolioError

DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Show what would change, and write nothing.")
]
Customers = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Score only the customers whose ids the file has."),
]
From = Annotated[
    str | None,
    typer.Option("--from", metavar="DATE", help="Fill the history: the first date to score."),
]
To = Annotated[
    str | None, typer.Option("--to", metavar="DATE", help="The last; with --from, and alike.")
]
Retry = Annotated[
    bool, typer.Option("--retry", help="Deliver again what was rejected or is unknown.")
]
Customer = Annotated[str, typer.Option("--customer", metavar="ID", help="Whom to erase.")]


def score(
    config: Config,
    *,
    as_of: AsOf = None,
    dry_run: DryRun = False,
    customers: Customers = None,
    first: From = None,
    last: To = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Score customers with the champions and deliver the rows.

    Every delivery leaves a receipt; the same run twice changes nothing. With --from and --to every
    date between them is scored, in order, to fill the history.
    """
    _demand_one_way(as_of, first, last, dry_run=dry_run, customers=customers)
    if first is not None:
        _fill(config, first, last, as_json=as_json, quiet=quiet)
        return
    from portfolio_ml import pipeline
    from portfolio_ml.chosen import chosen_customers
    from portfolio_ml.cli.opened import opened
    from portfolio_ml.cli.show.delivery import print_rehearsal, rehearsal
    from portfolio_ml.cli.show.scores import print_after_scoring, print_scoring, scoring

    some = None if customers is None else chosen_customers(customers)
    with opened(config, as_of, quiet=quiet) as (portfolio, say):
        if dry_run:
            seen = pipeline.rehearse_score(portfolio, now=now, say=say, customers=some)
        else:
            result = pipeline.score(portfolio, now=now, say=say, customers=some)
    if dry_run:
        told(seen, plain=rehearsal, drawn=print_rehearsal, as_json=as_json)
        return
    told(result, plain=scoring, drawn=print_scoring, as_json=as_json)
    _raise_first(result.faults)
    if not as_json:
        print_after_scoring(config)


def deliver(
    config: Config, *, retry: Retry = False, as_json: Json = False, quiet: Quiet = False
) -> None:
    """Deliver again what was rejected or is unknown.

    Nothing is scored. Rows that a later delivery has settled are left alone.
    """
    from portfolio_ml import upkeep
    from portfolio_ml.cli.progress import telling
    from portfolio_ml.cli.show.delivery import deliveries, print_deliveries
    from portfolio_ml.config import load_settings

    if not retry:
        raise ConfigError(
            "deliver replays what is left from earlier runs",
            do="add --retry; fresh scores are delivered by portfolio-ml score",
        )
    settings = load_settings(config)
    with telling(quiet=quiet) as say:
        say("looking for rejected and unknown rows")
        done = upkeep.retry(settings, now=now)
    if not done.receipts and not done.faults:
        raise NothingToDoError("no target has rejected or unknown rows", where=str(config))
    told(done, plain=deliveries, drawn=print_deliveries, as_json=as_json)
    _raise_first(done.faults)


def migrate(config: Config, as_json: Json = False, quiet: Quiet = False) -> None:
    """Bring the package's tables to this version's shape.

    Columns that are missing are added, in one transaction per target; nothing is removed.
    """
    from portfolio_ml import upkeep
    from portfolio_ml.cli.progress import telling
    from portfolio_ml.cli.show.delivery import migrated, print_migrated
    from portfolio_ml.config import load_settings

    settings = load_settings(config)
    with telling(quiet=quiet) as say:
        say("looking at the tables")
        done = upkeep.migrate(settings)
    if not done:
        raise NothingToDoError("the tables have this version's shape", where=str(config))
    told(done, plain=migrated, drawn=print_migrated, as_json=as_json)


def erase(
    config: Config, *, customer: Customer, as_json: Json = False, quiet: Quiet = False
) -> None:
    """Remove one customer from everything that the package wrote.

    Scores, history, outbox, rejected and quarantined rows go; a keyed hash stays, so that no later
    run brings the customer back. The transactions themselves are yours to erase.
    """
    from portfolio_ml import upkeep
    from portfolio_ml.cli.progress import telling
    from portfolio_ml.cli.show.delivery import erased, print_erased
    from portfolio_ml.config import load_settings

    if not customer.strip():
        raise ConfigError("--customer is empty", do="give the id as it is in the transactions")
    if not _is_text(customer):
        raise ConfigError("--customer is not UTF-8", do="give the id as it is in the transactions")
    settings = load_settings(config)
    with telling(quiet=quiet) as say:
        say("erasing")
        done = upkeep.erase(settings, customer, now=now)
    told(done, plain=erased, drawn=print_erased, as_json=as_json)


def _is_text(argument: str) -> bool:
    """Whether an argument is text in the terminal's encoding, and no other bytes."""
    try:
        argument.encode()
    except UnicodeEncodeError:
        return False
    return True


def _fill(config: Path, first: str, last: str | None, *, as_json: bool, quiet: bool) -> None:
    """Score and deliver every date between two."""
    from portfolio_ml import pipeline
    from portfolio_ml.cli.opened import opened
    from portfolio_ml.cli.show.delivery import filled, print_filled

    begin = _date(first, "--from")
    with opened(config, last, quiet=quiet) as (portfolio, say):
        done: list[tuple[date, pipeline.Deliveries]] = []
        for each in pipeline.fill(portfolio, begin, now=now, say=say):
            done.append(each)
            if each[1].faults:
                break
    told(done, plain=filled, drawn=print_filled, as_json=as_json)
    _raise_first(tuple(fault for _, deliveries in done for fault in deliveries.faults))


def _date(text: str, option: str) -> date:
    try:
        found = parsed_date(text)
    except ConfigError as error:
        raise ConfigError(f"{option} is no date", saw=error.saw, do=error.do) from None
    if found is None:
        raise ConfigError(f"{option} is no date", saw=repr(text))
    return found


def _demand_one_way(
    as_of: str | None,
    first: str | None,
    last: str | None,
    *,
    dry_run: bool,
    customers: Path | None,
) -> None:
    if (first is None) != (last is None):
        raise ConfigError("--from and --to go together", do="give both")
    if first is None:
        return
    others = {"--as-of": as_of, "--customers": customers, "--dry-run": dry_run or None}
    if given := [name for name, value in others.items() if value is not None]:
        raise ConfigError(f"{given[0]} and --from do not go together", do="give one of them")
    if last is not None and _date(last, "--to") < _date(first, "--from"):
        raise ConfigError("--to lies before --from", saw=f"{first} to {last}", do="swap them")


def _raise_first(faults: Sequence[PortfolioError]) -> None:
    """End as the first fault says, now that the deliveries that went well are told."""
    if faults:
        raise faults[0]


COMMANDS = (score, deliver, migrate, erase)
