"""Values as Bulk API 2.0 reads them from CSV, and the files that they make.

An empty field is ignored there and `#N/A` sets null, so null is written `#N/A`, and a text that is
`#N/A` itself cannot be delivered. Nothing is altered against spreadsheet formulas: no person opens
these files.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal

NULL = "#N/A"
FIELD_CHARACTERS = 32_000
FILE_BYTES = 90_000_000
"""Salesforce takes 100 MB a job."""

Value = str | bool | int | float | date | datetime | None


def field_text(value: Value) -> str:
    """The value as the text of a field: numbers as shortest decimals, times in UTC.

    Example:
        >>> [field_text(value) for value in (0.1, 1e-7, 12.0, True, None, date(2024, 6, 30), "=A1")]
        ['0.1', '0.0000001', '12', 'true', '#N/A', '2024-06-30', '=A1']
    """
    match value:
        case None | "":
            return NULL
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case float():
            text = f"{Decimal(repr(value)):f}"
            return text.removesuffix(".0")
        case datetime():
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case _:
            return str(value)


def fault(key: str, values: Mapping[str, Value]) -> str | None:
    """Why a row cannot be delivered; None where it can.

    Example:
        >>> fault("c1", {"Segment__c": "#N/A"})
        "Segment__c is the text '#N/A', which Salesforce takes for null"
    """
    if not key.strip() or key == NULL:
        return f"{key!r} cannot be an external id"
    for name, value in {"the external id": key, **values}.items():
        if value == NULL:
            return f"{name} is the text {NULL!r}, which Salesforce takes for null"
        if isinstance(value, str) and _characters(value) > FIELD_CHARACTERS:
            return f"{name} has more than {FIELD_CHARACTERS:,} characters"
    return None


def csv_text(header: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    """A CSV file in UTF-8 with lines that end in LF and every field in quotes.

    Example:
        >>> csv_text(["Id", "Name"], [["1", 'say "hi"']])
        b'"Id","Name"\\n"1","say ""hi"""\\n'
    """
    written = io.StringIO(newline="")
    writer = csv.writer(written, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return written.getvalue().encode()


def csv_rows(text: bytes) -> Iterator[dict[str, str]]:
    """The rows of a CSV file of results, by column.

    Raises:
        ValueError: It is no such file.
    """
    try:
        yield from csv.DictReader(io.StringIO(text.decode(), newline=""), strict=True)
    except csv.Error:
        raise ValueError("the results are no CSV") from None


def _characters(text: str) -> int:
    """The text's length as Salesforce counts it, in units of UTF-16."""
    return len(text) + sum(character > "\uffff" for character in text)
