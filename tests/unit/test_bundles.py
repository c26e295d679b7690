"""Bundles: written whole or not at all, the same bytes from the same champions, and read back."""

import hashlib
import json
import pickle
from dataclasses import replace
from pathlib import Path

import joblib
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.examples import shown

from portfolio_ml import bundles
from portfolio_ml.bundles import MANIFEST, TARGETS, Bundle, Bundled
from portfolio_ml.errors import DataError, ServiceUnavailableError
from portfolio_ml.models.files import digests
from portfolio_ml.packing import packed, unpacked

pytestmark = pytest.mark.unit

CHAMPION = Bundled(
    version="3",
    candidate="blend",
    as_of="2024-06-30",
    trained_at="2024-07-01T04:12:09+00:00",
    card="Churn: blend.\nAhead.",
    files={"model.json": b"{}", "trees.txt": b"tree\n"},
)
BUNDLE = Bundle("shop", "0.1.0", dict.fromkeys(TARGETS, CHAMPION))


def with_trees(content):
    files = CHAMPION.files | {"trees.txt": content}
    return replace(BUNDLE, champions=dict.fromkeys(TARGETS, replace(CHAMPION, files=files)))


def names(folder):
    return {path.name for path in folder.iterdir()}


def test_a_bundle_is_read_back(tmp_path):
    digest = bundles.write(BUNDLE, tmp_path / "models")
    assert bundles.read(tmp_path / "models", digest=digest, portfolio="shop") == BUNDLE


def test_the_digest_is_that_of_the_manifest(tmp_path):
    digest = bundles.write(BUNDLE, tmp_path)
    assert digest == hashlib.sha256((tmp_path / MANIFEST).read_bytes()).hexdigest()
    assert digest == bundles.digest_of(tmp_path)


def test_the_manifest_tells_file_members_and_lineage(tmp_path):
    bundles.write(BUNDLE, tmp_path)
    manifest = json.loads((tmp_path / MANIFEST).read_text())
    assert (manifest["format"], manifest["portfolio"]) == (1, "shop")
    assert manifest["portfolio_ml_version"] == "0.1.0"
    told = manifest["models"]["churn"]
    content = (tmp_path / told["file"]).read_bytes()
    assert told == {
        "file": f"churn-{told['sha256'][:12]}.joblib",
        "sha256": hashlib.sha256(content).hexdigest(),
        "members": digests(CHAMPION.files),
        "version": "3",
        "candidate": "blend",
        "as_of": "2024-06-30",
        "trained_at": "2024-07-01T04:12:09+00:00",
        "card": "Churn: blend.\nAhead.",
    }


def test_anybody_can_read_a_file_with_joblib(tmp_path):
    bundles.write(BUNDLE, tmp_path)
    assert joblib.load(next(tmp_path.glob("churn-*"))) == CHAMPION.files


def test_the_same_champions_give_the_same_bytes(tmp_path):
    turned = replace(
        BUNDLE,
        champions={
            target: replace(CHAMPION, files=dict(reversed(CHAMPION.files.items())))
            for target in reversed(TARGETS)
        },
    )
    assert bundles.write(BUNDLE, tmp_path / "a") == bundles.write(turned, tmp_path / "b")
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


def test_a_new_bundle_replaces_the_one_before_and_nothing_else(tmp_path):
    (tmp_path / "README.md").write_text("mine")
    (tmp_path / "churn-000000000000.joblib").write_text("mine too")
    bundles.write(BUNDLE, tmp_path)
    digest = bundles.write(with_trees(b"other\n"), tmp_path)
    assert bundles.read(tmp_path, digest=digest) == with_trees(b"other\n")
    manifest = json.loads((tmp_path / MANIFEST).read_text())
    written = {told["file"] for told in manifest["models"].values()}
    mine = {"README.md", "churn-000000000000.joblib"}
    assert names(tmp_path) == written | mine | {MANIFEST}


@pytest.mark.parametrize("fails_at", range(8))
def test_an_export_that_fails_leaves_the_bundle_before(tmp_path, monkeypatch, fails_at):
    """Whichever of its renames fails; the seventh would be the first that it never makes."""
    digest = bundles.write(BUNDLE, tmp_path)
    rename, calls = Path.replace, []

    def failing(path, target):
        calls.append(target)
        if len(calls) > fails_at:
            raise OSError(28, "No space left on device")
        return rename(path, target)

    monkeypatch.setattr(Path, "replace", failing)
    if fails_at < 4:
        with pytest.raises(ServiceUnavailableError, match="No space left on device"):
            bundles.write(with_trees(b"other\n"), tmp_path)
        assert bundles.read(tmp_path, digest=digest) == BUNDLE
    else:
        bundles.write(with_trees(b"other\n"), tmp_path)
    assert not list(tmp_path.glob(".*"))


def test_another_portfolios_bundle_is_not_overwritten(tmp_path):
    digest = bundles.write(BUNDLE, tmp_path)
    with pytest.raises(DataError, match=r"another portfolio.*'shop', not 'other'.*--out"):
        bundles.write(replace(BUNDLE, portfolio="other"), tmp_path)
    assert bundles.digest_of(tmp_path) == digest


def test_somebody_elses_manifest_is_not_overwritten(tmp_path):
    (tmp_path / MANIFEST).write_text('{"name": "a web application"}')
    with pytest.raises(DataError, match="no 'format'"):
        bundles.write(BUNDLE, tmp_path)
    assert names(tmp_path) == {MANIFEST}


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "models").write_text("a file")
    with pytest.raises(ServiceUnavailableError, match="cannot be written"):
        bundles.write(BUNDLE, tmp_path / "models")


def test_a_bundle_of_another_digest_is_refused(tmp_path):
    bundles.write(BUNDLE, tmp_path)
    with pytest.raises(DataError, match="not the one that is trusted"):
        bundles.read(tmp_path, digest="0" * 64)


def test_where_there_is_no_bundle_that_is_said(tmp_path):
    with pytest.raises(DataError, match=r"cannot be read .*manifest.json.*No such file"):
        bundles.read(tmp_path, digest="0" * 64)


def test_a_name_that_no_model_has_is_not_written():
    with pytest.raises(DataError, match="no name of a model's file"):
        packed({"model.py": b""})


@shown(60)
@given(
    st.dictionaries(st.from_regex(r"[a-z_]{1,20}\.(json|txt)", fullmatch=True), st.binary()),
)
def test_any_files_come_back_as_they_were(files):
    assert unpacked(packed(files), where="here") == files


PLAIN = packed(CHAMPION.files | {"amount_trees.txt": bytes(range(256))})


@shown(150)
@given(st.integers(0, len(PLAIN) - 1), st.integers(0, 255))
def test_a_byte_changed_gives_files_or_an_expected_error(place, value):
    changed = PLAIN[:place] + bytes([value]) + PLAIN[place + 1 :]
    try:
        files = unpacked(changed, where="here")
    except DataError:
        return
    assert all(isinstance(part, bytes) for part in files.values())


@pytest.mark.parametrize("protocol", range(6))
def test_plain_pickles_of_the_same_are_read_where_they_are_written_like_joblibs(protocol):
    content = pickle.dumps(dict(CHAMPION.files), protocol=protocol)
    if protocol >= 4:
        assert unpacked(content, where="here") == CHAMPION.files
    else:
        with pytest.raises(DataError, match="the instruction"):
            unpacked(content, where="here")
