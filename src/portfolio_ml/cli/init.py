"""A config for the user's own files, guessed, told and written down."""
# ruff: noqa: PLC0415 - heavy libraries are imported by the commands that need them

import sys
from pathlib import Path
from typing import Annotated

import typer

from portfolio_ml.cli.options import Json, Quiet, today
from portfolio_ml.errors import ConfigError


def init(
    transactions: Annotated[
        str,
        typer.Option(
            "--transactions",
            "-t",
            metavar="FILE",
            help="A .csv or .parquet file, a folder or a glob.",
        ),
    ],
    *,
    customers: Annotated[
        str | None,
        typer.Option(
            "--customers", "-k", metavar="FILE", help="The same for a table of customers, if any."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="FILE", help="The YAML file; default: NAME.yaml."),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(
            "--name", "-n", metavar="NAME", help="The portfolio; default: the file's name."
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing config.")] = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Write a commented config for your files, guessing the columns.

    It reads the files, tells which column it takes for what and why, and proposes horizons that
    fit the rhythm of purchases. On a terminal it asks where it is unsure. What it writes says of
    each line what it means, and is meant to be read and corrected.
    """
    from portfolio_ml import discovery, engine
    from portfolio_ml.cli.guesses import (
        asked,
        described,
        print_customers,
        print_guess,
        print_proposal,
    )
    from portfolio_ml.cli.printing import print_json
    from portfolio_ml.cli.progress import telling
    from portfolio_ml.cli.writing import write_text
    from portfolio_ml.config import load_settings, settings_from
    from portfolio_ml.schema import CUSTOMERS

    chosen_name = name or discovery.slug(transactions)
    settings_from({"name": chosen_name, "data": {"transactions": {"source": "-"}}})
    config = _writable(out or Path(f"{chosen_name}.yaml"), force=force)
    here = Path.cwd()
    with engine.opened() as opened:
        with telling(quiet=quiet) as say:
            say("looking at the columns")
            seen = discovery.look(transactions, opened, base=here)
            guessed = discovery.guess(seen, opened)
        if sys.stdin.isatty() and sys.stderr.isatty() and not as_json:
            print_guess(guessed, error=True)
            guessed = discovery.guess(seen, opened, chosen=asked(guessed, seen))
        people = None
        with telling(quiet=quiet) as say:
            say("reading the whole history with this mapping")
            proposal = discovery.propose(transactions, guessed, opened, base=here, today=today())
            if customers is not None:
                say("looking at the customers")
                listed = discovery.look(customers, opened, base=here, of=CUSTOMERS)
                people = discovery.guess_customers(listed, (seen, guessed), opened, base=here)
    text = discovery.config_text(
        chosen_name,
        transactions,
        guessed,
        proposal,
        base=here,
        folder=config.parent.resolve(),
        customers=people,
    )
    write_text(config, text)
    load_settings(config)
    if as_json:
        print_json(described(guessed, proposal, config, customers=people))
    else:
        print_guess(guessed)
        if people is not None:
            print_customers(people, proposal)
        print_proposal(proposal, config)


def _writable(config: Path, *, force: bool) -> Path:
    if config.is_dir() or (config.exists() and not force):
        raise ConfigError(
            "there is a config already" if config.is_file() else "the config must be a file",
            where=str(config),
            do="choose another --out, or replace it with --force",
        )
    if not config.parent.is_dir():
        raise ConfigError(
            "there is no such folder", where=str(config.parent), do="create it, or choose --out"
        )
    return config
