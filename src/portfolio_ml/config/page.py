"""The config as a page of the docs: `make docs-config` writes it to docs/reference/config.md."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from portfolio_ml.config.data_sections import Data
from portfolio_ml.config.json_schema import described
from portfolio_ml.config.settings import ENVIRONMENT_PREFIX

_INTRODUCTION = f"""# The config

For those who write a portfolio's config. Made from the settings by `make docs-config`. One YAML
file per portfolio; this is the shortest:

```yaml
name: sales
data:
  transactions: {{source: sales.csv}}
```

Relative paths start from the file's folder. A `${{NAME}}` in a value is filled in from the
environment. A variable `{ENVIRONMENT_PREFIX}SECTION__KEY` wins over the file, as in
`{ENVIRONMENT_PREFIX}TARGETS__CHURN__HORIZON_DAYS=60`. All faults of a file are told at once, each
with its path; an unknown key is one. [A schema](config.schema.json) tells editors the same.

A heading is the path of the keys below it: under `targets.churn`, the key `horizon_days` is
`targets: {{churn: {{horizon_days: 90}}}}`. `[]` stands for each entry of a list, and a word in
capitals for a name that you choose, or for one of several.

"""
_HEAD = ("key", "what it may be", "default", "meaning")
_TABLE = "data.TABLE"
_EVERY_TABLE = """Where a table is, and what its columns are called there. `TABLE` is one of
[the input tables](input_tables.md)."""
_THE_FILE = "What stands at the top. A section that is left out is as its own keys say below."
_REQUIRED = "**required**"
_SECTION = "section"

Schema = Mapping[str, Any]
Row = tuple[str, str, str, str]


def markdown() -> str:
    """The page: a section per section of the config, a row per key."""
    schema = described()
    tables = _tables(schema)
    titles = {
        name: _title(paths, schema["$defs"][name])
        for name, paths in _places(schema, tables).items()
    }
    links = {name: _link(title, schema["$defs"][name]) for name, title in titles.items()}
    rows = {name: _rows(schema["$defs"][name], links) for name in titles}
    shared = _shared([rows[name] for name in tables])
    parts = [_section("The file", _THE_FILE, _rows(schema, links))]
    for name, title in titles.items():
        about = schema["$defs"][name]["description"]
        if name not in tables:
            parts.append(_section(title, about, rows[name]))
            continue
        if name == next(iter(tables)):
            parts.append(_section(f"`{_TABLE}`", _EVERY_TABLE, shared))
        own = [row for row in rows[name] if row not in shared]
        more = ", but for these:" if own else "."
        parts.append(_section(title, f"{about}\n\nIts keys are those of `{_TABLE}`{more}", own))
    return _INTRODUCTION + "\n".join(parts)


def _tables(schema: Schema) -> dict[str, str]:
    """The path of each section that tells where a table is, by the section's name."""
    keys = schema["$defs"][Data.__name__]["properties"]
    parts = {key: [*_references(part)] for key, part in keys.items()}
    return {found[0][0]: f"data.{key}" for key, found in parts.items() if found}


def _shared(sections: Sequence[Sequence[Row]]) -> list[Row]:
    """The rows that several of the sections have, in the order of the first one's keys."""
    counted = Counter(row for rows in sections for row in rows)
    keys = [key for key, *_ in sections[0]]
    several = [row for row, times in counted.items() if times > 1]
    return sorted(several, key=lambda row: keys.index(row[0]))


def _places(schema: Schema, tables: Mapping[str, str]) -> dict[str, list[str]]:
    """Where in a config each section may stand, in the order of the file."""
    found: dict[str, list[str]] = {}

    def visit(section: Schema, path: str) -> None:
        for key, part in section["properties"].items():
            for name, inside in _references(part):
                place = f"{path}.{key}{inside}".lstrip(".")
                known = found.setdefault(name, [])
                if place not in known:
                    known.append(place)
                    visit(schema["$defs"][name], _TABLE if name in tables else place)

    visit(schema, "")
    return found


def _references(part: Any, inside: str = "") -> Iterator[tuple[str, str]]:  # noqa: ANN401 - JSON
    """The sections that a key holds, each with its place below the key."""
    if isinstance(part, list):
        for each in part:
            yield from _references(each, inside)
    elif isinstance(part, dict):
        if "$ref" in part:
            yield _referred(part), inside
        for key, below in (
            ("anyOf", ""),
            ("oneOf", ""),
            ("items", "[]"),
            ("additionalProperties", ".NAME"),
        ):
            yield from _references(part.get(key), inside + below)
        for named in part.get("patternProperties", {}).values():
            yield from _references(named, f"{inside}.NAME")


def _referred(part: Schema) -> str:
    name: str = part["$ref"].rpartition("/")[2]
    return name


def _title(paths: Sequence[str], section: Schema) -> str:
    """The paths; where one of several kinds may stand there, with the kind."""
    kind = _kind_of(section)
    told = " and ".join(f"`{path}`" for path in paths)
    return told if kind is None else f"{told} of kind `{kind}`"


def _link(title: str, section: Schema) -> str:
    """A section as a link to its heading; one of several kinds by its kind."""
    place = re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")
    kind = _kind_of(section)
    return f"[{_SECTION if kind is None else f'`{kind}`'}](#{place})"


def _kind_of(section: Schema) -> str | None:
    kind: str | None = section["properties"].get("kind", {}).get("const")
    return kind


def _section(title: str, about: str, rows: Sequence[Row]) -> str:
    table = [_HEAD, ("---",) * len(_HEAD), *rows] if rows else []
    lines = "".join(f"| {' | '.join(row)} |\n" for row in table)
    return f"## {title}\n\n{about}\n" + (f"\n{lines}" if lines else "")


def _rows(section: Schema, links: Mapping[str, str]) -> list[Row]:
    required = section.get("required", ())
    return [
        (
            f"`{key}`",
            _cell(_kind(part, links)),
            _REQUIRED if key in required else _default(part),
            _cell(part.get("description", "")),
        )
        for key, part in section["properties"].items()
    ]


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _default(part: Schema) -> str:
    """What holds where nothing is said; of a section, what its own keys say."""
    value = part.get("default")
    if value is None or value in ([], {}):
        return "none" if "default" in part else "as below"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return _value(", ".join(value) if isinstance(value, list) else value)


def _kind(part: Schema, links: Mapping[str, str]) -> str:
    """What a key may be, in words; a section by its link."""
    if "const" in part or "enum" in part:
        return _either([_value(value) for value in part.get("enum", [part.get("const")])])
    if part.get("type") == "object":  # the columns of a table may have an anyOf of their own
        return _mapping(part, links)
    for key in ("anyOf", "oneOf"):
        if key in part:
            kinds = [_kind(each, links) for each in part[key] if each.get("type") != "null"]
            return _either(list(dict.fromkeys(kinds)))
    if "$ref" in part:
        return links[_referred(part)]
    if part["type"] == "array":
        return _list(part, links)
    return _KINDS[part["type"]](part)


def _value(value: object) -> str:
    return f"`{value}`" if value != "" else "empty"


def _either(kinds: Sequence[str]) -> str:
    *others, last = kinds
    if not others:
        return last
    are_values = all(kind.startswith(("`", "[`")) for kind in kinds)
    return ", ".join(others) + (" or " if are_values else ", or ") + last


def _text(part: Schema) -> str:
    if part.get("format") == "path":
        return "a path"
    if part.get("format") == "date":
        return "a date, such as 2024-06-30"
    if part.get("maxLength") == 1:
        return "one character"
    return "text"


def _number(part: Schema) -> str:
    noun = "a whole number" if part["type"] == "integer" else "a number"
    above, low = part.get("exclusiveMinimum"), part.get("minimum")
    below, high = part.get("exclusiveMaximum"), part.get("maximum")
    if part["type"] == "integer" and above is not None:
        low, above = above + 1, None
    if low is not None and high is not None:
        return f"{noun} from {low} to {high}"
    bounds = {"above": above, "from": low, "below": below, "up to": high}
    told = ", ".join(f"{word} {value}" for word, value in bounds.items() if value is not None)
    return f"{noun} {told}".rstrip()


def _list(part: Schema, links: Mapping[str, str]) -> str:
    kind = _kind(part["items"], links)
    many = _many(kind)
    return f"a list; each is {kind}" if many == kind else f"a list of {many}"


def _mapping(part: Schema, links: Mapping[str, str]) -> str:
    if "properties" in part:
        return "a map from our columns to yours"
    named = part.get("additionalProperties") or next(iter(part["patternProperties"].values()))
    return f"a map from names to {_many(_kind(named, links))}"


def _many(kind: str) -> str:
    return _MANY.get(kind, kind.replace(f"[{_SECTION}]", "[sections]"))


_MANY = {"text": "texts", "a path": "paths"}
_KINDS: Mapping[str, Callable[[Schema], str]] = {
    "string": _text,
    "integer": _number,
    "number": _number,
    "boolean": lambda _: "`true` or `false`",
}
