"""What the commands on a config begin with: its portfolio, opened as their options say."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from portfolio_ml import pipeline
from portfolio_ml.cli.options import parsed_date, today
from portfolio_ml.cli.progress import telling
from portfolio_ml.config import load_settings
from portfolio_ml.opening import Opened
from portfolio_ml.steps import Say


@contextmanager
def opened(config: Path, as_of: str | None, *, quiet: bool) -> Iterator[tuple[Opened, Say]]:
    """The config's portfolio as of a date, and whom to tell of progress; closed at the end."""
    settings = load_settings(config)
    day = parsed_date(as_of)
    with (
        telling(quiet=quiet) as say,
        pipeline.opened(settings, today=today(settings.timezone), as_of=day, say=say) as portfolio,
    ):
        yield portfolio, say
