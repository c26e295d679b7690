"""Stub."""

from portfolio_ml.cli.options import Config, Json, Quiet


def doctor(config: Config, as_json: Json = False, quiet: Quiet = False) -> None:
    """Check config, data, tracking and targets, and say what to fix."""
