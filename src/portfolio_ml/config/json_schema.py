"""The JSON Schema of a config file, by which editors complete and check it."""

import inspect
import json
import re
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from portfolio_ml.config.data_sections import TableSource
from portfolio_ml.config.settings import Settings
from portfolio_ml.schema import ATTRIBUTE, Table

_VARIABLE = {"$ref": "#/$defs/Variable"}
_WHAT_A_VARIABLE_IS = {
    "description": "A value with `${NAME}` in it, which the environment fills in.",
    "type": "string",
    "pattern": r"\$\{\w+\}",
}
_BOUNDS = {
    "ge": "minimum",
    "gt": "exclusiveMinimum",
    "le": "maximum",
    "lt": "exclusiveMaximum",
    "min_length": "minProperties",
}
_LIMITS = {"pattern", "enum", "format", "maxLength"}


def json_schema() -> str:
    """The JSON Schema, as text: each key with its meaning, its default and what it may be.

    It says no to what the settings would say no to, as far as a schema can tell, and lets a
    `${NAME}` stand for any value.

    Example:
        >>> json.loads(json_schema())["required"]
        ['name', 'data']
    """
    schema = _with_variables(described())
    schema["$defs"]["Variable"] = _WHAT_A_VARIABLE_IS
    about = {"$schema": GenerateJsonSchema.schema_dialect, "title": "A portfolio's config"}
    return json.dumps({**about, **schema}, indent=2, ensure_ascii=False) + "\n"


def described() -> dict[str, Any]:
    """The schema of the settings themselves, in which no `${NAME}` stands for anything yet.

    Example:
        >>> described()["properties"]["name"]["description"]
        'What the portfolio is called: letters, digits, `_` and `-`.'
    """
    schema: dict[str, Any] = _all_bounded(
        Settings.model_json_schema(schema_generator=_FromDocstrings)
    )
    return schema


class _FromDocstrings(GenerateJsonSchema):
    """Sections and keys are described by what the docstrings say of them."""

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        section = super().model_schema(schema)
        told = schema["cls"]
        del section["title"]
        section["description"], _ = _parts(told.__doc__)
        about = {
            n: text for c in reversed(told.__mro__) for n, text in _parts(c.__doc__)[1].items()
        }
        for name, key in section["properties"].items():
            key.pop("title", None)
            if "$ref" in key or "oneOf" in key:  # its own keys tell their defaults
                key.pop("default", None)
            if name in about:
                key["description"] = about[name]
        if issubclass(told, TableSource):
            section["properties"]["columns"]["anyOf"][0] = _mapping(told.of)
        return section


def _parts(docstring: str | None) -> tuple[str, dict[str, str]]:
    """What a docstring says of a section, and of each of its attributes."""
    text, _, attributes = inspect.cleandoc(docstring or "").partition("\n\nAttributes:\n")
    found = re.findall(r"^    (\w+): (.*(?:\n {8}.*)*)", attributes, re.MULTILINE)
    return text, {name: re.sub(r"\s+", " ", said) for name, said in found}


def _mapping(table: Table) -> dict[str, Any]:
    """What may be said of a table's columns."""
    mapping: dict[str, Any] = {
        "type": "object",
        "properties": {
            c.name: {"type": "string", "description": c.description} for c in table.columns
        },
        "required": [column.name for column in table.columns if column.required],
        "additionalProperties": False,
    }
    if table.one_of:
        mapping["anyOf"] = [{"required": [name]} for name in table.one_of]
    if table.takes_attributes:
        mapping["patternProperties"] = {f"^{ATTRIBUTE.pattern}$": {"type": "string"}}
    return mapping


def _with_variables(node: Any) -> Any:  # noqa: ANN401 - any part of a schema
    """The part, in which `${NAME}` passes where more than a text is asked for."""
    if isinstance(node, list):
        return [_with_variables(part) for part in node]
    if not isinstance(node, dict):
        return node
    if any(map(_is_limited, options := node.get("anyOf", []))):
        return {**node, "anyOf": [*options, _VARIABLE]}
    if _is_limited(node):
        about = {name: node[name] for name in ("description", "default") if name in node}
        limits = {name: value for name, value in node.items() if name not in about}
        return {**about, "anyOf": [limits, _VARIABLE]}
    return {name: _with_variables(part) for name, part in node.items()}


def _is_limited(node: dict[str, Any]) -> bool:
    """Whether not every text is allowed."""
    kind = node.get("type")
    return kind in ("integer", "number") or (kind == "string" and not _LIMITS.isdisjoint(node))


def _all_bounded(node: Any) -> Any:  # noqa: ANN401 - any part of a schema
    """The part with all bounds under the schema's names, where pydantic wrote its own."""
    if isinstance(node, list):
        return [_all_bounded(part) for part in node]
    if not isinstance(node, dict):
        return node
    return {_BOUNDS.get(name, name): _all_bounded(value) for name, value in node.items()}
