"""The error tree: what was wrong, where, what was seen, what to do next.

```text
PortfolioError                    exit code 1
├── ConfigError                   2    the command line or the config file is wrong
├── DataError                     65   the data cannot be used
├── ServiceUnavailableError       69   a database or server does not answer
├── TryAgainLaterError            75   not now: stale data, a lock, a rate limit
├── RefusedError                  78   the gate or the monitor says no
└── NothingToDoError              99   there was nothing to do
```

Whatever else is raised is a bug and keeps its traceback.
"""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from itertools import islice
from pathlib import Path
from typing import ClassVar

_LONGEST_SHOWN = 60
_MOST_SHOWN = 40


class PortfolioError(Exception):
    """An expected failure, told in one clear sentence.

    Args:
        what: What was wrong, as a sentence without a full stop.
        where: The file, table, column or config path it happened in.
        saw: The offending value or state.
        do: What the reader can do next.

    Example:
        >>> str(DataError("no rows", where="sales.csv", do="export the file again"))
        'No rows (in sales.csv). Export the file again.'
    """

    exit_code: ClassVar[int] = 1

    def __init__(
        self, what: str, *, where: str | None = None, saw: str | None = None, do: str | None = None
    ) -> None:
        self.what, self.where, self.saw, self.do = what, where, saw, do
        super().__init__(_sentence(what, where, saw, do))


class ConfigError(PortfolioError):
    """The command line or the config file is wrong."""

    exit_code = 2


class FaultyConfigError(ConfigError):
    """A config has faults; all of them are told at once.

    Args:
        faults: A line for each: the path that leads to it, and what is wrong there.
        where: The file.

    Example:
        >>> print(FaultyConfigError(["name: field required"], where="shop.yaml"))
        The config has faults: name: field required (in shop.yaml). Correct them and run it again.
    """

    def __init__(self, faults: Sequence[str], *, where: str) -> None:
        self.faults = tuple(faults)
        super().__init__(
            "the config has faults: " + "; ".join(faults),
            where=where,
            do="correct them and run it again",
        )


class DataError(PortfolioError):
    """The data cannot be used as it is."""

    exit_code = 65


class HistoryTooShortError(DataError):
    """No outcome within the history can be learnt from and judged by."""


class MissingChampionError(DataError):
    """A target has no champion yet: nothing was trained, or nothing passed the gate."""


class ServiceUnavailableError(PortfolioError):
    """A database or server that is needed does not answer."""

    exit_code = 69


class TryAgainLaterError(PortfolioError):
    """The work cannot be done now; the same call may go through later."""

    exit_code = 75


class RefusedError(PortfolioError):
    """The gate or the monitor says no, and the caller asked for an exit code."""

    exit_code = 78


class NothingToDoError(PortfolioError):
    """There was nothing to do."""

    exit_code = 99


class QuarantineWarning(UserWarning):
    """Rows that break a rule were left out; told in Python, where no command tells it."""


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name closest to `name`, or None where none is close.

    Example:
        >>> nearest("custmer_id", ["customer_id", "amount"])
        'customer_id'
    """
    written = {k.casefold(): k for k in known}
    matches = get_close_matches(name.casefold(), written, n=1, cutoff=0.6)
    return written[matches[0]] if matches else None


def nearest_file(missing: Path, suffixes: Iterable[str]) -> str | None:
    """The file in the same folder whose name is closest to that of a missing one.

    Args:
        missing: The file that is not there.
        suffixes: The kinds of file that could be meant, such as `.csv`.

    Returns:
        Its name; None where none is close, or the folder cannot be looked at.
    """
    kinds = {*suffixes}
    try:
        there = sorted(f.name for f in missing.parent.iterdir() if f.suffix.lower() in kinds)
    except OSError:
        return None
    close = [name for name in there if nearest(missing.stem, [Path(name).stem])]
    return nearest(missing.name, close) or next(iter(close), None)


def missing_column(
    name: str, present: Iterable[str], *, where: str, mapped_under: str | None = None
) -> DataError:
    """The error for a column that is not there: it lists those that are, and the nearest one.

    Args:
        name: The column that is missing.
        present: The columns that are there.
        where: The file, query or table that lacks it.
        mapped_under: The config section that says what the column is called, where there is one.

    Example:
        >>> print(missing_column("amuont", ["amount"], where="sales.csv"))
        Column 'amuont' is missing (in sales.csv): saw columns 'amount'. Did you mean 'amount'?
    """
    there = sorted(present)
    guess = nearest(name, [each for each in there if len(each) <= _LONGEST_SHOWN])
    hint = f"map it under {mapped_under}" if mapped_under else "give it under this name"
    if guess:
        hint = f"did you mean {guess!r}?" + (f" M{hint[1:]}" if mapped_under else "")
    return DataError(
        f"column {name!r} is missing",
        where=where,
        saw=_columns(there),
        do=hint,
    )


def _columns(names: Sequence[str]) -> str:
    """The names in a message, which shows neither hundreds of them nor one of a page."""
    if not names:
        return "no columns"
    short = (n if len(n) <= _LONGEST_SHOWN else f"{n[:_LONGEST_SHOWN]}…" for n in names)
    listed = ", ".join(map(repr, islice(short, _MOST_SHOWN)))
    more = len(names) - _MOST_SHOWN
    return f"columns {listed}" + (f" and {more:,} more" if more > 0 else "")


def _sentence(what: str, where: str | None, saw: str | None, do: str | None) -> str:
    first = what[:1].upper() + what[1:]
    if where:
        first += f" (in {where})"
    if saw:
        first += f": saw {saw}"
    rest = "" if not do else " " + do[:1].upper() + do[1:]
    if rest and rest[-1] not in ".?!":
        rest += "."
    return first + "." + rest
