"""The command that looks a portfolio over and says what to fix."""
# ruff: noqa: PLC0415 - heavy libraries are imported by the commands that need them

import typer

from portfolio_ml.cli.options import Config, Json, Quiet, now


def doctor(config: Config, as_json: Json = False, quiet: Quiet = False) -> None:
    """Check config, data, tracking and targets, and say what to fix.

    It looks at the config and the variables that it names, the engine, every table with its
    freshness and refused rows, the registry and its champions, each target (reached, of the right
    shape, open to a delivery), the state database, disks and the time zone. It writes nothing,
    goes on after a fault, and ends with the exit code of the worst one.
    """
    from portfolio_ml.checkup import check_up, worst
    from portfolio_ml.cli.printing import told
    from portfolio_ml.cli.progress import telling
    from portfolio_ml.cli.show.checks import checks, print_checks

    with telling(quiet=quiet) as say:
        found = tuple(check_up(config, now=now(), say=say))
    told(found, plain=checks, drawn=print_checks, as_json=as_json)
    if code := worst(found):
        raise typer.Exit(code)
