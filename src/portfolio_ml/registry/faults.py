"""What goes wrong in an MLflow store, in the error tree's terms.

MLflow passes on what its database says; a server does so as text.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from portfolio_ml.databases import redacted
from portfolio_ml.databases.faults import meaning
from portfolio_ml.errors import PortfolioError, ServiceUnavailableError, TryAgainLaterError
from portfolio_ml.registry.address import without_secrets

_LOCKED = ("database is locked", "database table is locked", "could not obtain lock")
_FULL = ("disk is full", "No space left", "Disk quota exceeded", "File too large")
_LOST = ("INTERNAL_ERROR", "TEMPORARILY_UNAVAILABLE")


@contextmanager
def told(mlflow: Any, address: str) -> Iterator[None]:  # noqa: ANN401 - a module without types
    """Expected failures of a store come out of the block as errors of the tree.

    Raises:
        TryAgainLaterError: Another process has locked the store.
        ServiceUnavailableError: It does not answer, refuses, or its disk is full.
    """
    try:
        yield
    except mlflow.exceptions.MlflowException as error:
        raise _expected(error, address) from None  # its own message may show the password
    except OSError as error:  # those of HTTP are among them
        raise _of_files(error, address) from error
    except Exception as error:
        if (expected := meaning(error, redacted(address))) is None:
            raise
        raise expected from None  # of a store's database, before MLflow itself is at it


def is_lost(error: Exception) -> bool:
    """Whether the store itself failed, so that it is of no use to ask it for more.

    Args:
        error: An exception of MLflow's.
    """
    return getattr(error, "error_code", None) in _LOST


def _expected(error: Exception, address: str) -> PortfolioError:
    where, saw = redacted(address), without_secrets(str(error), address)
    if any(words in str(error) for words in _LOCKED):
        return _locked(where)
    if full := next((words for words in _FULL if words in str(error)), None):
        return _full(where, full)  # the rest can be pages long, where many files are fetched
    return meaning(error.__cause__, where) or ServiceUnavailableError(
        "the tracking store does not do what is asked",
        where=where,
        saw=saw,
        do="check tracking.uri and that the store is up",
    )


def _of_files(error: OSError, address: str) -> PortfolioError:
    where = redacted(address)
    if error.strerror is None:
        return ServiceUnavailableError(
            "the tracking store does not answer",
            where=where,
            saw=type(error).__name__,
            do="check tracking.uri and that the store is up",
        )
    if error.strerror.startswith(_FULL):
        return _full(where, error.strerror)
    return ServiceUnavailableError(
        "the tracking store's files cannot be read or written", where=where, saw=error.strerror
    )


def _locked(where: str) -> PortfolioError:
    return TryAgainLaterError(
        "another process has locked the tracking store", where=where, do="run again later"
    )


def _full(where: str, saw: str) -> PortfolioError:
    return ServiceUnavailableError(
        "there is no room left for what is tracked",
        where=where,
        saw=saw,
        do="free some space and run again",
    )
