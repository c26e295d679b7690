"""How far a command is: plain lines in a pipe, a moving line on a terminal, nothing if quiet."""

import io

import pytest
from rich.console import Console

from portfolio_ml.cli.progress import Lines, Moving, Pace, telling
from portfolio_ml.steps import Step, numbered, told, within

pytestmark = pytest.mark.unit


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self):
        return True


@pytest.fixture
def moment(monkeypatch):
    """The stopwatch's moment, which a test sets."""
    now = [100.0]
    monkeypatch.setattr("portfolio_ml.cli.progress.monotonic", lambda: now[0])
    return now


def moving(width):
    return Moving(Console(file=io.StringIO(), force_terminal=True, width=width))


def drawn(line, width):
    console = Console(file=io.StringIO(), width=width)
    console.print(line.line())
    return console.file.getvalue().rstrip("\n")


def test_outside_a_terminal_each_step_is_one_line_however_often_it_is_told(capsys):
    lines = Lines()
    progress = told(lines.tell, "computing features")
    for share in (0.2, 0.6, 1.0):
        progress(share)
    lines.tell("judging")
    shown = capsys.readouterr()
    assert [line[10:] for line in shown.err.splitlines()] == ["computing features", "judging"]
    assert shown.out == ""


def test_equal_steps_are_numbered_and_their_parts_count():
    shares = []
    step = numbered("delivering", 2, 4, work="delivery")
    within(lambda each: shares.append((each.share, str(each))), step, 4)(0.5)
    assert shares == [(0.375, "delivering (2 of 4)")]


@pytest.mark.parametrize(("dumb", "lines"), [("dumb", 1), ("unknown", 1)])
def test_a_terminal_that_cannot_move_gets_lines(monkeypatch, dumb, lines):
    stream = Terminal()
    monkeypatch.setattr("sys.stderr", stream)
    monkeypatch.setenv("TERM", dumb)
    with telling(quiet=False) as say:
        say("loading")
    assert "\x1b" not in stream.getvalue()
    assert len(stream.getvalue().splitlines()) == lines


def test_quiet_is_silent_on_a_terminal_too(monkeypatch):
    stream = Terminal()
    monkeypatch.setattr("sys.stderr", stream)
    with telling(quiet=True) as say:
        say("loading")
    assert stream.getvalue() == ""


def test_on_a_terminal_what_is_done_stays_with_what_it_took(monkeypatch, moment):
    stream = Terminal()
    monkeypatch.setattr("sys.stderr", stream)
    monkeypatch.setenv("TERM", "xterm")
    with telling(quiet=False) as say:
        say("loading")
        moment[0] += 65
        say("judging")
        moment[0] += 2
    assert "loading  1:05" in stream.getvalue()
    assert "judging  0:02" in stream.getvalue()


def test_nothing_is_said_of_what_remains_before_a_part_is_done(moment):
    line = moving(80)
    line.tell(numbered("refitting", 1, 3, work="backtest"))
    moment[0] += 30
    assert "left" not in drawn(line, 80)
    line.tell("logging")
    assert "left" not in drawn(line, 80)


def test_what_remains_follows_from_the_pace_so_far(moment):
    line = moving(80)
    line.tell(numbered("refitting", 1, 3, work="backtest"))
    moment[0] += 30
    line.tell(numbered("refitting", 2, 3, work="backtest"))
    moment[0] += 10
    assert drawn(line, 80).endswith("0:40, about 0:50 left")


def test_work_that_is_late_promises_nothing():
    pace = Pace("scoring", 0.0, 0.0)
    pace.reached(0.5, 10.0)
    assert pace.told(15.0, since=0.0) == "0:15, about 0:05 left"
    assert pace.told(30.0, since=0.0) == "0:30"


@pytest.mark.parametrize("width", [40, 60, 120])
def test_the_moving_line_is_one_line_at_any_width(moment, width):
    line = moving(width)
    line.tell(Step("computing features and outcomes at 14 dates of the history", 0.0))
    moment[0] += 10
    line.tell(Step("computing features and outcomes at 14 dates of the history", 0.25))
    told_line = drawn(line, width)
    assert "\n" not in told_line
    assert len(told_line) <= width
    assert told_line.endswith("0:10, about 0:30 left")
