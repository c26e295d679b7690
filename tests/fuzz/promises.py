"""What must hold of any bytes: of a config, of a table of transactions, of a model's file.

They are taken, or refused by an error of the tree; no row is lost, nothing is run. Anything else is
raised out of here: it is a finding.
"""

import hashlib
import tempfile
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

from tests.fuzz import tables
from tests.fuzz.drawn import parquet_of
from tests.fuzz.tables import FORMATS
from tests.laid_out import CONFIG
from tests.small_models import small_models

from portfolio_ml import bundles
from portfolio_ml.bundles import MANIFEST, Bundle, Bundled
from portfolio_ml.config import load_settings
from portfolio_ml.errors import PortfolioError
from portfolio_ml.frozen import FILE as PORTFOLIO
from portfolio_ml.frozen import Frozen
from portfolio_ml.models.serving import model_of
from portfolio_ml.monitoring.profile import FILE as PROFILE
from portfolio_ml.monitoring.profile import Profile
from portfolio_ml.packing import packed, unpacked

LONGEST_SENTENCE = 20_000


@cache
def _folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="portfolio-ml-fuzz-"))


def config(data: bytes) -> None:
    """The bytes as a config."""
    file = _folder() / CONFIG
    file.write_bytes(data)
    _expected(lambda: load_settings(file))


def csv(data: bytes) -> None:
    """The first byte names how it is written, the others are a CSV file."""
    if data:
        written, text = FORMATS[data[0] % len(FORMATS)], data[1:]
        _expected(lambda: tables.csv(text, written))


def parquet(data: bytes) -> None:
    """After an even byte a Parquet file, after an odd one what a table is drawn from."""
    if not data:
        return
    if data[0] % 2 == 0:
        _expected(lambda: tables.parquet(data[1:]))
    elif (drawn := parquet_of(data[1:])) is not None:
        file, rows = drawn
        _expected(lambda: tables.parquet(file, rows=rows))


def models(data: bytes) -> None:
    """The first byte names a file of a model, the others are in its place."""
    names = model_files()
    target, name = names[data[0] % len(names)] if data else names[0]
    _expected(lambda: model_file(target, name, data[1:], _models()))


PARTS: Mapping[str, Callable[[bytes], None]] = {
    "config": config,
    "csv": csv,
    "parquet": parquet,
    "models": models,
}


@cache
def _models():
    return small_models()


@cache
def model_files() -> tuple[tuple[str, str], ...]:
    """The files of each target's model, and what stands beside them."""
    own = [(target, name) for target, files in _models().items() for name in files]
    return (*own, ("churn", PROFILE), ("churn", "packed"), ("churn", MANIFEST))


def model_file(target, name, content, models):
    """The target's model, one file of which holds this."""
    if name == "packed":
        unpacked(content, where="a joblib file")
    elif name == MANIFEST:
        folder = _bundle(models)
        (folder / MANIFEST).write_bytes(content)
        bundles.read(folder, digest=hashlib.sha256(content).hexdigest())
    elif name == PORTFOLIO:
        Frozen.from_json(content)
    elif name == PROFILE:
        Profile.from_json(content)
    else:
        model_of(models[target] | {name: content})


def good(target, name):
    """A file as a training writes it."""
    models = _models()
    if name == "packed":
        return packed(models[target])
    if name == MANIFEST:
        return _manifest(models)
    if name == PROFILE:
        return b'{"days":[1],"features":{},"scores":{},"behaviour":{},"mix":{},"filling":[]}'
    return models[target][name]


_bundles: list[tuple[Path, bytes]] = []


def _bundle(models) -> Path:
    if not _bundles:
        folder = _folder() / "models"
        champions = {
            target: Bundled("1", "blend", "2020-01-01", "2020-01-02T00:00:00+00:00", "", files)
            for target, files in models.items()
        }
        bundles.write(Bundle("shop", "0.1.0", champions), folder)
        _bundles.append((folder, (folder / MANIFEST).read_bytes()))
    return _bundles[0][0]


def _manifest(models) -> bytes:
    _bundle(models)
    return _bundles[0][1]


def _expected(act: Callable[[], object]) -> None:
    """Do it; an error of the tree is fine, if it can be read."""
    try:
        act()
    except PortfolioError as error:
        sentence = str(error)
        assert len(sentence) < LONGEST_SENTENCE, f"a message of {len(sentence)} characters"
        assert sentence.endswith((".", "?", "!")), sentence
