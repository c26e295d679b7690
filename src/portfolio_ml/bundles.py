"""Bundles: champions as files, for hosts without a registry.

A bundle is a folder with one joblib file per target (`packing`) and a manifest, which names each
file and member with its SHA-256. The manifest's own SHA-256 is the bundle's digest, and comes from
outside: printed by the export, it is given on the command line or in the config.

Reading trusts nothing: sizes are checked before anything is taken in, digests before anything is
parsed, and no file has a name that a manifest could choose.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from portfolio_ml.errors import DataError, ServiceUnavailableError
from portfolio_ml.models.files import MAX_TEXT_BYTES, ModelFiles, digests, verify
from portfolio_ml.packing import packed, unpacked
from portfolio_ml.replacing import replace_bytes
from portfolio_ml.untrusted import file_bytes, json_value

MANIFEST = "manifest.json"
FORMAT = 1
TARGETS = ("churn", "lifetime_value", "segments")
MAX_MANIFEST_BYTES = 1_000_000
MAX_FILE_BYTES = 2 * MAX_TEXT_BYTES + 100_000_000  # lifetime value has two ensembles

_DIGEST = re.compile("[0-9a-f]{64}")
_FACTS = ("version", "candidate", "as_of", "trained_at", "card")


@dataclass(frozen=True, slots=True)
class Bundled:
    """One target's champion in a bundle.

    Attributes:
        version: Its version in the registry that it comes from.
        candidate: Which of the candidates it is.
        as_of: The last day of the history that it learnt from, such as 2024-06-30.
        trained_at: When it was registered, in UTC, such as 2024-07-01T04:12:09+00:00.
        card: What it predicts and how it did, for people.
        files: The model as data.
    """

    version: str
    candidate: str
    as_of: str
    trained_at: str
    card: str
    files: ModelFiles


@dataclass(frozen=True, slots=True)
class Bundle:
    """The champions of one portfolio.

    Attributes:
        portfolio: The portfolio's name.
        package_version: The version of this package that wrote the bundle.
        champions: Per target, its champion.
    """

    portfolio: str
    package_version: str
    champions: Mapping[str, Bundled]


def write(bundle: Bundle, folder: Path) -> str:
    """Write a bundle, whole or not at all; gives its digest.

    The files are named by their content and written first, the manifest last; only then are those
    removed that the manifest before named. The same champions give the same digest.

    Raises:
        DataError: The folder holds the bundle of another portfolio, or another manifest.
        ServiceUnavailableError: The folder may not be written, or is full.
    """
    before = _held(folder)
    if before is not None and before["portfolio"] != bundle.portfolio:
        raise DataError(
            "the folder holds the bundle of another portfolio",
            where=str(folder),
            saw=f"{before['portfolio']!r:.80}, not {bundle.portfolio!r}",
            do="choose another folder with --out",
        )
    contents = {target: packed(each.files) for target, each in bundle.champions.items()}
    models = {
        target: _told(each, contents[target], target) for target, each in bundle.champions.items()
    }
    document = {
        "format": FORMAT,
        "portfolio": bundle.portfolio,
        "portfolio_ml_version": bundle.package_version,
        "models": models,
    }
    manifest = json.dumps(document, sort_keys=True, indent=1).encode() + b"\n"
    with _written(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for target, content in contents.items():
            replace_bytes(folder / models[target]["file"], content)
        replace_bytes(folder / MANIFEST, manifest)
        for old in _files(before) - _files(document):
            (folder / old).unlink(missing_ok=True)
    return hashlib.sha256(manifest).hexdigest()


def digest_of(folder: Path) -> str:
    """The digest that the bundle in a folder has.

    Raises:
        DataError: There is no manifest that can be read.
    """
    return hashlib.sha256(_manifest(folder)).hexdigest()


def read(folder: Path, *, digest: str, portfolio: str | None = None) -> Bundle:
    """The bundle in a folder.

    Args:
        folder: Where it lies.
        digest: What its digest must be.
        portfolio: Whose it must be; anybody's where not given.

    Raises:
        DataError: It has another digest, is another portfolio's, or a part of it is missing,
            changed, too large or of a form that no bundle has.
    """
    content = _manifest(folder)
    found = hashlib.sha256(content).hexdigest()
    if found != digest:
        raise DataError(
            "the bundle is not the one that is trusted",
            where=str(folder / MANIFEST),
            saw=f"the digest {found}, not {digest:.64}",
            do="copy the bundle anew, or give the digest that models export printed",
        )
    manifest = _parsed(content, folder)
    if portfolio is not None and manifest["portfolio"] != portfolio:
        raise DataError(
            "the bundle is another portfolio's",
            where=str(folder),
            saw=f"{manifest['portfolio']!r:.80}, not {portfolio!r}",
            do="name the folder of this portfolio's bundle",
        )
    return Bundle(
        portfolio=manifest["portfolio"],
        package_version=manifest["portfolio_ml_version"],
        champions={
            target: _champion(folder / told["file"], told)
            for target, told in manifest["models"].items()
        },
    )


def _champion(path: Path, told: Mapping[str, Any]) -> Bundled:
    content = file_bytes(path, most=MAX_FILE_BYTES)
    if hashlib.sha256(content).hexdigest() != told["sha256"]:
        raise DataError(
            "the file is not the one that the bundle's manifest names",
            where=str(path),
            saw="another digest",
            do="copy the bundle anew",
        )
    files = unpacked(content, where=str(path))
    verify(files, told["members"])
    return Bundled(**{name: told[name] for name in _FACTS}, files=files)


def _told(champion: Bundled, content: bytes, target: str) -> dict[str, Any]:
    """What the manifest tells of one champion."""
    digest = hashlib.sha256(content).hexdigest()
    return {
        "file": _file(target, digest),
        "sha256": digest,
        "members": digests(champion.files),
        **{name: getattr(champion, name) for name in _FACTS},
    }


def _file(target: str, digest: str) -> str:
    return f"{target}-{digest[:12]}.joblib"


def _files(manifest: Mapping[str, Any] | None) -> set[str]:
    return {told["file"] for told in manifest["models"].values()} if manifest else set()


def _held(folder: Path) -> dict[str, Any] | None:
    """The manifest that the folder holds, if it does."""
    try:
        is_there = (folder / MANIFEST).exists()
    except OSError:
        is_there = False  # writing will tell why
    return _parsed(_manifest(folder), folder) if is_there else None


def _manifest(folder: Path) -> bytes:
    return file_bytes(folder / MANIFEST, most=MAX_MANIFEST_BYTES)


def _parsed(content: bytes, folder: Path) -> dict[str, Any]:
    """The manifest's values, of the types and under the names that `write` gave them.

    Raises:
        DataError: They are others.
    """
    try:
        manifest = json_value(content, most=MAX_MANIFEST_BYTES)
        _demand_form(manifest)
    except KeyError as error:
        fault = f"no {error!s:.80}"
    except (AttributeError, TypeError, ValueError) as error:
        fault = f"{error!s:.200}"
    else:
        return dict(manifest)
    raise DataError(
        "the bundle's manifest cannot be read",
        where=str(folder / MANIFEST),
        saw=fault,
        do="take it as models export wrote it",
    )


def _demand_form(manifest: Mapping[str, Any]) -> None:
    if manifest["format"] != FORMAT:
        raise ValueError(f"the format {manifest['format']!r:.40}")
    _demand_texts(manifest, "portfolio", "portfolio_ml_version")
    if sorted(manifest["models"]) != sorted(TARGETS):
        raise ValueError(f"models for {', '.join(manifest['models']):.80}")
    for target, told in manifest["models"].items():
        _demand_texts(told, "file", "sha256", *_FACTS)
        _demand_texts(told["members"], *told["members"].keys())
        is_digest = _DIGEST.fullmatch(told["sha256"])
        if not is_digest or told["file"] != _file(target, told["sha256"]):
            raise ValueError(f"the file {told['file']!r:.80} for {target}")


def _demand_texts(values: Mapping[str, Any], *names: str) -> None:
    for name in names:
        if not isinstance(values[name], str):
            raise TypeError(f"{name:.40} is no text: {values[name]!r:.40}")


@contextmanager
def _written(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ServiceUnavailableError(
            "the bundle cannot be written",
            where=str(folder),
            saw=error.strerror or type(error).__name__,
            do="check that the folder may be written and has space",
        ) from error
