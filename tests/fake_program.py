"""A stand-in for `portfolio-ml` that ends with the exit codes it is given, one a call."""

from pathlib import Path

SCRIPT = """#!/bin/sh
folder={folder}
echo "$*" >>"$folder/calls"
env >"$folder/environment"
echo "progress of $1" >&2
plan="$folder/$1.plan"
code=0
if [ -s "$plan" ]; then
    code=$(head -n 1 "$plan")
    rest=$(tail -n +2 "$plan")
    [ -z "$rest" ] || printf '%s\\n' "$rest" >"$plan" # the last code stays
fi
[ "$code" = kill ] && kill -9 $$
if [ "$code" = hang ]; then
    sleep 60 &
    sleeper=$!
    trap 'echo "$1 was stopped" >>"$folder/calls"; kill $sleeper; exit 130' TERM
    echo "$$" >"$folder/pid"
    wait
fi
echo "{{\\"command\\": \\"$1\\"}}"
exit "$code"
"""


class FakeProgram:
    """The stand-in, in a folder that a test puts on the PATH."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        program = folder / "portfolio-ml"
        program.write_text(SCRIPT.format(folder=folder))
        program.chmod(0o755)

    def will_end(self, **codes: list[int | str]) -> None:
        """Plan each command's exit codes, forgetting what was; `hang` waits for a
        signal, `kill` ends as by the kernel's hand."""
        for old in (*self.folder.glob("*.plan"), self.folder / "calls", self.folder / "pid"):
            old.unlink(missing_ok=True)
        for command, ends in codes.items():
            plan = self.folder / f"{command}.plan"
            plan.write_text("".join(f"{end}\n" for end in ends))

    @property
    def calls(self) -> list[str]:
        """The command lines that it was called with, and the commands that were stopped."""
        log = self.folder / "calls"
        return log.read_text().splitlines() if log.exists() else []

    @property
    def is_hanging(self) -> bool:
        """Whether it waits for a signal."""
        return (self.folder / "pid").exists()
