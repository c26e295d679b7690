"""What was read: rows that were refused, and features that were left out."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa

from portfolio_ml.wording import counted


def by_need(left_out: Mapping[str, tuple[str, ...]]) -> dict[tuple[str, ...], tuple[str, ...]]:
    """The features that were left out, by what they need; those that most need come first.

    A column of a table that is absent itself is not named beside it.

    Example:
        >>> by_need({"a": ("cost",), "b": ("calls", "calls.value"), "c": ("calls",)})
        {('calls',): ('b', 'c'), ('cost',): ('a',)}
    """
    found: dict[tuple[str, ...], list[str]] = {}
    for name, needs in left_out.items():
        absent = tuple(n for n in needs if "." not in n or n.partition(".")[0] not in needs)
        found.setdefault(absent, []).append(name)
    ranked = sorted(found.items(), key=lambda each: (-len(each[1]), each[0]))
    return {needs: tuple(names) for needs, names in ranked}


def left_out_text(left_out: Mapping[str, tuple[str, ...]]) -> str:
    """How many features need what is not there.

    Example:
        >>> left_out_text({"margin": ("cost",), "calls_30d": ("calls",), "calls_90d": ("calls",)})
        '2 features need calls; 1 needs cost'
    """
    counts: Counter[str] = Counter()
    for needs, names in by_need(left_out).items():
        tables = (need.partition(".") for need in needs)
        words = (f"columns of {name}" if column else name for name, _, column in tables)
        counts[" and ".join(dict.fromkeys(words))] += len(names)
    (first, count), *others = counts.most_common()
    told = [f"{counted(count, 'feature')} {_need(count)} {first}"]
    return "; ".join([*told, *(f"{count} {_need(count)} {words}" for words, count in others)])


def _need(count: int) -> str:
    return "needs" if count == 1 else "need"


def refused_by_rule(quarantine: pa.Table) -> dict[str, str]:
    """How many rows broke each rule, the most frequent first, with the first of them."""
    counts = quarantine["rule"].value_counts().to_pylist()
    told = {}
    for rule, count in sorted(((c["values"], c["counts"]) for c in counts), key=lambda c: -c[1]):
        place = quarantine["rule"].index(rule).as_py()
        row = quarantine.slice(place, 1).to_pylist()[0]
        value = "no value" if row["value"] is None else repr(row["value"])
        shown = "" if row["column"] == "line" else f" with {value}"  # a whole line is too much
        such = f"such as row {row['row_number']:,} of {Path(row['source']).name}{shown}"
        told[rule] = f"{counted(count, 'row')}, {such}"
    return told
