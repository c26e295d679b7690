"""A real cluster of Spark's on this machine, and a real server of Spark Connect.

Spark doubles a slow task on another host alone, and the executors of `local-cluster` have one. So
the cluster is a master, and workers each of which listens at another address of the loopback
network.
"""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

JAVA = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
_PATIENCE_SECONDS = 300


@dataclass(frozen=True)
class Cluster:
    """A cluster that runs.

    Attributes:
        master: Its address.
        events: Where Spark writes what happened.
    """

    master: str
    events: Path

    @property
    def options(self) -> dict[str, str]:
        """Of a session that doubles every task that lasts twice as long as its likes, or two
        seconds where there are none."""
        return {
            "spark.driver.host": "127.0.0.1",
            "spark.driver.memory": "512m",
            "spark.driver.extraJavaOptions": JAVA,
            "spark.executor.memory": "512m",
            "spark.executor.extraJavaOptions": JAVA,
            "spark.pyspark.python": sys.executable,
            "spark.sql.shuffle.partitions": "3",
            "spark.sql.adaptive.coalescePartitions.enabled": "false",
            "spark.speculation": "true",
            "spark.speculation.interval": "100ms",
            "spark.speculation.multiplier": "2",
            "spark.speculation.quantile": "0.3",
            "spark.speculation.efficiency.enabled": "false",
            "spark.speculation.task.duration.threshold": "2s",
            "spark.eventLog.enabled": "true",
            "spark.eventLog.dir": self.events.as_uri(),
            "spark.eventLog.rolling.enabled": "false",
            "spark.eventLog.compress": "false",
        }

    def ended_tasks(self) -> list[dict[str, Any]]:
        """Every attempt at a task that has ended, as Spark tells it."""
        told = []
        for file in self.events.iterdir():
            lines = file.read_text().splitlines(keepends=True)
            told += [json.loads(line) for line in lines if line.endswith("\n")]
        return [event for event in told if event["Event"] == "SparkListenerTaskEnd"]


@contextmanager
def cluster(folder: Path, *, workers: int = 2) -> Iterator[Cluster]:
    """A cluster for the length of a `with` block, whose workers have a core each.

    Args:
        folder: Where it may write.
        workers: How many.
    """
    port = _free_port()
    master = f"spark://127.0.0.1:{port}"
    events = folder / "events"
    events.mkdir()
    running = [_begun(folder, "master.Master", "127.0.0.1", "--port", str(port))]
    try:
        _demand_listener(port)
        for number in range(workers):
            own = folder / f"worker-{number}"
            limits = ("--cores", "1", "--memory", "1g", "--work-dir", str(own))
            running.append(
                _begun(folder, "worker.Worker", f"127.0.0.{2 + number}", *limits, master)
            )
        yield Cluster(master, events)
    finally:
        for process in reversed(running):
            process.terminate()
            process.wait()


@contextmanager
def connect_server(folder: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """A server of Spark Connect with two threads, for the length of a `with` block.

    Gives its address and its process.

    Args:
        folder: Where it may write.
    """
    port = _free_port()
    settings = {
        "spark.driver.memory": "1g",
        "spark.driver.extraJavaOptions": JAVA,
        "spark.sql.shuffle.partitions": "2",
        "spark.ui.enabled": "false",
        "spark.connect.grpc.binding.address": "127.0.0.1",
        "spark.connect.grpc.binding.port": str(port),
    }
    given = [part for name, of in settings.items() for part in ("--conf", f"{name}={of}")]
    code = "org.apache.spark.sql.connect.service.SparkConnectServer"
    begin = [_program("spark-submit"), "--class", code, "--master", "local[2]", *given]
    with (folder / "connect.log").open("wb") as log:
        process = subprocess.Popen(
            [*begin, "spark-internal"],
            cwd=folder,
            env={**os.environ, "PYSPARK_PYTHON": sys.executable},  # no option of Spark's tells it
            stdout=log,
            stderr=log,
        )
    try:
        _demand_listener(port)
        yield f"sc://127.0.0.1:{port}", process
    finally:
        process.terminate()
        process.wait()


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port


def _program(name: str) -> Path:
    import pyspark  # noqa: PLC0415 - an extra

    return Path(pyspark.__file__).parent / "bin" / name


def _begun(folder: Path, what: str, host: str, *arguments: str) -> subprocess.Popen[bytes]:
    begin = [_program("spark-class"), f"org.apache.spark.deploy.{what}", "--host", host]
    small = {"SPARK_DAEMON_MEMORY": "256m", "SPARK_DAEMON_JAVA_OPTS": JAVA}
    with (folder / f"{what}-{host}.log").open("wb") as log:
        return subprocess.Popen(
            [*begin, "--webui-port", "0", *arguments],
            env={**os.environ, **small},
            stdout=log,
            stderr=log,
        )


def _demand_listener(port: int) -> None:
    until = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1):
                return
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)
