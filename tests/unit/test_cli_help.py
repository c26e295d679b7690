"""The help: what it teaches, in which order, at any width; and what shells complete."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from portfolio_ml.cli import app, completion
from portfolio_ml.cli.walk import PAGES, PARTS
from portfolio_ml.portfolio.catalogue import contracts

pytestmark = pytest.mark.unit

COMMANDS = [name.split() for name in PAGES]


def shown(capsys, *arguments):
    assert app.run([*arguments, "--help"]) == 0
    return capsys.readouterr().out


def test_the_commands_stand_by_their_part_of_the_walk(capsys):
    lines = shown(capsys).splitlines()
    heads = [line.rstrip(":") for line in lines if line.endswith(":") and line[0] != " "]
    assert heads == [*PARTS, "Options"]
    listed = [line.split()[0] for line in lines if line.startswith("  ") and line[2] not in " -"]
    commands = [name for name in listed if name in {n.split()[0] for n in PAGES}]
    assert commands == [*dict.fromkeys(n.split()[0] for n in PAGES)]


def test_a_newcomer_is_told_what_to_type_first_and_what_the_exit_codes_mean(capsys):
    told = shown(capsys)
    assert "  portfolio-ml demo\n" in told
    assert "portfolio-ml init --transactions sales.csv" in told
    assert all(f"{code} " in told for code in (0, 2, 65, 69, 75, 78, 99, 130))


@pytest.mark.parametrize("name", COMMANDS, ids=" ".join)
def test_every_command_tells_what_it_reads_and_writes_and_an_example(capsys, name):
    told = shown(capsys, *name)
    assert "Reads: " in told
    assert "Writes: " in told
    assert f"Example: portfolio-ml {' '.join(name)}" in " ".join(told.split())
    heads = [line for line in told.splitlines() if line.endswith(":") and line[0] != " "]
    assert heads[-1] == "Output:"
    assert not [line for line in told.splitlines() if "<" in line or "x>=" in line]


@pytest.mark.parametrize("name", COMMANDS, ids=" ".join)
def test_a_page_that_the_help_names_is_there(capsys, name):
    root = Path(__file__).parents[2]
    named = re.findall(r"docs/[\w./-]+\w", shown(capsys, *name))
    assert [page for page in named if not (root / page).is_file()] == []


@pytest.mark.parametrize("width", ["60", "80", "120", "200"])
def test_no_sentence_is_cut_and_no_line_too_wide(capsys, monkeypatch, width):
    monkeypatch.setenv("COLUMNS", width)
    for name in ([], ["score"]):
        told = shown(capsys, *name)
        assert "..." not in told.partition("COMMAND [ARGS]...")[2]
        assert max(map(len, told.splitlines())) <= int(width)


def completed(monkeypatch, capsys, line, shell="bash"):
    """What a shell is offered after a line, asked for as its completion script does."""
    words = line.split(" ")
    for name, value in {
        "_PORTFOLIO_ML_COMPLETE": f"complete_{shell}",
        "COMP_WORDS": "\n".join(words),
        "COMP_CWORD": str(len(words) - 1),
        "_TYPER_COMPLETE_ARGS": line,
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
    }.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit):
        app.run([])
    return [each for each in capsys.readouterr().out.splitlines() if each]


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("portfolio-ml tr", ["train"]),
        ("portfolio-ml models ver", ["verify"]),
        ("portfolio-ml score --dr", ["--dry-run"]),
        ("portfolio-ml promote li", ["lifetime_value"]),
        ("portfolio-ml monitor --fail-on ", ["watch", "retrain"]),
        ("portfolio-ml tune --target b", ["both"]),
        ("portfolio-ml demo c", ["cdnow"]),
        ("portfolio-ml portfolio --figure month", ["monthly_flow"]),
        ("portfolio-ml train --config s", ["shop.yaml", "shops/north.yml"]),
        ("portfolio-ml train --config shops/", ["shops/north.yml"]),
        ("portfolio-ml train --config x", []),
    ],
)
def test_names_that_the_package_knows_are_completed(monkeypatch, capsys, tmp_path, line, offered):
    (tmp_path / "shops").mkdir()
    for name in ("shop.yaml", "shop.csv", "shops/north.yml", "shops/north.csv", ".hidden.yaml"):
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    assert completed(monkeypatch, capsys, line) == offered


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_are_told_what_the_names_mean(monkeypatch, capsys, shell):
    [line] = completed(monkeypatch, capsys, "portfolio-ml back", shell)
    assert "backtest" in line
    assert "Refit at past cutoffs" in line


def test_the_figures_that_are_completed_are_those_that_there_are():
    assert [*completion.FIGURES] == [contract.name for contract in contracts()][:-1]


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_a_bash_with_the_script_completes(tmp_path):
    program = Path(sys.executable).with_name("portfolio-ml")
    script = (
        f'eval "$(_PORTFOLIO_ML_COMPLETE=source_bash "{program}")"\n'
        f'COMP_WORDS=("{program}" ver) COMP_CWORD=1\n'
        f'COMP_WORDS[1]=vali\n_portfolio_ml_completion "{program}"\necho "${{COMPREPLY[@]}}"\n'
    )
    done = subprocess.run(
        ["bash", "--norc", "-c", script],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={**os.environ},
    )
    assert done.stdout.split() == ["validate"], done.stderr
