"""A file or a mapping, completed from the environment and validated."""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_settings import SettingsError

from portfolio_ml.config.faults import fault_lines, hint, joined
from portfolio_ml.config.settings import ENVIRONMENT_PREFIX, Settings
from portfolio_ml.config.yaml_file import read_yaml
from portfolio_ml.errors import FaultyConfigError


def load_settings(path: Path | str) -> Settings:
    """The settings in a YAML file, completed from the environment.

    Raises:
        ConfigError: The file is not there, is no YAML, or breaks a rule; every fault is named.
    """
    file = Path(path)
    unset: dict[str, str] = {}
    written = read_yaml(file)
    values = _substituted(written, unset)
    return _validated(values, unset, base=file.parent, file=file, written=written)


def settings_from(values: Mapping[str, Any], *, base: Path | str = ".") -> Settings:
    """The settings in a mapping, as a notebook would give them.

    Raises:
        ConfigError: The values break a rule; every fault is named.

    Example:
        >>> shop = settings_from({"name": "shop", "data": {"transactions": {"source": "cdnow"}}})
        >>> shop.targets.churn.horizon_days
        90
    """
    return _validated(dict(values), {}, base=Path(base), file=None)


@dataclass(frozen=True, slots=True)
class Variables:
    """The environment variables that settings came from, by name; no value is told.

    Attributes:
        filled: Those that the file names, and that have a value.
        empty: Those that it names, and that are empty.
        winning: Those that win over the file.
    """

    filled: tuple[str, ...]
    empty: tuple[str, ...]
    winning: tuple[str, ...]


def variables(settings: Settings) -> Variables:
    """The environment variables that the settings came from."""
    named = sorted({*re.findall(r"\$\{(\w+)\}", str(settings.written))})
    filled = tuple(name for name in named if os.environ.get(name, "").strip())
    winning = sorted(name for name in os.environ if name.upper().startswith(ENVIRONMENT_PREFIX))
    empty = tuple(name for name in named if name not in filled)
    return Variables(filled=filled, empty=empty, winning=tuple(winning))


def _substituted(value: Any, unset: dict[str, str], path: str = "") -> Any:  # noqa: ANN401 - any YAML value
    """The value with its `${NAME}` filled in; those that cannot be are told in `unset`, by path."""
    if isinstance(value, dict):
        return {k: _substituted(v, unset, joined(path, k)) for k, v in value.items()}
    if isinstance(value, list):
        return [_substituted(v, unset, joined(path, i)) for i, v in enumerate(value)]
    if not isinstance(value, str):
        return value
    for name in re.findall(r"\$\{([^}]*)\}", value):
        if not re.fullmatch(r"\w+", name):
            unset[path] = "${...} must hold the name of an environment variable"
        elif name not in os.environ:
            unset[path] = f"needs the environment variable {name}, which is not set"
    if path in unset:
        return value
    return re.sub(r"\$\{(\w+)\}", lambda found: os.environ[found[1]], value)


def _validated(
    values: dict[str, Any],
    unset: Mapping[str, str],
    *,
    base: Path,
    file: Path | None,
    written: object = None,
) -> Settings:
    # Names that begin with an underscore would steer the settings library itself.
    own = {k: v for k, v in values.items() if isinstance(k, str) and not k.startswith("_")}
    faults = [f"{path}: {message}" for path, message in unset.items()]
    faults += [f"{key}: unknown key" for key in values if key not in own]
    # The settings library would take them for the keys that they resemble, and drop one of two.
    alike = [
        key
        for key in own
        if key not in Settings.model_fields and key.lower() in Settings.model_fields
    ]
    faults += [f"{key}: unknown key, did you mean {key.lower()!r}?" for key in alike]
    own = {key: value for key, value in own.items() if key not in alike}
    faults += _unknown_variables()
    try:
        settings = Settings(**own)
    except ValidationError as error:
        faults += fault_lines(error, unset)
    except (SettingsError, RecursionError) as error:
        faults.append(f"a variable {ENVIRONMENT_PREFIX}... is no valid JSON: {error}")
    if faults:
        raise FaultyConfigError(faults, where="the given settings" if file is None else str(file))
    return settings.located(base, file=file, written=written)


def _unknown_variables() -> Iterator[str]:
    sections = Settings.model_fields
    for name in sorted(os.environ):
        section = name.upper().removeprefix(ENVIRONMENT_PREFIX).partition("__")[0].lower()
        if name.upper().startswith(ENVIRONMENT_PREFIX) and section not in sections:
            yield f"the environment's {name}: unknown key{hint(section, sections)}"
