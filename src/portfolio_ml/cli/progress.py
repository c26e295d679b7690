"""How far a command is: a bar on a terminal, and nothing elsewhere."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import Progress


@contextmanager
def bar(label: str, *, quiet: bool) -> Iterator[Callable[[float], None]]:
    """What takes the share that is done, for the length of a `with` block.

    Args:
        label: What is being done.
        quiet: Whether nothing is to be shown, on a terminal either.
    """
    if quiet or not sys.stderr.isatty():
        yield lambda _: None
        return
    with Progress(console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task(label, total=1.0)
        yield lambda share: shown.update(task, completed=share)
