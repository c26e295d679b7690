"""`portfolio-ml` on a clock that jumps; for `tests.commands`.

`CLOCK_DAYS` says how far, and `CLOCK_READINGS` after how many readings of the package's own clock;
without it the clock is wrong from the beginning. MLflow's clock jumps with it.
"""

import itertools
import os
import time
from datetime import datetime, timedelta, tzinfo

from portfolio_ml.cli import app, options

_days = float(os.environ.get("CLOCK_DAYS", "0"))
_jumps = itertools.chain(
    itertools.repeat(0.0, int(os.environ.get("CLOCK_READINGS", "0"))), itertools.repeat(_days)
)
_time, _time_ns = time.time, time.time_ns


class _Jumping(datetime):
    by = next(_jumps)
    """How many days it is off by now."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:
        told = datetime.now(tz) + timedelta(days=cls.by)
        cls.by = next(_jumps)
        return told


def main() -> None:
    """The command line, on that clock."""
    options.datetime = _Jumping
    time.time = lambda: _time() + _Jumping.by * 86_400
    time.time_ns = lambda: _time_ns() + int(_Jumping.by * 86_400e9)
    app.main()
