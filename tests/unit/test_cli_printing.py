"""What is printed: tables that fit a terminal, and are whole in a pipe; colour where wanted."""

import io

import pyarrow as pa
import pytest

from portfolio_ml.cli.printing import console_on, print_pairs, print_sentence, print_table
from portfolio_ml.display import SmallTable
from portfolio_ml.figure_tables import figure_tables
from portfolio_ml.portfolio.concentration import LORENZ
from portfolio_ml.portfolio.figure import Figure
from portfolio_ml.portfolio.flow.cohorts import COHORTS
from portfolio_ml.portfolio.flow.monthly_flow import MONTHLY_FLOW

pytestmark = pytest.mark.unit

REASON = "91 % likely not to buy within 77 days: no purchase for 131 days, longer than ever before"
LIST = SmallTable.of(
    "Whom to contact", ["customer", "reason", "amount"], [["K0218", REASON, "1,205.22"]] * 2
)


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self):
        return True


@pytest.fixture
def terminal(monkeypatch):
    """What is printed on a terminal of some width."""

    def at(width, print_it):
        stream = Terminal()
        monkeypatch.setattr("sys.stdout", stream)
        monkeypatch.setenv("COLUMNS", str(width))
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.setenv("NO_COLOR", "1")
        print_it()
        return stream.getvalue()

    return at


@pytest.mark.parametrize("width", [20, 60, 80, 120, 200])
def test_a_table_fits_the_terminal_and_loses_no_word(terminal, width):
    shown = terminal(width, lambda: print_table(LIST))
    assert max(map(len, shown.splitlines())) <= width
    for word in (*REASON.split(), "1,205.22", "K0218"):
        assert word in shown
    assert "…" not in shown


def test_columns_of_numbers_go_below_each_other_where_they_find_no_room(terminal):
    dates = ["2025-02-07", "2025-04-25", "2025-07-11", "mean", "gain"]
    figures = ["0.839", "0.863", "0.909", "0.870", "+0.002 (-0.000, +0.004)"]
    table = SmallTable.of("Churn", ["", *dates], [["blend (trees + customer base)", *figures]])
    wide, narrow = (terminal(width, lambda: print_table(table)) for width in (110, 60))
    assert wide.count("blend") == 1
    assert narrow.count("blend") == 2
    assert max(map(len, narrow.splitlines())) <= 60
    assert all(figure in narrow for figure in figures)


def test_in_a_pipe_each_row_is_one_line_whatever_the_width_is(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    print_table(LIST)
    assert capsys.readouterr().out.splitlines()[2] == f"K0218     {REASON}  1,205.22"


def test_names_and_values_are_whole_in_a_pipe(capsys):
    print_pairs("Where", {"report": "x" * 300, "runs": "y"})
    assert f"  report  {'x' * 300}\n  runs    y\n" in capsys.readouterr().out


def test_a_sentence_is_broken_between_words_on_a_terminal(terminal):
    assert terminal(40, lambda: print_sentence(REASON)).count("\n") == 3


def test_a_sentence_is_one_line_in_a_pipe(capsys):
    print_sentence(REASON, indent=2)
    assert capsys.readouterr().out == f"  {REASON}\n"


@pytest.mark.parametrize(
    ("is_terminal", "variables", "coloured"),
    [
        (True, {}, True),
        (True, {"NO_COLOR": "1"}, False),
        (False, {}, False),
        (False, {"FORCE_COLOR": "1"}, True),
        (False, {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
    ],
)
def test_colour_is_for_terminals_and_those_who_ask(monkeypatch, is_terminal, variables, coloured):
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    stream = Terminal() if is_terminal else io.StringIO()
    console_on(stream).print("[red]fault[/red]")
    assert ("\x1b" in stream.getvalue()) == coloured


def figure(contract, rows):
    return Figure(contract, "Title", pa.Table.from_pylist(rows, schema=contract.arrow))


def test_of_the_monthly_flow_the_newest_months_come_first():
    months = figure(MONTHLY_FLOW, [{"month": f"2024-{m:02}", "lost": m} for m in range(1, 13)])
    [table] = figure_tables(months, rows=3, width=80)
    assert table.caption == "Title (the newest 3 of 12)"
    assert [row[0] for row in table.rows] == ["2024-12", "2024-11", "2024-10"]


def test_of_a_curve_points_all_along_it_are_shown():
    points = [
        {"moment": moment, "point": f"{p:03}", "customer_share": p / 100}
        for moment in ("now", "then")
        for p in range(101)
    ]
    [table] = figure_tables(figure(LORENZ, points), rows=5, width=80)
    assert [row[:2] for row in table.rows] == [
        ("now", point) for point in ("020", "040", "060", "080", "100")
    ]


def test_a_period_in_which_no_cohort_bought_is_told():
    shares = (("0001-0090", 0.5), ("0091-0180", 0.0), ("0181-0270", 0.25), ("0271-0360", None))
    rows = [
        {"cohort": f"2024-Q{q}", "period": period, "customers": 10, "share": share}
        for q in (1, 2)
        for period, share in shares
    ]
    [table] = figure_tables(figure(COHORTS, rows), rows=2, width=80)
    assert table.names == ("cohort", "customers", "1-90", "91-180", "181-270")
    assert table.rows[0] == ("2024-Q1", "10", "50%", "0%", "25%")


def test_cohorts_have_a_line_each_with_what_share_still_bought():
    rows = [
        {"cohort": f"2024-Q{q}", "period": period, "customers": 10 * q, "share": share}
        for q in (1, 2, 3)
        for period, share in (("0001-0090", 0.5), ("0091-0180", 0.25 if q < 3 else None))
    ]
    [table] = figure_tables(figure(COHORTS, rows), rows=2, width=80)
    assert table.names == ("cohort", "customers", "1-90", "91-180")
    assert table.rows == (("2024-Q2", "20", "50%", "25%"), ("2024-Q3", "30", "50%", ""))
    assert "the newest 2 of 3" in table.caption
