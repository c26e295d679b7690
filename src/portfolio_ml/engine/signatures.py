"""What a file is by its first bytes, where it is no text."""

from collections.abc import Mapping

_UNPACK = "unpack it, and name what was in it"
_EXPORT = "export it as .csv"

KINDS: Mapping[bytes, tuple[str, str]] = {
    b"\x1f\x8b": ("a gzip file", _UNPACK),
    b"PK\x03\x04": ("a zip file or an Excel workbook", f"{_EXPORT}, or {_UNPACK}"),
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": ("an old Excel workbook", _EXPORT),
    b"\x28\xb5\x2f\xfd": ("a zstd file", _UNPACK),
    b"BZh": ("a bzip2 file", _UNPACK),
    b"\xfd7zXZ\x00": ("an xz file", _UNPACK),
    b"7z\xbc\xaf\x27\x1c": ("a 7z file", _UNPACK),
    b"PAR1": ("a Parquet file", "call it .parquet"),
    b"ARROW1": ("an Arrow file", "write it as .parquet"),
    b"%PDF-": ("a PDF", _EXPORT),
    b"SQLite format 3\x00": ("an SQLite database", "name it as sqlite:///FILE, with its table"),
}
"""What is sometimes called .csv, with what to do, by what it begins with."""


def kind_of(start: bytes) -> tuple[str, str] | None:
    """What begins like this, and what to do about it; None where it may be text.

    Example:
        >>> kind_of(b"%PDF-1.7")
        ('a PDF', 'export it as .csv')
    """
    return next((told for mark, told in KINDS.items() if start.startswith(mark)), None)
