"""What Spark's workers raise, as it is told here, and the pieces that they are given to read."""

import pickle
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from portfolio_ml.engine import pieces
from portfolio_ml.engine.pieces import Piece, Scan
from portfolio_ml.engine.sessions import _demand_listener
from portfolio_ml.engine.spark_faults import FaultOfWorkerError, computing, sent_home
from portfolio_ml.errors import (
    ConfigError,
    DataError,
    PortfolioError,
    ServiceUnavailableError,
)

pytestmark = pytest.mark.unit
pytest.importorskip("pyspark", reason="pyspark is not installed")


def raised_here(said: str) -> BaseException:
    """What becomes of the text that a worker's traceback ends with."""
    from pyspark.errors import PythonException  # noqa: PLC0415 - an extra

    with pytest.raises(Exception) as raised, computing():  # noqa: PT011 - looked at by the caller
        raise PythonException(f"Traceback (most recent call last):\n  File ...\n{said}\n")
    return raised.value


def test_an_error_comes_home_with_all_that_it_says():
    sent = DataError('the file is not "UTF-8"', where="ä.csv", saw="\n", do="save it again")
    with pytest.raises(FaultOfWorkerError) as raised, sent_home():
        raise sent
    told = raised_here(f"portfolio_ml.engine.spark_faults.FaultOfWorkerError: {raised.value}")
    assert isinstance(told, DataError)
    assert (str(told), told.where, told.do) == (str(sent), sent.where, sent.do)


def test_what_is_told_in_a_sentence_is_not_logged_beside(capfd):
    from pyspark.logger import PySparkLogger  # noqa: PLC0415 - an extra

    logger = PySparkLogger.getLogger("SQLQueryContextLogger")
    with computing():
        logger.exception("overflow", errorClass="ARITHMETIC_OVERFLOW")
    assert capfd.readouterr() == ("", "")
    assert not logger.disabled


def test_an_error_that_was_not_sent_is_known_by_its_name():
    told = raised_here("portfolio_ml.errors.ConfigError: No such folder (in x).")
    assert isinstance(told, ConfigError)
    assert str(told) == "No such folder (in x)."


def test_a_package_that_workers_lack_is_named():
    told = raised_here("ModuleNotFoundError: No module named 'portfolio_ml'")
    assert isinstance(told, ConfigError)
    assert "spark.pyspark.python" in str(told)


def test_another_python_in_workers_is_told_with_both_versions():
    told = raised_here(
        "pyspark.errors.exceptions.base.PySparkRuntimeError: [PYTHON_VERSION_MISMATCH] Python in "
        "worker has different version: 3.12 than that in driver: 3.11, PySpark cannot run with "
        "different minor versions."
    )
    assert isinstance(told, ConfigError)
    assert "saw 3.12 instead of 3.11" in str(told)
    assert "PYSPARK_PYTHON" in str(told)


def test_a_master_whose_host_has_no_port_is_told():
    with pytest.raises(ServiceUnavailableError, match=r"Spark does not answer \(in spark://a,b:1"):
        _demand_listener("spark://a,b:1")


def test_a_bug_of_ours_stays_one():
    assert not isinstance(raised_here("KeyError: 'amount'"), PortfolioError)


def scan(files: list[Path]) -> Scan:
    return Scan(tuple(files), {"n": "BIGINT"}, files[0].parent)


def test_small_files_are_read_together_and_a_large_one_by_its_row_groups(tmp_path, monkeypatch):
    sizes, files = [10, 10, 5_000, 10], []
    for n, rows in enumerate(sizes):
        files.append(tmp_path / f"{n}.parquet")
        pq.write_table(pa.table({"n": range(rows)}), files[-1], row_group_size=1_000)
    monkeypatch.setattr(pieces, "BYTES", 8_000)
    found = scan(files).pieces()
    assert found[0] == Piece(range(2))
    assert found[-1] == Piece(range(3, 4))
    ranges = [piece.rows for piece in found[1:-1]]
    assert len(ranges) > 1
    assert [first for first, _ in ranges] == [0, *(end for _, end in ranges[:-1])]
    assert ranges[-1][1] == 5_000


def test_csv_files_are_never_cut(tmp_path, monkeypatch):
    files = [tmp_path / f"{n}.csv" for n in range(3)]
    for file in files:
        file.write_text("n\n" + "1\n" * 100)
    monkeypatch.setattr(pieces, "BYTES", 300)
    assert scan(files).pieces() == (Piece(range(2)), Piece(range(2, 3)))


def test_a_scan_goes_to_workers_as_it_is(tmp_path):
    (tmp_path / "a.csv").write_text("n\n")
    there = scan([tmp_path / "a.csv"])
    assert pickle.loads(pickle.dumps(there)) == there
