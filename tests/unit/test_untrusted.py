"""Files and JSON from outside: taken in where they are plain and small, refused where not."""

import os
from pathlib import Path

import pytest

from portfolio_ml.errors import DataError
from portfolio_ml.untrusted import file_bytes, json_value

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("size", [0, 1, 10])
def test_a_file_of_at_most_so_many_bytes_is_read(tmp_path, size):
    path = tmp_path / "file"
    path.write_bytes(b"x" * size)
    assert file_bytes(path, most=10) == b"x" * size


def test_a_larger_file_is_refused_with_both_sizes(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"x" * 11)
    with pytest.raises(DataError, match=r"too large .*file.*11 bytes, at most 10"):
        file_bytes(path, most=10)


def test_a_file_that_does_not_tell_its_size_is_read_no_further():
    """Those of /proc have a size of 0, and more to read."""
    with pytest.raises(DataError, match="too large"):
        file_bytes(Path(f"/proc/{os.getpid()}/status"), most=10)


def test_a_link_is_not_followed(tmp_path):
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    with pytest.raises(DataError, match="a link"):
        file_bytes(tmp_path / "link", most=10)


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_is_no_file_is_not_waited_for(tmp_path, make):
    make(tmp_path / "other")
    with pytest.raises(DataError, match="no plain file"):
        file_bytes(tmp_path / "other", most=10)


@pytest.mark.parametrize("name", ["nothing", "a\0b"])
def test_what_is_not_there_is_an_expected_error(tmp_path, name):
    with pytest.raises(DataError, match="cannot be read"):
        file_bytes(tmp_path / name, most=10)


def test_json_is_read():
    assert json_value(b' {"a": [1, -2.5, null, true, "\\u00e4"]}', most=100) == {
        "a": [1, -2.5, None, True, "ä"]
    }


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"NaN",
        b"[Infinity]",
        b"-Infinity",
        b"1e999",
        b"9" * 5000,
        b"[" * 100_000,
        b"\xff",
    ],
    ids=lambda content: str(content[:12]),
)
def test_what_is_no_json_of_finite_numbers_is_refused(content):
    with pytest.raises(ValueError, match=r"JSON|finite|digits|decode|Expecting"):
        json_value(content, most=1_000_000)


def test_json_that_is_too_long_is_refused_unread():
    with pytest.raises(ValueError, match="11 bytes of JSON, at most 10"):
        json_value(b"[" * 11, most=10)
