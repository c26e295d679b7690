"""`portfolio-ml`, killed when it tells a step that begins with `DIE_AT`; for `tests.commands`."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from portfolio_ml.cli import app, opened
from portfolio_ml.opening import Say


@contextmanager
def _dying(*, quiet: bool) -> Iterator[Say]:
    del quiet

    def say(text: str) -> None:
        if str(text).startswith(os.environ["DIE_AT"]):
            os.kill(os.getpid(), signal.SIGKILL)

    yield say


def main() -> None:
    """The command line, until then."""
    opened.telling = _dying
    app.main()
