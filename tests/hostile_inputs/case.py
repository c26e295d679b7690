"""What an input is, and what is promised of it."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

TODAY = date(2024, 3, 10)
HEADER = "customer_id,timestamp,amount"
GOOD = "good,2024-03-05,10"
CONFIG = "shop.yaml"

Content = str | bytes | pa.Table | Callable[[Path], object] | None


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


def csv(*rows: str, header: str = HEADER, end: str = "\n") -> str:
    """Rows under a header."""
    return end.join([header, *rows, ""])


def written(config: Mapping[str, Any]) -> str:
    """The smallest config with these differences; JSON is YAML."""
    data = {"transactions": {"source": "sales.csv"}, "max_quarantined_share": 1}
    values: dict[str, Any] = {"name": "shop", "data": data, "engine": {"threads": 1}}
    for path, value in config.items():
        *inner, last = path.split(".")
        section = values
        for name in inner:
            section = section.setdefault(name, {})
        section[last] = value
    return json.dumps(values)


def lay_out(case: Case, folder: Path) -> None:
    """Put the case's files and config into a folder."""
    for name, content in case.files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        if content is None:
            file.mkdir()
        elif isinstance(content, pa.Table):
            pq.write_table(content, file)
        elif callable(content):
            content(file)
        else:
            file.write_bytes(content if isinstance(content, bytes) else content.encode())
    text = written(case.config) if isinstance(case.config, Mapping) else case.config
    if CONFIG not in case.files:
        (folder / CONFIG).write_bytes(text if isinstance(text, bytes) else text.encode())
