"""What Spark's workers are given to do, and how what goes wrong there is sent home."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pyarrow as pa

from portfolio_ml.engine.spark_faults import sent_home

Work = Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]
"""What a worker does with the batches that it is given."""


@dataclass(frozen=True, slots=True)
class Sent:
    """Work whose errors are those of the tree, also when they come home as text."""

    work: Work

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """The batches that the work gives."""
        with sent_home():
            yield from self.work(batches)


@dataclass(frozen=True, slots=True)
class Each:
    """A function of one number as workers are given it: batches of numbers."""

    work: Callable[[int], str]

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Each number with what the function told of it."""
        for batch in batches:
            numbers = batch[0].to_pylist()
            told = [self.work(number) for number in numbers]
            yield pa.RecordBatch.from_pydict(
                {"number": numbers, "told": pa.array(told, pa.string())}
            )
