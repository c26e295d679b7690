"""Known vulnerabilities of what is locked, as pip-audit finds them; `make audit` calls it.

pip-audit stands in an environment of its own, the argument, so that it is no part of what it looks
at. The exit code is 0 where nothing is known, or where nobody could be asked, which is said in one
line; 1 where something is known.
"""
# ruff: noqa: INP001 - a program, no module of a package

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

LOCKS = ("run.txt", "dev.txt")
TOOL = "pip-audit>=2.9,<3"
LONGEST_SECONDS = 300
"""A service that refuses by silence counts as one that does not answer."""


def main(environment: Path) -> int:
    """Look at every lock; gives the exit code."""
    if fault := _installed(environment):
        return _skipped(f"pip-audit cannot be installed: {fault}")
    known: list[str] = []
    looked_at = 0
    for name in LOCKS:
        lock = Path(__file__).with_name(name)
        command = [environment / "bin" / "pip-audit", "--requirement", lock, "--disable-pip"]
        done = _run(*command, "--require-hashes", "--progress-spinner=off", "--format=json")
        try:
            found = json.loads(done.stdout)
        except ValueError:
            return _skipped(f"the advisory service does not answer: {_last(done.stderr)}")
        known += findings(found, name)
        passed_over = [e["skip_reason"] for e in found["dependencies"] if "skip_reason" in e]
        if passed_over and len(passed_over) == len(found["dependencies"]):
            return _skipped(f"no version of {name} could be asked about: {_last(passed_over[0])}")
        looked_at += len(found["dependencies"]) - len(passed_over)
    for line in known:
        _say(line)
    _say(f"{len(known)} known vulnerabilities; {looked_at} versions of {' and '.join(LOCKS)} seen")
    return 1 if known else 0


def findings(found: dict[str, Any], lock: str) -> list[str]:
    """What pip-audit's JSON says of a lock, a line for each vulnerability."""
    return [
        f"{lock}: {each['name']} {each['version']}: {fault['id']}, "
        f"fixed in {', '.join(fault['fix_versions']) or 'no version yet'}"
        for each in found["dependencies"]
        for fault in each.get("vulns", ())
    ]


def _installed(environment: Path) -> str:
    """Install pip-audit where it is not; gives why that does not go, or nothing."""
    if (environment / "bin" / "pip-audit").exists():
        return ""
    uv = Path(sys.executable).with_name("uv")
    for command in (
        (uv, "venv", "--quiet", "--clear", "--python", sys.executable, environment),
        (uv, "pip", "install", "--quiet", "--python", environment / "bin" / "python", TOOL),
    ):
        done = _run(*command)
        if done.returncode:
            return _last(done.stderr)
    return ""


def _run(*command: str | Path) -> "subprocess.CompletedProcess[str]":
    try:
        return subprocess.run(  # noqa: S603 - no shell, and no text from outside
            command, capture_output=True, text=True, check=False, timeout=LONGEST_SECONDS
        )
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 1, "", f"nothing after {LONGEST_SECONDS} s")


def _skipped(why: str) -> int:
    _say(f"audit skipped, nothing was looked at: {why}")
    return 0


def _last(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:200] if lines else "it says nothing"


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
