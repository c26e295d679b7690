"""What an input is, and what is promised of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests import laid_out
from tests.laid_out import Content, csv

GOOD = "good,2024-03-05,10"

_SMALLEST = {
    "name": "shop",
    "data": {"transactions": {"source": "sales.csv"}, "max_quarantined_share": 1},
    "engine": {"threads": 1},
}


@dataclass(frozen=True)
class Case:
    """One input.

    Attributes:
        name: What is odd about it.
        files: What lies in the folder; None is a folder.
        config: What differs from the smallest config, by dotted path; or the file's whole text.
        variables: What is set in the environment.
        code: The exit code of `validate`.
        said: Parts of the sentence on standard error.
        kept: The kept rows; None where nothing is read.
        rules: The quarantined rows by rule.
        customers: Who is in the history; None where that is not asked.
        total: What the kept amounts add up to, likewise.
        days: The first and the last day of the history, likewise.
    """

    name: str
    files: Mapping[str, Content]
    config: Mapping[str, Any] | str | bytes = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    code: int = 0
    said: tuple[str, ...] = ()
    kept: int | None = None
    rules: Mapping[str, int] = field(default_factory=dict)
    customers: tuple[str, ...] | None = None
    total: float | None = None
    days: tuple[str, str] | None = None


def told(name: str, code: int, *said: str, **how: Any) -> Case:
    """An input that is refused with this code, in these words."""
    return Case(name, code=code, said=said, **_whole(how))


def read(name: str, kept: int, rules: Mapping[str, int] | None = None, **how: Any) -> Case:
    """An input of which so many rows are kept, and so many set apart by these rules."""
    return Case(name, kept=kept, rules=rules or {}, **_whole(how))


def _whole(how: dict[str, Any]) -> dict[str, Any]:
    """The arguments with `csv` and `parquet` as the files that they stand for."""
    config = how.get("config", {})
    for kind in ("csv", "parquet"):
        if kind in how:
            how.setdefault("files", {})[f"sales.{kind}"] = how.pop(kind)
            if kind == "parquet":
                how["config"] = {"data.transactions.source": "sales.parquet", **config}
    how.setdefault("files", {"sales.csv": csv(GOOD)})
    return how


def written(config: Mapping[str, Any]) -> str:
    """The smallest config of which every row may be quarantined, with these differences."""
    return laid_out.written(config, _SMALLEST)


def lay_out(case: Case, folder: Path) -> None:
    """Put the case's files and config into a folder."""
    text = written(case.config) if isinstance(case.config, Mapping) else case.config
    laid_out.lay_out(case.files, text, folder)
