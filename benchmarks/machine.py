"""What a benchmark runs on."""

import os
import platform
from collections.abc import Iterable
from importlib.metadata import version


def machine(packages: Iterable[str]) -> list[str]:
    """What this runs on, a fact each; last the versions of the packages that matter."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return [
        f"{os.cpu_count()} CPUs",
        f"{memory:.0f} GB of memory",
        f"{platform.system()} {platform.machine()}",
        f"Python {platform.python_version()}",
        ", ".join(f"{name} {version(name)}" for name in packages),
    ]
