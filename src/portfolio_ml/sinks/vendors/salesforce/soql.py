"""Queries for records by their external id, short enough for an address."""

from collections.abc import Iterable, Iterator
from urllib.parse import quote

QUERY_BYTES = 14_000
"""Salesforce takes an address of 16,384 characters."""

_ESCAPES = str.maketrans(
    {
        "\\": "\\\\",
        "'": "\\'",
        '"': '\\"',
        "\n": "\\n",
        "\r": "\\r",
        "\t": "\\t",
        "\b": "\\b",
        "\f": "\\f",
    }
)


def quoted(text: str) -> str:
    r"""The text as a string of SOQL, whatever its characters.

    Example:
        >>> print(quoted("O'Hara \\ Sons"))
        'O\'Hara \\ Sons'
    """
    return f"'{text.translate(_ESCAPES)}'"


def queries_for(
    external_ids: Iterable[str], *, of: str, field: str, most_bytes: int = QUERY_BYTES
) -> Iterator[str]:
    """Queries that together ask for the records with these external ids.

    Args:
        external_ids: The external ids.
        of: The object.
        field: The field that holds the external id.
        most_bytes: How long a query may be as part of an address.

    Example:
        >>> list(queries_for(["a", "b"], of="Account", field="Customer__c"))
        ["SELECT Id, Customer__c FROM Account WHERE Customer__c IN ('a','b')"]
    """
    head = f"SELECT Id, {field} FROM {of} WHERE {field} IN ("  # noqa: S608 - both are plain names, checked by the config
    room = most_bytes - len(quote(head + ")", safe=""))
    chunk: list[str] = []
    used = 0
    for text in map(quoted, external_ids):
        size = len(quote(text + ",", safe=""))
        if chunk and used + size > room:
            yield f"{head}{','.join(chunk)})"
            chunk, used = [], 0
        chunk.append(text)
        used += size
    if chunk:
        yield f"{head}{','.join(chunk)})"
