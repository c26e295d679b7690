"""What fitting costs: beside a peer where there is one, else in seconds and memory."""

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.children import Cost, measured
from portfolio_ml.datasets import dataset

LONGEST_TRAINING_SECONDS = 60.0
LARGEST_PEAK_BYTES = 4_000_000_000
ROWS, FEATURES = 2_000_000, 90
PYTHON = (sys.executable, "-m")


@dataclass(frozen=True, slots=True)
class Spent:
    """One cost, and whether it is low enough.

    Attributes:
        what: What was done.
        is_kept: Whether it cost no more than promised.
        figure: What it cost, and what was promised.
    """

    what: str
    is_kept: bool
    figure: str


def costs(folder: Path) -> Iterator[Spent]:
    """Each cost as soon as it is measured, in a process of its own.

    Args:
        folder: Where those processes may write.
    """
    yield _beside_lifetimes(folder)
    yield _training(folder)
    yield _memory()


def _beside_lifetimes(folder: Path) -> Spent:
    out = folder / "peer.json"
    cost = measured((*PYTHON, "benchmarks.models_peer", str(out)))
    what = "BG/NBD on all of CDNOW, beside `lifetimes`"
    if cost.fault:
        return Spent(what, is_kept=False, figure=cost.fault)
    found = json.loads(out.read_text())
    ours, theirs = found["package"], found["lifetimes"]
    figure = (
        f"{ours:.2f} s to {theirs:.2f} s, {ours / theirs:.2f} times as long, at most 1; "
        f"{ours / found['lifetimes_grouped']:.2f} times where it is given grouped rows; "
        f"log-likelihood {found['log_likelihood_package']:.2f} to "
        f"{found['log_likelihood_lifetimes']:.2f}"
    )
    return Spent(what, ours <= theirs, figure)


def _training(folder: Path) -> Spent:
    config = folder / "cdnow.yaml"
    config.write_text(dataset("cdnow").config, encoding="utf-8")
    program = str(Path(sys.executable).with_name("portfolio-ml"))
    cost = measured((program, "train", "--config", str(config), "--quiet"))
    limit = f"at most {LONGEST_TRAINING_SECONDS:.0f} s"
    is_kept = cost.wall_seconds <= LONGEST_TRAINING_SECONDS and not cost.fault
    return Spent("`train` on CDNOW, with backtest", is_kept, f"{_told(cost)}; {limit}")


def _memory() -> Spent:
    sizes = ("--rows", str(ROWS), "--features", str(FEATURES))
    cost = measured((*PYTHON, "benchmarks.models_memory", *sizes))
    limit = f"at most {LARGEST_PEAK_BYTES / 1e9:.0f} GB"
    is_kept = cost.peak_bytes < LARGEST_PEAK_BYTES and not cost.fault
    what = f"churn and value trained on {ROWS:,} rows by {FEATURES} features"
    return Spent(what, is_kept, f"{_told(cost)}; {limit}")


def _told(cost: Cost) -> str:
    used = f"{cost.wall_seconds:.1f} s wall, {cost.cpu_seconds:.1f} s CPU"
    died = f"; died: {cost.fault}" if cost.fault else ""
    return f"{used}, {cost.peak_bytes / 1e9:.2f} GB{died}"
