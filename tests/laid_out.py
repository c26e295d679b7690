"""A folder as a row of a table of inputs tells it: its files, and the config beside them."""

import copy
import json
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

TODAY = date(2024, 3, 10)
HEADER = "customer_id,timestamp,amount"
CONFIG = "shop.yaml"
SMALLEST = {"name": "shop", "data": {"transactions": {"source": "sales.csv"}}}

Content = str | bytes | pa.Table | Callable[[Path], object] | None
"""What a file holds, or what makes it; None is a folder."""


def csv(*rows: str, header: str = HEADER, end: str = "\n") -> str:
    """Rows under a header."""
    return end.join([header, *rows, ""])


def written(config: Mapping[str, Any], smallest: Mapping[str, Any] = SMALLEST) -> str:
    """The smallest config with these differences, by dotted path; JSON is YAML."""
    values: dict[str, Any] = copy.deepcopy({**smallest})
    for path, value in config.items():
        *inner, last = path.split(".")
        section = values
        for name in inner:
            section = section.setdefault(name, {})
        section[last] = value
    return json.dumps(values)


def lay_out(files: Mapping[str, Content], config: str | bytes, folder: Path) -> None:
    """Put files and a config into a folder; the config is not written where it is a file."""
    for name, content in {CONFIG: config, **files}.items():
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
