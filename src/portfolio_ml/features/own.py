"""A user's own features: modules that the config names, each with `FEATURES`."""

import hashlib
import importlib
import importlib.util
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType

import narwhals as nw

from portfolio_ml.errors import ConfigError
from portfolio_ml.features.feature import Feature, Stage

WHERE = "features"


def own_features(modules: Sequence[str], base: Path) -> tuple[Feature, ...]:
    """The features of all modules, in their order; each knows the digest of its module's text.

    Args:
        modules: Python files such as `my_features.py`, or names of installed modules.
        base: The folder that relative paths start from.

    Raises:
        ConfigError: A module cannot be imported, or has no `FEATURES`, or they are none.
    """
    return tuple(feature for name in modules for feature in _of_module(name, base))


def _of_module(name: str, base: Path) -> Iterator[Feature]:
    try:
        module = _imported(name, base)
    except (Exception, SystemExit) as error:
        raise ConfigError(
            f"the feature module {name!r} cannot be imported",
            where=WHERE,
            saw=f"{type(error).__name__}: {' '.join(str(error).split())}",
            do="mend it, or take it out of the config",
        ) from error
    found = getattr(module, "FEATURES", None)
    if not isinstance(found, list | tuple):
        raise ConfigError(
            f"the feature module {name!r} has no list or tuple FEATURES",
            where=WHERE,
            do="give it one, of portfolio_ml.Feature",
        )
    origin = _digest(module)
    for feature in found:
        _demand_feature(feature, name)
        yield replace(feature, origin=origin)


def _demand_feature(feature: object, module: str) -> None:
    if not isinstance(feature, Feature):
        raise ConfigError(
            f"FEATURES of {module!r} holds something that is no Feature",
            where=WHERE,
            saw=repr(feature),
            do="make it a portfolio_ml.Feature",
        )
    parts = (
        ("name", str, "a text"),
        ("stage", Stage, "one of portfolio_ml.Stage, such as Stage.DAYS"),
        ("needs", frozenset | set, "a frozenset of texts"),
    )
    for part, kind, do in parts:
        if not isinstance(found := getattr(feature, part), kind):
            raise ConfigError(
                f"the feature {feature.name!r} of {module!r} cannot have such a {part!r}",
                where=WHERE,
                saw=repr(found),
                do=f"give it {do}",
            )
    if not isinstance(feature.value, nw.Expr) or feature.stage is Stage.MODEL:
        raise ConfigError(
            f"the feature {feature.name!r} of {module!r} has no value that can be computed",
            where=WHERE,
            saw=f"{type(feature.value).__name__} in stage {feature.stage.name}",
            do="give it a Narwhals expression over the columns of its stage",
        )


def _digest(module: ModuleType) -> str:
    """Of the module's text; what it imports itself is not part of it."""
    file = getattr(module, "__file__", None)
    content = Path(file).read_bytes() if file else module.__name__.encode()
    return hashlib.sha256(content).hexdigest()[:16]


class _AsWritten(SourceFileLoader):
    """Runs the file as it is now, and leaves no compiled copy beside it."""

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        code: CodeType = self.source_to_code(self.get_data(path), path)
        return code


def _imported(name: str, base: Path) -> ModuleType:
    if not name.endswith(".py"):
        return importlib.import_module(name)
    path = base / name
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    called = f"_portfolio_ml_own.{path.stem}"
    loader = _AsWritten(called, str(path))
    module = importlib.util.module_from_spec(ModuleSpec(called, loader, origin=str(path)))
    module.__file__ = str(path)
    sys.modules[called] = module  # dataclasses and pickles look their module up
    loader.exec_module(module)
    return module
