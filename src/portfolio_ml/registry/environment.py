"""What a run was made with: the packages' versions, and the commit of the working folder."""

import platform
import re
import subprocess
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

PACKAGE = "portfolio-ml"
_ANSWER_SECONDS = 10


def packages() -> dict[str, str]:
    """The versions of Python, of this package and of what it requires, by name.

    Example:
        >>> packages()["lightgbm"] == version("lightgbm")
        True
    """
    found = {"python": platform.python_version(), PACKAGE: version(PACKAGE)}
    for requirement in requires(PACKAGE) or ():
        (name,) = re.findall(r"^[\w.-]+", requirement)
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # one of an extra
            continue
    return found


def commit(folder: Path) -> str | None:
    """The commit that a folder's git checkout is at, with `-dirty` where files differ from it.

    None where the folder is in no checkout, or there is no git.
    """
    command = ["git", "-C", str(folder), "describe", "--always", "--dirty", "--abbrev=40"]
    try:
        done = subprocess.run(  # noqa: S603 - a fixed command
            [*command, "--exclude=*"],
            capture_output=True,
            text=True,
            timeout=_ANSWER_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None if done.returncode == 0 else None
