"""Tables of a page that commands write: each row as it was measured last, those of others stay."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Place:
    """Where a table stands in a page.

    Attributes:
        name: What its comments are called.
        command: What writes it.
        head: The table's first two lines.
    """

    name: str
    command: str
    head: str

    @property
    def begin(self) -> str:
        """The line before it."""
        return f"<!-- {self.name}: made by `{self.command}` -->\n"

    @property
    def end(self) -> str:
        """The line after it."""
        return f"<!-- /{self.name} -->"


def told_anew(
    page: str, place: Place, *, rows: Mapping[str, str], parts: Iterable[str], measured: str
) -> str:
    """The page with these rows; those of the other parts stay.

    Args:
        page: Its text.
        place: Where the table is.
        rows: What is measured now: each part's row, with the line's end.
        parts: All parts, in the order of the rows.
        measured: The sentence below the table: when, and on what.

    Raises:
        ValueError: It has no place for the table.
    """
    before, is_there, rest = page.partition(place.begin)
    old, is_ended, after = rest.partition(place.end)
    if not (is_there and is_ended):
        raise ValueError("the page has no place for the table")
    known = dict(re.findall(r"^(?=\| (\w+) \| [\d,])(.*\n)", old, re.MULTILINE)) | dict(rows)
    told = "".join(known[part] for part in parts if part in known)
    return f"{before}{place.begin}\n{place.head}{told}\n{measured}\n\n{place.end}{after}"
