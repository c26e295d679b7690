"""Tables of the benchmarks' pages."""

from collections.abc import Iterable, Sequence


def table(header: Sequence[str], rows: Iterable[Sequence[str]], *, texts: int = 1) -> str:
    """A Markdown table, padded so that it can be read as it is.

    Args:
        header: What stands above each column.
        rows: As many cells each.
        texts: How many columns from the left are text; the others are right-aligned.

    Example:
        >>> print(table(["a", "b"], [["first", "1"]]))
        | a     |   b |
        |-------|----:|
        | first |   1 |
    """
    body = [[*row] for row in rows]
    widths = [max(3, *(len(row[k]) for row in [header, *body])) for k in range(len(header))]

    def line(cells: Sequence[str]) -> str:
        padded = (
            cell.ljust(width) if k < texts else cell.rjust(width)
            for k, (cell, width) in enumerate(zip(cells, widths, strict=True))
        )
        return "| " + " | ".join(padded) + " |"

    rule = "|".join("-" * (width + 1) + "-:"[k >= texts] for k, width in enumerate(widths))
    return "\n".join([line(header), f"|{rule}|", *(line(row) for row in body)])
