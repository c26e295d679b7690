"""Sessions of Spark: one that is there, one that is started here, or one of Spark Connect."""

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from portfolio_ml.config import Spark
from portfolio_ml.engine.spark_faults import computing, plain, quiet, told
from portfolio_ml.errors import ConfigError, ServiceUnavailableError

if TYPE_CHECKING:
    from pyspark import SparkContext
    from pyspark.sql import SparkSession

_PATIENCE_SECONDS = 10
# A call to a server that went is tried again for half a minute, not for ten: one that comes back
# knows of no session of ours.
_RETRIES = 6
_BACKOFF = 10_000  # milliseconds, at most
_INSTALL = "run pip install 'portfolio-ml[spark]'"
_LOG = "spark.log"
_TELLING = re.compile(r"Exception: |^Error: |^Invalid |JAVA_HOME|: No such file|not found$")
_PYTHON = "spark.pyspark.python"
_REMOTE = "SPARK_REMOTE"  # the variable by which Spark itself is told of a Spark Connect server
_ANY_PYTHON = "python3"  # what Spark looks for on the path where nothing else is said

# The machine's zone changes no result; a sum that overflows is an error, as it is in DuckDB.
_FIXED = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "true",
    "spark.sql.caseSensitive": "true",
}
_QUIET = {
    "spark.python.sql.dataFrameDebugging.enabled": "false",  # it doubles the calls to Java
    "spark.app.name": "portfolio-ml",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
}


@contextmanager
def session(settings: Spark, folder: Path) -> "Iterator[SparkSession]":
    """A session of our own for the length of a `with` block.

    One that is active goes on after it; one that was started here is stopped.

    Args:
        settings: Where Spark is.
        folder: Where a Java that is started here writes what it has to say.

    Raises:
        ConfigError: Spark or its Java is not installed, or another master's session is active.
        ServiceUnavailableError: Spark does not answer, or does not start.
    """
    with quiet():
        found, is_ours = _session(settings, folder)
        try:
            with computing():
                own = found if is_ours else found.newSession()
                for option, value in {**settings.options, **_FIXED}.items():
                    _set(own, option, value)
            yield own
        finally:
            if is_ours:
                with suppress(Exception):  # it may be gone already
                    found.stop()


def _session(settings: Spark, folder: Path) -> "tuple[SparkSession, bool]":
    """The session to compute in, and whether it was started here."""
    try:
        from pyspark.sql import SparkSession  # noqa: PLC0415 - an extra, and it takes a while
    except ImportError:
        raise ConfigError(
            "the engine is Spark, and PySpark is not installed", where="engine", do=_INSTALL
        ) from None
    if settings.remote:
        return _connected(settings.remote, "engine.remote"), True
    active = SparkSession.getActiveSession()
    if active is None and settings.master is None:
        active = _active_remote()
    master = active and active.conf.get("spark.master", None)
    if settings.master not in (None, master) and settings.master.startswith("spark://"):
        _demand_listener(settings.master)
    if active is None and settings.master is None and _REMOTE in os.environ:
        return _connected(os.environ[_REMOTE], _REMOTE), True
    if active is None:
        return _started(settings, folder), True
    if settings.master not in (None, master):
        raise ConfigError(
            "a Spark session with another master is active",
            where="engine.master",
            saw=f"{master} instead of {settings.master}",
            do="leave engine.master out to compute in that session, or stop it",
        )
    return active, False


def _started(settings: Spark, folder: Path) -> "SparkSession":
    """A session of our own, whose Java process says what it has to say in a file."""
    from pyspark import SparkConf, SparkContext  # noqa: PLC0415 - see `_session`
    from pyspark.errors import PySparkException  # noqa: PLC0415 - slow to load
    from pyspark.java_gateway import launch_gateway  # noqa: PLC0415 - slow to load
    from pyspark.sql import SparkSession  # noqa: PLC0415 - slow to load

    conf = SparkConf(loadDefaults=False).setAll([*{**_QUIET, **settings.options}.items()])
    if settings.master:
        conf.setMaster(settings.master)
    log = folder / _LOG
    try:
        gateway = None
        if SparkContext._gateway is None:  # noqa: SLF001 - one that runs cannot be started again
            with log.open("wb") as written:
                both = {"stdout": written, "stderr": subprocess.STDOUT}
                gateway = launch_gateway(conf, both)  # type: ignore[no-untyped-call]  # theirs
    except (PySparkException, OSError):
        raise ConfigError(
            "Spark's Java does not start",
            where="engine",
            saw=_reason(log),
            do="install a Java from 17 on with the module jdk.incubator.vector, such as Debian's "
            "openjdk-17-jre-headless, or correct engine.options",
        ) from None
    try:
        context = SparkContext(conf=conf, gateway=gateway)
        context.pythonExec = _python(context, settings)
        return SparkSession(context)
    except Exception as error:  # noqa: BLE001 - whatever Java has thrown
        raise ServiceUnavailableError(
            "Spark does not start",
            where=settings.master,
            saw=told(error),
            do="check engine.master and engine.options",
        ) from None


def _python(context: "SparkContext", settings: Spark) -> str:
    """The Python of the workers: as it is told, or on this machine the one that runs here."""
    if named := settings.options.get(_PYTHON):
        return str(named)
    is_here = str(settings.master or context.master).startswith("local")
    return sys.executable if is_here and context.pythonExec == _ANY_PYTHON else context.pythonExec


def _active_remote() -> "SparkSession | None":
    """The session of Spark Connect that is active, also where PySpark's common door sees none."""
    loaded = sys.modules.get("pyspark.sql.connect.session")
    return None if loaded is None else loaded.SparkSession.getActiveSession()


def _connected(url: str, key: str) -> "SparkSession":
    """A session of our own on a Spark Connect server that answers; the key is what named it."""
    try:
        import grpc  # noqa: PLC0415 - an extra
        from pyspark.errors import PySparkValueError  # noqa: PLC0415 - slow to load
        from pyspark.sql.connect.client import DefaultChannelBuilder  # noqa: PLC0415 - slow to load
        from pyspark.sql.connect.client.retries import DefaultPolicy  # noqa: PLC0415 - likewise
        from pyspark.sql.connect.session import SparkSession  # noqa: PLC0415 - slow to load
    except ImportError:
        raise ConfigError(
            "Spark Connect needs packages that are not installed", where="engine", do=_INSTALL
        ) from None
    where = urlsplit(url).netloc  # what follows may hold a token
    try:
        channel = DefaultChannelBuilder(url).toChannel()
        with channel:
            grpc.channel_ready_future(channel).result(timeout=_PATIENCE_SECONDS)
        found = SparkSession.builder.remote(url).create()
    except PySparkValueError:
        raise ConfigError(
            "the address of the Spark Connect server cannot be read",
            where=key,
            do="write it as sc://host:15002/;use_ssl=true;token=${TOKEN}",
        ) from None
    except grpc.FutureTimeoutError:
        raise _silent(where, key) from None
    except Exception as error:  # noqa: BLE001 - gRPC's errors and Spark's have no common tree
        raise ServiceUnavailableError(
            "the Spark Connect server refuses us", where=where, saw=told(error)
        ) from None
    again = DefaultPolicy(max_retries=_RETRIES, max_backoff=_BACKOFF)
    found.client.set_retry_policies([again])
    return found  # type: ignore[return-value]  # its twin


def _demand_listener(master: str) -> None:
    """Raise unless one of the hosts of a `spark://` address answers."""
    for host in master.removeprefix("spark://").split(","):
        name, _, port = host.rpartition(":")
        with (
            suppress(OSError, ValueError),  # the last of a host without a port
            socket.create_connection((name.strip("[]"), int(port)), timeout=_PATIENCE_SECONDS),
        ):
            return
    raise _silent(master, "engine.master")


def _silent(where: str, key: str) -> ServiceUnavailableError:
    return ServiceUnavailableError(
        "Spark does not answer", where=where, do=f"check {key}, and that Spark runs there"
    )


def _set(session: "SparkSession", option: str, value: str) -> None:
    """Set it where it is an option of sessions, not one that Spark starts with."""
    if option.startswith("spark.sql.") and session.conf.isModifiable(option):
        session.conf.set(option, value)


def _reason(log: Path) -> str | None:
    """The line of the log that says why Java did not start."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.exists() else []
    telling = [line for line in lines if _TELLING.search(line)] or lines[-1:]
    return plain(telling[0]) if telling else None
