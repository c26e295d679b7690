"""Whether Spark can run on this machine."""

import os
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

OLDEST = 17
MODULE = "jdk.incubator.vector"


def lacks_for_spark() -> str | None:
    """What Spark needs and this machine does not have; None where it has all."""
    if find_spec("pyspark") is None:
        return "pyspark is not installed"
    home = os.environ.get("JAVA_HOME")
    java = str(Path(home) / "bin" / "java") if home else shutil.which("java")
    if java is None or not Path(java).exists():
        return "there is no Java"
    told = subprocess.run(
        [java, "--list-modules"], capture_output=True, text=True, check=False
    ).stdout
    modules = dict(line.partition("@")[::2] for line in told.splitlines())
    version = modules.get("java.base", "0").partition(".")[0]
    if int(version) < OLDEST or MODULE not in modules:
        return f"Spark needs a Java from {OLDEST} on with the module {MODULE}"
    return None
