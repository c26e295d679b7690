"""What a churn reason is: a code, the features that speak for it, and sentences that may be told.

A sentence is told only where it is true of the customer: each has a condition over the features
(`Telling.holds`), and a null fulfils none. A `*` in a feature's name stands for the reason's
subject, such as a kind of interactions; without a subject, `*_` stands for nothing.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import floor
from string import Formatter
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from portfolio_ml.wording import counted

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

SUBJECT = "*"


@dataclass(frozen=True, slots=True)
class Figures:
    """Customers' features by name, as arrays of shape (customers,); NaN is null.

    Attributes:
        rows: One row per customer; a feature without a column is null for everybody.
        subject: What a `*` in a name stands for.

    Example:
        >>> figures = Figures(pa.table({"calls_90d": [2, None]}), "calls")
        >>> figures["*_90d"], figures["visits_90d"]
        (array([ 2., nan]), array([nan, nan]))
    """

    rows: pa.Table
    subject: str = ""
    _read: dict[str, Floats] = field(default_factory=dict, repr=False, compare=False)

    def __getitem__(self, name: str) -> Floats:
        """The values of one feature."""
        name = name if self.subject else name.replace(f"{SUBJECT}_", "")
        column = name.replace(SUBJECT, self.subject)
        if column not in self._read:
            self._read[column] = self._values(column)
        return self._read[column]

    def about(self, subject: str) -> "Figures":
        """The same customers, for a reason of another subject."""
        return Figures(self.rows, subject, self._read)

    def _values(self, column: str) -> Floats:
        if column not in self.rows.column_names:
            return np.full(self.rows.num_rows, np.nan)
        values: Floats = self.rows[column].to_numpy(zero_copy_only=False).astype(np.float64)
        return values


@dataclass(frozen=True, slots=True)
class Telling:
    """A sentence, and of whom it is true.

    Attributes:
        condition: Of whom, in words.
        holds: The same over the features, shape (customers,).
        sentence: A template with the features' names in braces, each with how it is written: a
            noun that is counted, `number`, `share`, `less` for what a negative change loses, or
            `times` for how many times as much a change makes;
            `{subject}` is the subject in words.
    """

    condition: str
    holds: Callable[[Figures], Mask]
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """A churn reason.

    Attributes:
        code: What the CRM is told.
        features: Patterns of the names of those whose contributions count for it; a group in one
            is the subject.
        beside: Names of which one must be there too, where a pattern alone is not enough.
        tellings: What may be said; the first that is true of a customer is.
        otherwise: The codes that take the contributions, the first that is true of a customer,
            where none of the tellings is.
    """

    code: str
    features: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    tellings: tuple[Telling, ...]
    otherwise: tuple[str, ...] = ()

    def holds(self, figures: Figures) -> Mask:
        """Of whom one of the tellings is true, shape (customers,)."""
        held = [telling.holds(figures) for telling in self.tellings]
        found: Mask = np.logical_or.reduce(held)
        return found

    def sentence(self, figures: Figures) -> str | None:
        """What is said of the one customer; None where nothing would be true.

        Args:
            figures: Of that customer alone.
        """
        for telling in self.tellings:
            if telling.holds(figures)[0]:
                return " ".join(_Sentence(figures).format(telling.sentence).split())
        return None


class _Sentence(Formatter):
    """Fills a template with the figures of one customer."""

    def __init__(self, figures: Figures) -> None:
        self.figures = figures

    def get_field(self, field_name: str, args: Any, kwargs: Mapping[str, Any]) -> Any:  # noqa: ANN401 - as inherited
        del args, kwargs
        if field_name == "subject":
            return self.figures.subject.replace("_", " "), field_name
        return float(self.figures[field_name][0]), field_name

    def format_field(self, value: Any, format_spec: str) -> str:  # noqa: ANN401 - as inherited
        if isinstance(value, str):
            return value
        if format_spec == "number":
            return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.2f}"
        if format_spec == "share":
            return f"{value:.0%}".replace("%", " %")
        if format_spec == "less":
            # What is left is never rounded to nothing; float32 holds 70 % as a hair less.
            return f"{floor(round(-value * 100, 4))} %"
        if format_spec == "times":
            return f"{1 + value:,.1f} times"
        return counted(abs(round(value)), format_spec)
