"""What holds frames moves to another engine through files."""

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pytest

from portfolio_ml.engine import DuckDBEngine, Frame, moved, opened

pytestmark = pytest.mark.unit


@dataclass(frozen=True)
class Writing:
    """Workers that are this process."""

    engine: DuckDBEngine
    folder: Path

    def files(self, frame: Frame) -> tuple[Path, ...]:
        file = self.folder / f"{len([*self.folder.iterdir()])}.parquet"
        self.engine.write(frame, file)
        return (file,)


def test_what_holds_frames_holds_the_same_rows_in_another_engine(tmp_path):
    pytest.importorskip("pyspark", reason="pyspark is not installed")
    with opened() as engine:
        workers = Writing(engine, tmp_path)
        lines = engine.from_arrow(pa.table({"customer": [2, 1], "amount": [30, 40]}))
        held = {"lines": lines, "again": lines, "none": None, "engine": workers, "days": 30}
        left = moved(held, workers, memory_limit="100MB")
    assert len(left.tables) == 1  # one frame, though it is held twice
    with left.opened() as found:
        own = found["engine"]
        assert isinstance(own, DuckDBEngine)
        for name in ("lines", "again"):
            assert own.collect(found[name]).to_pydict() == {"customer": [2, 1], "amount": [30, 40]}
        assert (found["none"], found["days"]) == (None, 30)
        assert 9_000 < own.rows_at_once <= 10_000  # by its memory
    assert [file.suffix for file in tmp_path.iterdir()] == [".parquet"]
