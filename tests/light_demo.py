"""`portfolio-ml` whose demo on CDNOW has few customers and a light recipe; for `tests.commands`."""

import importlib
from dataclasses import replace

import pyarrow.compute as pc

from portfolio_ml import datasets
from portfolio_ml.cli import app
from portfolio_ml.datasets import read_cdnow

LIGHTER = {
    "snapshots: 8": "snapshots: 1",
    "cutoffs: 3, bootstrap: 500": "cutoffs: 1, bootstrap: 100",
    "count: auto": "count: 3",
}


def main() -> None:
    """The command line, on that."""
    described = importlib.import_module("portfolio_ml.datasets.dataset")  # a function has its name
    for shipped, lighter in LIGHTER.items():
        assert shipped in described._CONFIG
        described._CONFIG = described._CONFIG.replace(shipped, lighter)
    datasets.DATASETS["cdnow"] = replace(datasets.DATASETS["cdnow"], read=_some)
    app.main()


def _some():
    """Every 60th customer."""
    lines = read_cdnow()
    number = pc.cast(lines["customer_id"], "int64")
    return lines.filter(pc.equal(pc.multiply(pc.divide(number, 60), 60), number))
