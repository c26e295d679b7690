"""What a check-up found, as plain values for `--json`, and in lines for people."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.text import Text

from portfolio_ml.checkup import Check, State, worst
from portfolio_ml.cli.printing import console, print_line
from portfolio_ml.wording import counted

_STYLES: dict[State, str] = {"ok": "green", "warning": "yellow", "fault": "bold red"}
_PLURALS: dict[State, tuple[str, str]] = {
    "fault": ("fault", "faults"),
    "warning": ("warning", "warnings"),
    "ok": ("ok", "ok"),
}
_STATE_LETTERS = 8


def checks(found: Sequence[Check]) -> dict[str, Any]:
    """Every check, and the exit code of the worst."""
    return {"exit_code": worst(found), "checks": [asdict(check) for check in found]}


def print_checks(found: Sequence[Check]) -> None:
    """A line for each check, below it what to do, and at the end how many of each there are."""
    area = ""
    for check in found:
        if check.area != area:
            area = check.area
            console().print(Text(area, style="bold"))
        _print(check)
    counts = Counter(check.state for check in found)
    told = [counted(counts[state], *names) for state, names in _PLURALS.items() if counts[state]]
    print_line(f"\n{', '.join(told)}")


def _print(check: Check) -> None:
    """A check, its lines broken under its text where the terminal is too narrow for them."""
    on = console()
    lines = [f"{check.subject}: {check.saw}"]
    if check.do:
        lines.append(f"{check.do[:1].upper()}{check.do[1:]}")
    state = f"  {check.state:<{_STATE_LETTERS}}"
    room = max(on.width - len(state), 20)
    wrapped = [part for line in lines for part in Text(line).wrap(on, room)]
    for place, part in enumerate(wrapped):
        part.rstrip()
        head = Text.styled(state, _STYLES[check.state]) if not place else Text(" " * len(state))
        on.print(head.append_text(part), soft_wrap=True)
