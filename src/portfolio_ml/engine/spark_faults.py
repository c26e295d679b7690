"""What goes wrong on Spark, told in a sentence: its own faults, and those of our code in workers.

A worker is another process, perhaps on another machine, and Spark brings home only the text of what
it raised. So an error of the tree is sent as one line of JSON, and becomes itself again here.
"""

import json
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from portfolio_ml.errors import (
    ConfigError,
    DataError,
    PortfolioError,
    ServiceUnavailableError,
    TryAgainLaterError,
)

_UNTOLD = re.compile(r"^(?:Exception in thread \S+ )?[\w.$]+(?:Exception|Error): ")
_SENT = re.compile(r"FaultOfWorkerError: (\{.*\})")
_KINDS = {
    of.__name__: of for of in (ConfigError, DataError, ServiceUnavailableError, TryAgainLaterError)
}
_RAISED = re.compile(rf"^portfolio_ml\.errors\.({'|'.join(_KINDS)}): (.+)$", re.MULTILINE)
_LOGGERS = ("DataFrameQueryContextLogger", "SQLQueryContextLogger")
_NOT_INSTALLED = re.compile(r"No module named '([\w.]+)'")
_OTHER_PYTHON = re.compile(r"different version: ([\d.]+) than that in driver: ([\d.]+)")
_NAME_IT = (
    "name that Python in engine.options as spark.pyspark.python, or where engine.remote is a Spark "
    "Connect server, as PYSPARK_PYTHON in the environment that it starts in"
)


class FaultOfWorkerError(Exception):
    """An error of the tree on its way from a worker, as JSON."""


@contextmanager
def sent_home() -> Iterator[None]:
    """Errors of the tree leave the block as text that `computing` reads.

    Example:
        >>> with sent_home():
        ...     raise DataError("no rows", where="sales.csv")
        Traceback (most recent call last):
        portfolio_ml.engine.spark_faults.FaultOfWorkerError: {"kind": "DataError", \
"what": "no rows", "where": "sales.csv", "saw": null, "do": null}
    """
    try:
        yield
    except (ConfigError, DataError, ServiceUnavailableError, TryAgainLaterError) as error:
        kind = next(name for name, of in _KINDS.items() if isinstance(error, of))
        told = {name: getattr(error, name) for name in ("what", "where", "saw", "do")}
        raise FaultOfWorkerError(json.dumps({"kind": kind, **told})) from None


@contextmanager
def quiet() -> Iterator[None]:
    """Spark warns neither of pandas 3, which is not used here, nor of what is raised as well."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"\[RETRIES_EXCEEDED\]", UserWarning)
        warnings.filterwarnings("ignore", "PySpark does not yet fully", FutureWarning)
        yield


@contextmanager
def _unlogged() -> Iterator[None]:
    """Spark does not log what it raises beside: it is told in a sentence."""
    from pyspark.logger import PySparkLogger  # noqa: PLC0415 - an extra

    loggers = [PySparkLogger.getLogger(name) for name in _LOGGERS]
    were = [logger.disabled for logger in loggers]
    for logger in loggers:
        logger.disabled = True
    try:
        yield
    finally:
        for logger, was in zip(loggers, were, strict=True):
            logger.disabled = was


@contextmanager
def computing() -> Iterator[None]:
    """Spark's faults come out of the block as errors of the tree; bugs as themselves."""
    from py4j.protocol import Py4JError  # noqa: PLC0415 - an extra
    from pyspark.errors import (  # noqa: PLC0415 - slow to load
        AnalysisException,
        ArithmeticException,
        PySparkException,
        PythonException,
    )

    try:
        with quiet(), _unlogged():
            yield
    except PythonException as error:
        known = _of_worker(str(error))
        if known is None:
            raise
        raise known from None
    except AnalysisException as error:
        if error.getCondition() != "PATH_NOT_FOUND":
            raise
        raise ConfigError(
            "Spark does not see the folder that tables pass through",
            where="engine.temp_directory",
            do="name a folder that this process and all of Spark's workers see",
        ) from None
    except ArithmeticException as error:
        raise DataError("a number is too large to reckon with", saw=told(error)) from None
    except (PySparkException, Py4JError, OSError) as error:
        raise _of_worker(str(error)) or ServiceUnavailableError(
            "Spark gave the work up",
            saw=told(error),
            do="see that it runs, that its workers have memory (engine.options) and that they see "
            "engine.temp_directory",
        ) from None


def told(error: Exception) -> str:
    """What Spark says, without its stack."""
    java = getattr(error, "java_exception", None)
    said = str(error if java is None else java.toString()).strip()
    first, *_ = said.splitlines() or [type(error).__name__]
    return plain(first)


def plain(line: str) -> str:
    """A line of Java's without the class of what it threw."""
    return _UNTOLD.sub("", line).strip(". ")


def _of_worker(said: str) -> PortfolioError | None:
    """What our code in a worker raised, sent home or not; None where the fault is another one."""
    if sent := _SENT.search(said):
        told = json.loads(sent[1])
        kind = _KINDS[told.pop("kind")]
        return kind(told.pop("what"), **told)
    if raised := _RAISED.findall(said):
        name, sentence = raised[-1]
        return _KINDS[name](sentence.rstrip("."))
    if missing := _NOT_INSTALLED.search(said):
        return ConfigError(
            "Spark's workers lack a package that their Python needs",
            where="engine",
            saw=f"no module {missing[1]!r}",
            do=f"install this version of portfolio-ml[spark] on every worker, and {_NAME_IT}",
        )
    if other := _OTHER_PYTHON.search(said):
        return ConfigError(
            "Spark's workers run another version of Python than this process",
            where="engine",
            saw=f"{other[1]} instead of {other[2]}",
            do=f"install portfolio-ml[spark] on every worker for Python {other[2]}, and {_NAME_IT}",
        )
    return None
