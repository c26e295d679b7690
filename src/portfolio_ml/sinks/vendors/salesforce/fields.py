"""Rows as the CSV that Bulk API 2.0 reads, and its results back.

An empty field is ignored there and `#N/A` sets null, so null is written `#N/A`, and a text that is
`#N/A` itself cannot be delivered. Nothing is altered against spreadsheet formulas: no person opens
these files.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from portfolio_ml.sinks.vendors.vendor import Wanted

NULL = "#N/A"
FIELD_CHARACTERS = 32_000


def field_texts(row: Wanted, fields: Iterable[str]) -> list[str]:
    """The texts of a row's fields: of what is not there, one that is ignored.

    Salesforce holds no empty text, only null.

    Example:
        >>> field_texts(Wanted("c1", {"A": "=1", "B": "", "C": None}), ["A", "B", "C", "D"])
        ['=1', '#N/A', '#N/A', '']
    """
    return [(row.properties[name] or NULL) if name in row.properties else "" for name in fields]


def fault(row: Wanted) -> str | None:
    """Why a row cannot be delivered; None where it can.

    Example:
        >>> fault(Wanted("c1", {"Segment__c": "#N/A"}))
        "Segment__c is the text '#N/A', which Salesforce takes for null"
    """
    key = row.customer_id
    if not key.strip():
        return "the external id is blank"
    for name, value in {"the external id": key, **row.properties}.items():
        if value == NULL:
            return f"{name} is the text {NULL!r}, which Salesforce takes for null"
        if value is not None and _characters(value) > FIELD_CHARACTERS:
            return f"{name} has more than {FIELD_CHARACTERS:,} characters"
    return None


def csv_lines(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[bytes]:
    r"""The lines of a CSV file in UTF-8; each ends in LF and has every field in quotes.

    Example:
        >>> list(csv_lines(["Id", "Name"], [["1", 'a "b" c']]))
        [b'"Id","Name"\n', b'"1","a ""b"" c"\n']
    """
    line = io.StringIO(newline="")
    writer = csv.writer(line, quoting=csv.QUOTE_ALL, lineterminator="\n")
    for row in chain([header], rows):
        writer.writerow(row)
        yield line.getvalue().encode()
        line.seek(0)
        line.truncate()


def csv_rows(text: str) -> Iterator[dict[str, str]]:
    """The rows of a CSV file of results, by column.

    Raises:
        ValueError: It is no such file.
    """
    try:
        yield from csv.DictReader(io.StringIO(text, newline=""), strict=True)
    except csv.Error:
        raise ValueError("the results are no CSV") from None


def _characters(text: str) -> int:
    """The text's length as Salesforce counts it, in units of UTF-16."""
    return len(text) + sum(character > "\uffff" for character in text)
