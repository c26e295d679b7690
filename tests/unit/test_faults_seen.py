"""The table of `make test-faults`: what was seen of each fault, the last of it."""

import pytest
from tests import faults_seen
from tests.faults_seen import PLACE, keep, with_table

pytestmark = pytest.mark.unit


@pytest.fixture(autouse=True)
def kept(tmp_path, monkeypatch):
    monkeypatch.setattr(faults_seen, "KEPT", tmp_path / "kept")
    page = tmp_path / "page.md"
    page.write_text(f"Above.\n\n{PLACE.begin}\n{PLACE.end}\n\nBelow.\n")
    monkeypatch.setattr(faults_seen, "PAGE", page)
    return page


def test_the_page_has_the_last_of_each_fault_and_command(kept):
    keep("disk full, all on it", "score", 12, {"finished": 12, "room enough": 3, "No room.": 9})
    keep("killed", "train", 2, {"old": 2, "finished": 2})
    keep("killed", "train", 50, {"finished": 50, "new": 20, "old": 30})
    assert faults_seen.main() == 0
    rows = [line.rsplit("|", 2)[0] for line in kept.read_text().splitlines() if "| 20" in line]
    assert rows == [
        "| killed | train | 50 | old 30, new 20, finished 50 ",
        "| disk full, all on it | score | 12 | No room. 9, room enough 3, finished 12 ",
    ]
    assert kept.read_text().endswith("-->\n\nBelow.\n")


def test_rows_of_what_was_disturbed_before_stay_in_their_places(kept):
    keep("killed", "train", 2, {"old": 2})
    keep("rows refused", "delivery to SQLite", 1000, {"delivered": 999, "refused": 1})
    assert faults_seen.main() == 0
    before = kept.read_text().splitlines()
    for path in faults_seen.KEPT.iterdir():
        path.unlink()
    keep("disk full", "score", 12, {"finished": 12})
    assert faults_seen.main() == 0
    now = kept.read_text().splitlines()
    new = [line for line in now if line not in before]
    assert [line.split("|")[1:4] for line in new] == [[" disk full ", " score ", " 12 "]]
    assert [line for line in now if line not in new] == before
    assert now[now.index(new[0]) - 1].startswith("| killed ")


def test_nothing_is_written_where_nothing_was_seen(kept, capsys):
    before = kept.read_text()
    assert faults_seen.main() == 1
    assert kept.read_text() == before
    assert "make test-faults" in capsys.readouterr().err


def test_a_page_without_a_place_for_the_table_is_refused():
    with pytest.raises(ValueError, match="no place"):
        with_table("Nothing here.\n", [], "2 CPUs")
