"""Files that name some customers."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from portfolio_ml.chosen import chosen_customers
from portfolio_ml.errors import ConfigError

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\nb\na\n\n", ("a", "b")),
        ("00042\n  7 \n", ("00042", "7")),
        ("customer_id\nx\ny\n", ("x", "y")),
        ("name,Customer_ID\nAnn,1\nBob,2\n", ("1", "2")),
        ('customer_id\n"a,b"\n', ("a,b",)),
        ("\ufeffcustomer_id\r\né\r\n", ("é",)),
    ],
)
def test_ids_are_read_as_they_are_written(tmp_path, text, expected):
    file = tmp_path / "some.csv"
    file.write_text(text, encoding="utf-8", newline="")
    assert chosen_customers(file) == expected


def test_a_parquet_file_has_them_in_its_column(tmp_path):
    file = tmp_path / "some.parquet"
    pq.write_table(pa.table({"customer_id": [7, None, 8], "x": [1, 2, 3]}), file)
    assert chosen_customers(file) == ("7", "8")


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("some.csv", None, "is not there"),
        ("some.csv", b"", "names nobody"),
        ("some.csv", b"a,b\n1,2\n", "several columns, and none is called customer_id"),
        ("some.csv", b"\xff\xfe\x00", "cannot be read as text"),
        ("some.parquet", b"no parquet", "is no Parquet file"),
    ],
)
def test_other_files_are_refused_in_one_sentence(tmp_path, name, content, said):
    file = tmp_path / name
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigError, match=said):
        chosen_customers(file)


def test_a_file_that_may_not_be_read_is_refused_in_one_sentence(tmp_path, monkeypatch):
    file = tmp_path / "some.csv"
    file.write_text("a\n")

    def refused(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.open", refused)
    with pytest.raises(ConfigError, match="saw Permission denied"):
        chosen_customers(file)


def test_a_parquet_file_without_the_column_lists_its_columns(tmp_path):
    file = tmp_path / "some.parquet"
    pq.write_table(pa.table({"client": ["a"]}), file)
    with pytest.raises(ConfigError, match="saw columns 'client'"):
        chosen_customers(file)
