"""The commands on who is champion: promote, rollback, champions."""
# ruff: noqa: PLC0415 - heavy libraries are imported by the commands that need them

from typing import Annotated, Literal

import typer

from portfolio_ml.cli.options import Config, Json, Quiet
from portfolio_ml.cli.printing import told

AnyTarget = Annotated[
    Literal["churn", "lifetime_value", "segments"],
    typer.Argument(metavar="TARGET", help="churn, lifetime_value or segments."),
]
Version = Annotated[
    int, typer.Argument(min=1, metavar="VERSION", help="Its number in the registry.")
]
Reason = Annotated[str, typer.Option(metavar="TEXT", help="Why, for the record.")]
RollbackReason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="What was wrong.")]


def promote(
    target: AnyTarget,
    version: Version,
    config: Config,
    *,
    reason: Reason = "by hand",
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Make a registered version the champion by hand.

    Who did it, when and why goes on record; the champion before becomes the previous one.
    """
    from portfolio_ml import champions
    from portfolio_ml.cli.progress import telling
    from portfolio_ml.cli.show.champions import move, print_move
    from portfolio_ml.config import load_settings

    settings = load_settings(config)
    with telling(quiet=quiet) as say:
        say(f"checking the files of version {version}")
        done = champions.promote(settings, target, str(version), reason=reason)
    told(done, plain=move, drawn=print_move, as_json=as_json)


def rollback(
    target: AnyTarget,
    config: Config,
    *,
    reason: RollbackReason,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Make the previous champion the champion again.

    Who did it, when and why goes on record.
    """
    from portfolio_ml import champions
    from portfolio_ml.cli.progress import telling
    from portfolio_ml.cli.show.champions import move, print_move
    from portfolio_ml.config import load_settings

    settings = load_settings(config)
    with telling(quiet=quiet) as say:
        say("checking the previous champion's files")
        done = champions.rollback(settings, target, reason=reason)
    told(done, plain=move, drawn=print_move, as_json=as_json)


def champions(config: Config, as_json: Json = False, quiet: Quiet = False) -> None:
    """Show which versions are in use, and how that came about.

    The champion, the one before and the challenger of every target, and each promotion and
    rollback with its time, its reason and who did it.
    """
    from portfolio_ml import champions as in_force
    from portfolio_ml.cli.progress import telling
    from portfolio_ml.cli.show.champions import print_succession, succession
    from portfolio_ml.config import load_settings

    settings = load_settings(config)
    with telling(quiet=quiet) as say:
        say("reading the registry")
        found = in_force.successions(settings)
    told(found, plain=succession, drawn=print_succession, as_json=as_json)


COMMANDS = (promote, rollback, champions)
