"""Results that show themselves, as small tables and as pictures."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import pandas as pd

from portfolio_ml.display import SmallTable
from portfolio_ml.report.charts import drawing
from portfolio_ml.report.charts.theme import PAPER

Table = Any  # a pandas, Polars or Arrow table, or whatever else Narwhals accepts


FIRST_ROWS = 5


PAGE_WIDTH = 120


@dataclass(frozen=True, slots=True)
class Picture:
    """Charts side by side, drawn without network or script wherever they are shown."""

    shown: tuple[drawing.Chart, ...]

    def _repr_svg_(self) -> str:
        return drawing.to_svg(drawing.beside(*self.shown), colours=PAPER)

    def to_png(self) -> bytes:
        """The picture as PNG."""
        return drawing.to_png(drawing.beside(*self.shown))


class Shown(ABC):
    """Shows itself as small tables, in a notebook and on a console alike."""

    __slots__ = ()

    @abstractmethod
    def _tables(self) -> list[SmallTable]:
        """What it shows."""

    def __repr__(self) -> str:
        return "\n\n".join(table.to_text() for table in self._tables())

    def _repr_html_(self) -> str:
        return "".join(table.to_html() for table in self._tables())


def dated(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with its cutoffs as dates of pandas' own, which its plots read."""
    return frame.assign(cutoff=pd.to_datetime(frame["cutoff"]))
