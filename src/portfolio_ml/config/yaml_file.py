"""A YAML file as plain values: nothing said twice, nothing standing for something else."""

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from portfolio_ml.errors import ConfigError, nearest_file

MAX_CONFIG_BYTES = 1_000_000
_SUFFIXES = (".yaml", ".yml")
_MERGE = "tag:yaml.org,2002:merge"


class _PlainLoader(yaml.SafeLoader):
    """YAML in which nothing is said twice and nothing stands for something else."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            at = self.peek_event().start_mark  # type: ignore[no-untyped-call]  # PyYAML
            raise _NotPlainError(at, "an alias; write the value out")
        return super().compose_node(parent, index)

    def construct_scalar(self, node: yaml.ScalarNode | yaml.MappingNode) -> Any:  # noqa: ANN401 - PyYAML's own
        value: Any = super().construct_scalar(node)
        if not isinstance(value, str):
            return value
        if "\0" in value:  # which ends the names of files
            raise _NotPlainError(node.start_mark, "a NUL character")
        try:  # JSON writes characters such as emoji as two halves, which YAML leaves apart
            return value.encode("utf-16", "surrogatepass").decode("utf-16")
        except UnicodeDecodeError:
            raise _NotPlainError(node.start_mark, "half a character") from None

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen = set()
        for key, _ in node.value:
            if key.tag == _MERGE:
                raise _NotPlainError(key.start_mark, "keys merged in; write them out")
            if key.value in seen:
                raise _NotPlainError(key.start_mark, f"the key {key.value!r} a second time")
            if isinstance(key, yaml.ScalarNode):
                seen.add(key.value)
        return super().construct_mapping(node, deep=deep)


class _NotPlainError(yaml.MarkedYAMLError):
    """What a config has no use for."""

    def __init__(self, mark: yaml.Mark | None, saw: str) -> None:
        super().__init__(problem_mark=mark)
        self.saw = saw


def read_yaml(file: Path) -> dict[str, Any]:
    """The mapping in a YAML file.

    Raises:
        ConfigError: The file cannot be read, is no plain YAML, or is no mapping.
    """
    try:
        values = yaml.load(_text(file), Loader=_PlainLoader)  # noqa: S506 - a SafeLoader
    except (yaml.YAMLError, ValueError, TypeError, AttributeError, RecursionError) as error:
        # The values' own constructors let through what they stumble over, such as 2024-02-31.
        mark = getattr(error, "problem_mark", None)
        is_text = not isinstance(error, UnicodeDecodeError)
        raise ConfigError(
            "the config is no valid YAML" + (f" at line {mark.line + 1}" if mark else ""),
            where=str(file),
            saw=getattr(error, "saw", None) if is_text else "text that is not UTF-8",
            do=None if is_text else "save it as UTF-8",
        ) from None
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        raise ConfigError("the config must be a mapping of keys to values", where=str(file))
    return values


def _text(file: Path) -> str:
    try:
        if not file.is_file():
            raise _not_there(file)
        if file.stat().st_size > MAX_CONFIG_BYTES:
            raise ConfigError("the config is too large", where=str(file), do="keep it under 1 MB")
        return file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigError(
            "the config cannot be read", where=str(file), saw=error.strerror
        ) from None


def _not_there(file: Path) -> ConfigError:
    if file.exists() and not file.is_dir():
        return ConfigError("the config is no plain file", where=str(file), do="write it to one")
    guess = nearest_file(file, _SUFFIXES)
    return ConfigError(
        "there is no config to read",
        where=str(file),
        saw="a folder" if file.is_dir() else "no such file",
        do=f"did you mean {file.with_name(guess)}?"
        if guess
        else "write one with portfolio-ml init --transactions FILE",
    )
