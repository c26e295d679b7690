"""How far a command is: a line per step, and on a terminal a line below them that moves.

What remains is told only where steps say how much of their work is done, by the pace so far.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from time import monotonic

from rich.console import Console, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from portfolio_ml.cli.options import now
from portfolio_ml.cli.printing import console_on
from portfolio_ml.steps import Say, Step, unheard

BAR_LETTERS = 12

_ENOUGH_SECONDS = 1.0
"""Work that has not gone on for so long tells nothing of its pace."""


@contextmanager
def telling(*, quiet: bool) -> Iterator[Say]:
    """What tells progress on standard error, for the length of a `with` block.

    Args:
        quiet: Whether nothing is to be told, on a terminal either.
    """
    console = console_on(sys.stderr)
    if quiet:
        yield unheard
    elif sys.stderr.isatty() and not console.is_dumb_terminal:
        moving = Moving(console)
        with Live(
            get_renderable=moving.line,
            console=console,
            transient=True,
            refresh_per_second=4,
            redirect_stdout=False,
            redirect_stderr=False,
        ):
            try:
                yield moving.tell
            finally:
                moving.settle()
    else:
        yield Lines().tell


class Lines:
    """A line as each step begins, with the time."""

    def __init__(self) -> None:
        self._last: str | None = None

    def tell(self, text: str) -> None:
        """Tell a step; one that goes on is not told again."""
        if text != self._last:
            print(f"{now():%H:%M:%S}  {text}", file=sys.stderr, flush=True)
        self._last = text


class Moving:
    """The step under way, drawn anew all the time; those that are done stay as lines above it."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._spinner = Spinner("line")
        self._pace = Pace("", 0.0, 0.0)
        self._text = self._clock = ""
        self._since = 0.0

    def tell(self, text: str) -> None:
        """Tell a step, which ends the one before; or how far the one under way is."""
        moment = monotonic()
        if text != self._text:
            self.settle()
            self._text, self._since, self._clock = str(text), moment, f"{now():%H:%M:%S}"
        work, share = (text.work, text.share) if isinstance(text, Step) else (str(text), 0.0)
        if work != self._pace.work:
            self._pace = Pace(work, share, moment)
        self._pace.reached(share, moment)

    def settle(self) -> None:
        """Leave the line of the step that ends, with what it took."""
        if self._text:
            took = _clock(monotonic() - self._since)
            self._console.print(
                f"{self._clock}  {self._text}  {took}",
                markup=False,
                highlight=False,
                soft_wrap=True,
            )
        self._text = ""

    def line(self) -> RenderableType:
        """The step under way: what it is, how much of its work is done, since and until when."""
        if not self._text:
            return Text("")
        moment, pace = monotonic(), self._pace
        times, share = pace.told(moment, since=self._since), pace.share
        bar = ProgressBar(total=1.0, completed=share, width=BAR_LETTERS if share else 0)
        room = self._console.width - len(times) - (BAR_LETTERS if share else 0) - 5
        row = Table.grid(padding=(0, 1))
        for width in (1, min(len(self._text), max(room, 1)), bar.width, len(times)):
            row.add_column(width=width, no_wrap=True, overflow="ellipsis")
        row.add_row(self._spinner, self._text, bar, times)
        return row


class Pace:
    """How fast a piece of work goes on.

    Args:
        work: Which.
        share: What was done of it when it was first heard of.
        moment: When that was, in seconds.

    Example:
        >>> pace = Pace("backtest", 0.0, 100.0)
        >>> pace.told(104.0, since=100.0)
        '0:04'
        >>> pace.reached(0.25, 110.0)
        >>> pace.told(115.0, since=110.0)
        '0:15, about 0:25 left'
    """

    def __init__(self, work: str, share: float, moment: float) -> None:
        self.work, self.share = work, share
        self._first, self._begun = share, moment
        self._moment = moment

    def reached(self, share: float, moment: float) -> None:
        """Note what is done by now."""
        if share > self.share:
            self.share, self._moment = share, moment

    def told(self, moment: float, *, since: float) -> str:
        """What the work took so far, and what remains by its pace where that can be told."""
        is_measured = self.share > self._first
        took = _clock(moment - (self._begun if is_measured else since))
        if not is_measured or self._moment - self._begun < _ENOUGH_SECONDS:
            return took
        whole = (self._moment - self._begun) * (1 - self.share) / (self.share - self._first)
        left = whole - (moment - self._moment)
        return f"{took}, about {_clock(left)} left" if left >= 1 else took


def _clock(seconds: float) -> str:
    """Seconds as hours, minutes and seconds, without hours where there are none."""
    told = str(timedelta(seconds=int(seconds)))
    return told.removeprefix("0:").removeprefix("0") if told.startswith("0:") else told
