"""Texts that commands write into files of the user's: whole, or not at all."""

from pathlib import Path

from portfolio_ml.replacing import replace_bytes
from portfolio_ml.sinks.files import told


def write_text(path: Path, text: str) -> None:
    """Write a text under a name, in the place of what was there; a reader finds either.

    Raises:
        ServiceUnavailableError: The folder is missing, may not be written or is full.
    """
    with told(path):
        replace_bytes(path, text.encode())
