"""Folders and files for a while, and what becomes of those whose process died."""

import os
import signal
import tempfile
from pathlib import Path

import pytest
from tests.forked import forked

from portfolio_ml import scratch
from portfolio_ml.errors import ServiceUnavailableError
from portfolio_ml.locks import claimed, left
from portfolio_ml.replacing import replace_bytes, replace_file

pytestmark = pytest.mark.unit


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_in_a_folder(place: Path) -> None:
    with scratch.folder(place) as own:
        (own / "deep").mkdir()
        (own / "deep" / "part").write_text("half")
        (own / "link").symlink_to(place / "kept")
        die()


def die_while_leaving_a_folder(place: Path) -> None:
    """Where a removal may be half done: as soon as a file's name is to go."""
    with scratch.folder(place) as own:
        (own / "part").write_text("whole")
        kept = os.unlink

        def unlink(name, **told) -> None:
            kept(name, **told)
            die()

        os.unlink = unlink


def die_while_replacing(path: Path) -> None:
    def write(file) -> None:
        file.write(b"half")
        file.flush()
        die()

    replace_file(path, write)


def killed(work, *arguments) -> None:
    with forked(work, *arguments) as process:
        process.join(60)
        assert process.exitcode == -signal.SIGKILL


@pytest.fixture
def place(tmp_path):
    """A folder in which one of a dead process lies, beside a file that it linked."""
    (tmp_path / "kept").write_text("not of that process")
    killed(die_in_a_folder, tmp_path)
    assert len(names(tmp_path)) == 1
    return tmp_path


def names(place: Path) -> list[str]:
    return [path.name for path in place.glob(f"{scratch.PREFIX}*")]


def test_a_folder_is_there_for_the_length_of_the_block(tmp_path):
    with scratch.folder(tmp_path) as own:
        (own / "part").write_text("1")
        assert own.parents[1] == tmp_path
        assert own.parent.stat().st_mode & 0o777 == 0o700
    assert names(tmp_path) == []


def test_the_next_folder_removes_the_one_of_a_dead_process_and_nothing_else(place):
    with scratch.folder(place) as own:
        assert names(place) == [own.parent.name]
    assert (place / "kept").read_text() == "not of that process"


def test_a_folder_of_somebody_at_work_stays(place):
    with scratch.folder(place) as first, scratch.folder(place) as second:
        assert {*names(place)} == {first.parent.name, second.parent.name}


def test_a_removal_that_was_itself_cut_short_is_finished(place):
    (name,) = names(place)
    (place / name / "files" / "deep" / "part").unlink()
    empty = place / f"{scratch.PREFIX}empty"
    empty.mkdir()
    with scratch.folder(place) as own:
        assert names(place) == [own.parent.name]


def test_a_link_by_that_name_is_not_followed(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "held").touch()
    link = tmp_path / f"{scratch.PREFIX}link"
    link.symlink_to(tmp_path / "mine")
    with scratch.folder(tmp_path):
        assert link.is_symlink()
        assert (tmp_path / "mine" / "held").exists()


def test_everything_temporary_of_a_process_lies_in_one_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with scratch.for_everything():
        name = tempfile.mkdtemp()
        assert Path(name).parents[2] == tmp_path
    assert tempfile.tempdir == str(tmp_path)
    assert [*tmp_path.iterdir()] == []


def test_without_a_place_for_it_whoever_needs_one_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    with scratch.for_everything():
        assert tempfile.tempdir == str(tmp_path / "missing")
        with pytest.raises(ServiceUnavailableError, match=r"temporary.*missing.*TMPDIR") as told:
            scratch.folder().__enter__()
    assert told.value.exit_code == 69


def test_the_next_writer_removes_what_a_killed_one_left_of_the_file(tmp_path):
    path = tmp_path / "scores.csv"
    replace_bytes(path, b"old")
    killed(die_while_replacing, path)
    assert len([*tmp_path.iterdir()]) == 2
    assert path.read_bytes() == b"old"
    other = tmp_path / "other.csv"
    replace_bytes(other, b"other")
    assert len([*tmp_path.iterdir()]) == 3
    replace_bytes(path, b"new")
    assert {*tmp_path.iterdir()} == {path, other}
    assert path.read_bytes() == b"new"


def test_two_writers_of_a_file_do_not_remove_each_others(tmp_path):
    path = tmp_path / "scores.csv"

    def write(file) -> None:
        file.write(b"first")
        replace_bytes(path, b"second")
        assert path.read_bytes() == b"second"

    replace_file(path, write)
    assert path.read_bytes() == b"first"
    assert [*tmp_path.iterdir()] == [path]


def test_a_file_that_is_held_is_not_left(tmp_path):
    path = tmp_path / "part"
    with claimed(path), left(path) as is_left:
        assert not is_left
    with left(path) as is_left:
        assert is_left
        with left(path) as is_left_too:  # somebody is removing it
            assert not is_left_too
    with left(tmp_path / "missing") as is_left:
        assert not is_left


def test_a_folder_whose_removal_was_cut_off_is_removed_by_the_next(tmp_path):
    killed(die_while_leaving_a_folder, tmp_path)
    [found] = names(tmp_path)
    assert (tmp_path / found / "held").is_file()
    with scratch.folder(tmp_path):
        assert found not in names(tmp_path)
