"""Processes to be killed, forked from one that has imported what takes others seconds to import."""

import multiprocessing
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.context import ForkServerProcess

import pytest

IMPORTED = ("pytest", "portfolio_ml.sinks.http", "portfolio_ml.sinks.sql", "portfolio_ml.opening")

_forking = multiprocessing.get_context("forkserver")
_forking.set_forkserver_preload([*IMPORTED])


@contextmanager
def forked(target: Callable[..., object], *arguments: object) -> Iterator[ForkServerProcess]:
    """A process that calls a function of a module; dead at the end of the block.

    The module is imported anew there: nothing that a test has patched is patched.
    """
    process = _forking.Process(target=target, args=arguments)
    with pytest.MonkeyPatch.context() as patch:  # the first one starts the process that forks
        patch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
        process.start()
    try:
        yield process
    finally:
        process.kill()
        process.join()
