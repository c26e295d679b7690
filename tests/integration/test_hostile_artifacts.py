"""Hostile artifacts are refused with a clear error, unrun, unread: of a bundle, and of MLflow.

Each is put where a true artifact lies, with the digest on record left as it was, and again with
the digest of the hostile file, as somebody could who is trusted and should not be.
"""

import hashlib
import json
import os
import shutil

import joblib
import pytest
from tests.hostile import CANARY, CONTENTS, PICKLES
from tests.small_models import registered, settings_of, small_models

from portfolio_ml import bundles, registry
from portfolio_ml.bundles import MANIFEST, Bundle, Bundled
from portfolio_ml.champions import champions_in_force
from portfolio_ml.errors import DataError, ServiceUnavailableError
from portfolio_ml.models.files import TREES
from portfolio_ml.packing import packed

pytestmark = pytest.mark.integration

HUGE = 10 * 2**30


@pytest.fixture(scope="module")
def models():
    return small_models()


def bundle_of(models, portfolio="shop"):
    champions = {
        target: Bundled("1", "blend", "2020-01-01", "2020-01-02T00:00:00+00:00", "", files)
        for target, files in models.items()
    }
    return Bundle(portfolio, "0.1.0", champions)


@pytest.fixture
def canary(tmp_path):
    """The file that whatever runs would create."""
    path = tmp_path / CANARY
    yield path
    assert not path.exists(), "something of the artifact was run"


@pytest.fixture
def host(tmp_path, models):
    """The bundle's folder of a host that has no MLflow."""
    folder = tmp_path / "models"
    bundles.write(bundle_of(models), folder)
    return folder


def score_from(folder, digest=None):
    """What scoring does first, with the bundle in a folder; trusts what is there by default."""
    trusted = {"bundle": str(folder), "bundle_digest": digest or sha(folder / MANIFEST)}
    settings = settings_of(folder.parent, scoring=trusted)
    return champions_in_force(settings, lambda _: None)


def sha(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def refused(folder, *, match, digest=None):
    with pytest.raises(DataError, match=match) as refusal:
        score_from(folder, digest)
    sentence = str(refusal.value)
    assert sentence.endswith((".", "?", "!"))
    assert len(sentence) < 1000


def manifest_with(folder, **changes):
    """Change values of the manifest's entry for churn."""
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["models"]["churn"] |= changes
    (folder / MANIFEST).write_text(json.dumps(manifest))


def file_of(folder, target="churn"):
    return next(folder.glob(f"{target}-*.joblib"))


def trusted_file(folder, content):
    """Put a file in the place of churn's, and its digest into the manifest."""
    digest = hashlib.sha256(content).hexdigest()
    file_of(folder).unlink()
    (folder / f"churn-{digest[:12]}.joblib").write_bytes(content)
    manifest_with(folder, sha256=digest, file=f"churn-{digest[:12]}.joblib")


# Bundles


def test_a_true_bundle_is_read(host, canary):
    champions, judged = score_from(host)
    assert champions.versions == dict.fromkeys(registry.TARGETS, "1")
    assert judged["churn"]["cutoffs"] == []
    assert joblib.load(file_of(host)).keys() >= {"model.json", TREES}


@pytest.mark.parametrize("name", PICKLES)
def test_a_hostile_file_is_not_the_one_of_the_manifest(host, canary, name):
    path = file_of(host)
    path.write_bytes(PICKLES[name](canary, path.read_bytes()))
    refused(host, match="not the one that the bundle's manifest names")


@pytest.mark.parametrize("name", PICKLES)
def test_a_hostile_file_is_refused_even_under_its_own_digest(host, canary, name):
    trusted_file(host, PICKLES[name](canary, file_of(host).read_bytes()))
    refused(host, match="no dictionary of a model's files|no name of a model's file")


@pytest.mark.parametrize(
    ("target", "name"), [(target, name) for target, of in CONTENTS.items() for name in of]
)
def test_hostile_content_is_refused_under_digests_of_its_own(
    tmp_path, models, canary, target, name
):
    changed = CONTENTS[target][name](models[target])
    assert changed != models[target]
    bundles.write(bundle_of(models | {target: changed}), tmp_path / "models")
    refused(tmp_path / "models", match="[a-z]")


def _to_passwd(path):
    path.unlink()
    path.symlink_to("/etc/passwd")


def _to_its_twin(path):
    twin = path.with_name("twin")
    path.rename(twin)
    path.symlink_to(twin)


def _hard_link(path):
    other = path.with_name("other")
    other.write_bytes(b"of somebody else")
    path.unlink()
    path.hardlink_to(other)


def _pipe(path):
    path.unlink()
    os.mkfifo(path)


def _folder(path):
    path.unlink()
    path.mkdir()


def _sparse(path):
    with path.open("r+b") as file:
        file.truncate(HUGE)


def _device(path):
    path.unlink()
    path.symlink_to("/dev/zero")


def _loop(path):
    path.unlink()
    path.symlink_to(path)


PLACES = {
    "a link to /etc/passwd": _to_passwd,
    "a link to the true file": _to_its_twin,
    "a link to itself": _loop,
    "a link to a device": _device,
    "a hard link to another file": _hard_link,
    "a pipe": _pipe,
    "a folder": _folder,
    "a sparse file of 10 GB": _sparse,
    "nothing": lambda path: path.unlink(),
}


@pytest.mark.parametrize("name", PLACES)
@pytest.mark.parametrize("is_manifest", [False, True])
def test_what_is_no_plain_file_of_a_sensible_size_is_refused(host, canary, name, is_manifest):
    digest = sha(host / MANIFEST)
    PLACES[name](host / MANIFEST if is_manifest else file_of(host))
    refused(host, digest=digest, match="cannot be read|no plain file|too large|is not the one")


@pytest.mark.parametrize(
    "name",
    ["../shop.joblib", "/etc/passwd", "churn\0.joblib", "a/b.joblib", "", "..", "churn.joblib"],
)
def test_a_manifest_chooses_no_path(host, canary, name):
    manifest_with(host, file=name)
    refused(host, match=r"manifest cannot be read.*the file")


@pytest.mark.parametrize(
    "changes",
    [
        {"sha256": "../../x"},
        {"sha256": 7},
        {"sha256": "A" * 64},
        {"members": []},
        {"members": {"model.json": None}},
        {"members": {}},
        {"members": {"../model.json": "0" * 64}},
        {"version": None},
        {"card": {"a": 1}},
    ],
    ids=str,
)
def test_a_manifest_of_other_values_is_refused(host, canary, changes):
    manifest_with(host, **changes)
    refused(host, match="cannot be read|not the ones that were registered")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"null",
        b"{}",
        b"[" * 100_000,
        b'{"format": NaN}',
        b'{"format": 1e999}',
        b'{"format": ' + b"9" * 10_000 + b"}",
        b'{"format": 2, "portfolio": "shop"}',
        b'{"format": 1, "portfolio": "shop", "portfolio_ml_version": "0", "models": {}}',
        b'{"format": 1, "portfolio": "shop", "portfolio_ml_version": "0", "models": []}',
        b'{"format": 1, "portfolio": 1, "portfolio_ml_version": "0", "models": {}}',
        b"\xff\xfe{}",
        b"\x80\x04}.",
        b" " * 1_000_001,
    ],
    ids=lambda content: str(content[:30]),
)
def test_a_manifest_that_is_none_is_refused(host, canary, content):
    (host / MANIFEST).write_bytes(content)
    refused(host, match="manifest cannot be read|too large")


def test_a_manifest_under_another_digest_is_refused(host, canary):
    digest = sha(host / MANIFEST)
    manifest_with(host, card="better than you think")
    refused(host, digest=digest, match="not the one that is trusted")


def test_files_swapped_between_targets_are_refused(host, canary):
    churn, value = file_of(host), file_of(host, "lifetime_value")
    kept = churn.read_bytes()
    churn.write_bytes(value.read_bytes())
    value.write_bytes(kept)
    refused(host, match="manifest names")


@pytest.mark.parametrize("other", ["lifetime_value", "segments"])
def test_another_targets_model_is_refused_under_its_own_digest(tmp_path, models, canary, other):
    bundles.write(bundle_of(models | {"churn": models[other]}), tmp_path / "models")
    refused(tmp_path / "models", match="of another kind")


def test_another_portfolios_bundle_is_refused(tmp_path, models, canary):
    bundles.write(bundle_of(models, "other"), tmp_path / "models")
    refused(tmp_path / "models", match=r"another portfolio's.*'other', not 'shop'")


def test_code_beside_a_bundle_is_never_looked_at(host, canary, monkeypatch):
    monkeypatch.chdir(host)
    for name in ("code/__init__.py", "lightgbm.py", "sitecustomize.py", "joblib.py"):
        (host / name).parent.mkdir(exist_ok=True)
        (host / name).write_text(f"open({str(canary)!r}, 'w')")
    score_from(host)


# The registry


@pytest.fixture(scope="module")
def shop(tmp_path_factory, models):
    return registered(models, tmp_path_factory.mktemp("shop"))


@pytest.fixture(scope="module")
def churn(shop):
    """The folder of the churn champion's artifacts."""
    from mlflow import MlflowClient  # noqa: PLC0415 - importing it takes seconds

    address = f"sqlite:///{shop.base}/mlflow.db"
    source = MlflowClient(address, address).get_model_version("shop-churn", "1").source
    return shop.base / "mlartifacts" / "models" / source.removeprefix("models:/") / "artifacts"


@pytest.fixture
def artifacts(churn, tmp_path):
    """The same, restored after the test."""
    kept = tmp_path / "kept"
    shutil.copytree(churn, kept)
    yield churn
    shutil.rmtree(churn)
    shutil.move(kept, churn)


@pytest.fixture
def recorded(shop):
    """Records another digest of a file of the churn champion, until the end of the test."""
    from mlflow import MlflowClient  # noqa: PLC0415 - importing it takes seconds

    address = f"sqlite:///{shop.base}/mlflow.db"
    client = MlflowClient(address, address)
    before = dict(client.get_model_version("shop-churn", "1").tags)

    def record(name, content):
        digest = hashlib.sha256(content).hexdigest()
        client.set_model_version_tag("shop-churn", "1", f"sha256.{name}", digest)

    yield record
    for name in client.get_model_version("shop-churn", "1").tags:
        client.delete_model_version_tag("shop-churn", "1", name)
    for name, value in before.items():
        client.set_model_version_tag("shop-churn", "1", name, value)


def registry_refuses(shop, match):
    with pytest.raises((DataError, ServiceUnavailableError), match=match) as refusal:
        champions_in_force(shop, lambda _: None)
    assert len(str(refusal.value)) < 1000


FEW = [
    "a pickle that opens a file",
    "a cloudpickled function",
    "joblib with a bomb",
    "a cut file",
]


def test_true_champions_are_read(shop):
    assert champions_in_force(shop, lambda _: None)[0].versions["churn"] == "1"


@pytest.mark.parametrize("name", FEW)
@pytest.mark.parametrize("is_recorded", [False, True])
def test_a_hostile_registered_file_is_refused(
    shop, artifacts, recorded, canary, models, *, name, is_recorded
):
    content = PICKLES[name](canary, packed(models["churn"]))
    (artifacts / "artifacts" / "files" / TREES).write_bytes(content)
    if is_recorded:
        recorded(TREES, content)
    registry_refuses(shop, "cannot be read" if is_recorded else "not the ones")


@pytest.mark.parametrize(
    "name", ["a child that leads back", "a description nested 100,000 deep", "a horizon of text"]
)
def test_hostile_registered_content_is_refused(shop, artifacts, recorded, canary, models, *, name):
    for file, content in CONTENTS["churn"][name](models["churn"]).items():
        (artifacts / "artifacts" / "files" / file).write_bytes(content)
        recorded(file, content)
    registry_refuses(shop, "broken|cannot be read")


@pytest.mark.parametrize(
    ("place", "match"),
    [
        ("a link to /etc/passwd", "cannot be fetched|downloading"),  # MLflow follows none
        ("a link to itself", "cannot be fetched"),
        ("a link to a device", "no size"),
        ("a hard link to another file", "not the ones"),
        ("a folder", "not the ones"),
        ("a pipe", "no size"),
        ("nothing", "not the ones"),
    ],
)
def test_a_registered_file_that_is_none_is_refused(shop, artifacts, canary, *, place, match):
    PLACES[place](artifacts / "artifacts" / "files" / TREES)
    registry_refuses(shop, match)


def test_a_registered_file_of_10_gigabytes_is_refused_before_it_is_fetched(shop, artifacts, canary):
    _sparse(artifacts / "artifacts" / "files" / TREES)
    registry_refuses(shop, "no size")


@pytest.mark.parametrize("name", ["/etc/passwd", "trees.py", "files/trees.txt"])
def test_a_recorded_name_chooses_no_path(shop, recorded, canary, name):
    recorded(name, b"")
    registry_refuses(shop, "not the ones|no name of a model's file")


def _code_folder(folder, canary):
    (folder / "code").mkdir()
    (folder / "code" / "portfolio_ml.py").write_text(f"open({str(canary)!r}, 'w')")


def _pickled_model(folder, canary):
    (folder / "python_model.pkl").write_bytes(PICKLES["a pickle that opens a file"](canary, b""))


def _other_loader(folder, canary):
    (folder / "evil.py").write_text(f"open({str(canary)!r}, 'w')")
    _in_mlmodel(folder, "mlflow.pyfunc.loaders.code_model", "evil")


def _other_loader_alone(folder, _):
    _in_mlmodel(folder, "mlflow.pyfunc.loaders.code_model", "mlflow.sklearn")


def _two_loaders(folder, _):
    _in_mlmodel(folder, "flavors:\n", "flavors:\n  sklearn: {loader_module: mlflow.sklearn}\n")


def _named_code(folder, _):
    _in_mlmodel(folder, "code: null", "code: artifacts/files")


def _named_pickle(folder, _):
    _in_mlmodel(folder, "    code: null\n", "    code: null\n    python_model: artifacts/x.pkl\n")


def _huge_mlmodel(folder, _):
    _sparse(folder / "MLmodel")


def _no_mlmodel(folder, _):
    (folder / "MLmodel").unlink()


def _in_mlmodel(folder, old, new):
    text = (folder / "MLmodel").read_text()
    assert old in text
    (folder / "MLmodel").write_text(text.replace(old, new, 1))


@pytest.mark.parametrize(
    "tamper",
    [
        _code_folder,
        _pickled_model,
        _other_loader,
        _other_loader_alone,
        _two_loaders,
        _named_code,
        _named_pickle,
        _huge_mlmodel,
        _no_mlmodel,
    ],
)
def test_a_model_that_would_load_other_code_is_refused(shop, artifacts, canary, tamper):
    tamper(artifacts, canary)
    registry_refuses(shop, "load other code|no size")
