"""Commands run as processes of their own, and what each of them used."""

import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
THREADS = {"POLARS_MAX_THREADS": "2", "OMP_NUM_THREADS": "2"}  # DuckDB is told in its settings


@dataclass(frozen=True, slots=True)
class Cost:
    """What a process used.

    Attributes:
        wall_seconds: From its start to its end.
        cpu_seconds: On all threads.
        peak_bytes: The most memory that it held at a time.
        fault: How it died; empty where it did its work.
        own_peak_bytes: The most that it held of memory that no file holds, looked at ten times a
            second; 0 where the system does not tell.
    """

    wall_seconds: float
    cpu_seconds: float
    peak_bytes: int
    fault: str = ""
    own_peak_bytes: int = 0


def measured(command: Sequence[str]) -> Cost:
    """Run a command to its end, from the project's folder.

    What the kernel counts as a child's peak begins with the memory of this process, so this one
    should hold little.
    """
    with tempfile.TemporaryFile() as said:
        begun = time.perf_counter()
        child = subprocess.Popen(
            command, cwd=ROOT, env=os.environ | THREADS, stdout=said, stderr=subprocess.STDOUT
        )
        done, peaks = threading.Event(), [0]
        watching = threading.Thread(target=_watch, args=(child.pid, done, peaks))
        watching.start()
        _, status, used = os.wait4(child.pid, 0)
        done.set()
        watching.join()
        wall = time.perf_counter() - begun
        child.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        lines = said.read().decode(errors="replace").splitlines()
    return Cost(
        wall_seconds=wall,
        cpu_seconds=used.ru_utime + used.ru_stime,
        peak_bytes=used.ru_maxrss * 1024,
        fault=_fault(child.returncode, lines),
        own_peak_bytes=max(peaks),
    )


def _watch(process: int, done: threading.Event, peaks: list[int]) -> None:
    """Note the anonymous memory of a process until it is done."""
    status = Path(f"/proc/{process}/status")
    while not done.wait(0.1):
        with suppress(OSError):  # it is over, or this is no Linux
            for line in status.read_text().splitlines():
                if line.startswith("RssAnon:"):
                    peaks[0] = max(peaks[0], int(line.split()[1]) * 1024)


def _fault(code: int, lines: Sequence[str]) -> str:
    if code == 0:
        return ""
    if code < 0:
        return f"killed by signal {-code}" + (", as by a lack of memory" if code == -9 else "")
    return f"exit code {code}: {lines[-1] if lines else 'it said nothing'}"
