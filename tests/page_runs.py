"""A reader who does what a page says, from top to bottom, in a folder."""

import contextlib
import doctest
import io
import itertools
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import typer
import yaml
from tests.examples import is_long
from tests.page_blocks import Block, Typed, blocks, differs, typed

import portfolio_ml
from portfolio_ml.cli import app
from portfolio_ml.config import load_settings
from portfolio_ml.errors import PortfolioError

ROOT = Path(__file__).parents[1]
PROJECT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
COMMANDS = typer.main.get_command(app.app).commands
PROGRESS = re.compile(r"^\d\d:\d\d:\d\d  .*\n?", re.MULTILINE)
SHELL = re.compile(r"[|<>&;`]|\$\(")
FOLDER = "/home/you/sales"
"""What the pages call the folder that their reader works in."""

PLAIN = {"name": "sales", "data": {"transactions": {"source": "sales.csv"}}}
"""What a part of a config is put into, to see whether it is one."""


@dataclass
class Reader:
    """One page's reader.

    Attributes:
        folder: Where the reader works.
        here: What stands here for what the page names, such as an address: pattern to text.
        there: What the page says of what is here, such as a folder's name.
        already: Commands that were run before, with their exit codes and what they printed.
        variables: What the reader has exported.
        names: What Python has defined so far.
        printed: What the last block printed.
    """

    folder: Path
    here: Mapping[str, str] = field(default_factory=dict)
    there: Mapping[str, str] = field(default_factory=dict)
    already: Mapping[str, tuple[int, str]] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)
    names: dict[str, object] = field(default_factory=lambda: {"__name__": "__main__"})
    printed: str = ""

    def follows(self, page: Path) -> None:
        """Do what each block says; a block that does not do as the page says fails."""
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(self.folder)
            patch.syspath_prepend(self.folder)
            patch.setenv("COLUMNS", "88")
            for block in blocks(page):
                for name, value in self.variables.items():
                    patch.setenv(name, value)
                try:
                    self._does(block)
                except (AssertionError, PortfolioError, pytest.fail.Exception) as fault:
                    pytest.fail(f"{block.place}: {fault}", pytrace=False)
        for name in (file.stem for file in self.folder.glob("*.py")):
            sys.modules.pop(name, None)  # another page's file of that name is another module

    def _does(self, block: Block) -> None:
        text = replaced(block.text, self.here)
        if "file" in block.notes:
            (self.folder / block.notes["file"]).write_text(text, encoding="utf-8")
        elif block.language in {"", "text"}:
            if "printed" in block.notes:
                self._shows(block, tuple(text.splitlines()), self.printed)
        elif "run" in block.notes and not is_long():
            checked(block)
        elif "not run" in block.notes:
            assert len(block.notes["not run"].split()) > 2, "say why it is not run"
            checked(block)
        elif block.language == "console":
            self._types(block, typed(text))
        else:
            getattr(self, f"_reads_{block.language}")(block, text)

    # A console.

    def _types(self, block: Block, commands: list[Typed]) -> None:
        self.printed = ""
        codes = [int(code) for code in block.notes.get("exit codes", "0").split(", ")]
        for number, command in enumerate(commands):
            code, out = self._runs(command.line)
            out = replaced(out, {re.escape(str(self.folder)): FOLDER, **self.there})
            wanted = codes[min(number, len(codes) - 1)]
            assert code == wanted, f"{command.line} ended with {code}: {out}"
            if command.shown:
                self._shows(block, command.shown, out)
            self.printed += out

    def _runs(self, line: str) -> tuple[int, str]:
        words = shlex.split(line, comments=True)
        if shlex.join(words) in self.already:
            return self.already[shlex.join(words)]
        if words[0] == "export":
            _, told = shell(f"{line}; env -0")
            for name in re.findall(r"\b(\w+)=", line):
                value = re.search(rf"(?:^|\0){name}=([^\0]*)", told)
                if value:
                    os.environ[name] = self.variables[name] = value[1]
            return 0, ""
        if words[0] == "cd":
            os.chdir(words[1])
            return 0, ""
        if words[0] in {"pip", "make", "."} or words[1:3] == ["-m", "venv"]:
            known(words)  # the environment is there
            return 0, ""
        if words[0] == "portfolio-ml" and not SHELL.search(line.partition(" #")[0]):
            out, err = io.StringIO(), io.StringIO()
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                code = app.run([*map(os.path.expandvars, words[1:])])
            return code, out.getvalue() + PROGRESS.sub("", err.getvalue())
        return shell(line)

    def _shows(self, block: Block, shown: tuple[str, ...], printed: str) -> None:
        figures = is_long() or "figures" not in block.notes
        if block.notes.get("figures") == "as shipped" and not is_long():
            return
        told = replaced("\n".join(shown), self.there).split("\n")
        assert (why := differs(told, printed, figures=figures)) is None, why

    # Languages.

    def _reads_python(self, block: Block, text: str) -> None:
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            exec(compile(text, block.place, "exec"), self.names)
        self.printed = out.getvalue()

    def _reads_pycon(self, block: Block, text: str) -> None:
        example = doctest.DocTestParser().get_doctest(text, self.names, block.place, None, 0)
        if "figures" in block.notes and not is_long():
            self._reads_python(block, "".join(part.source for part in example.examples))
            return
        out = io.StringIO()
        runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
        runner.run(example, out=out.write, clear_globs=False)
        assert not runner.failures, out.getvalue()
        self.names.update(example.globs)

    def _reads_yaml(self, block: Block, text: str) -> None:
        part = yaml.safe_load(text)
        whole_config(part, text, self.folder)
        if "into" in block.notes:
            config = self.folder / block.notes["into"]
            written = yaml.safe_load(config.read_text(encoding="utf-8"))
            config.write_text(yaml.safe_dump({**written, **part}, sort_keys=False))

    def _reads_sh(self, block: Block, text: str) -> None:
        code, self.printed = shell(text)
        assert code == int(block.notes.get("exit codes", 0)), self.printed


def replaced(text: str, by: Mapping[str, str]) -> str:
    """The text with each pattern's finds replaced."""
    for pattern, really in by.items():
        text = re.sub(pattern, really, text)
    return text


def shell(line: str) -> tuple[int, str]:
    """What a line ends with and prints where a shell runs it, with the package at hand."""
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-c", line], capture_output=True, text=True, env=environment, check=False
    )
    return done.returncode, done.stdout + PROGRESS.sub("", done.stderr)


def known(words: list[str]) -> None:
    """Extras and targets that a line names are there; nothing is installed or made."""
    for target in (word for word in words[1:] if words[0] == "make"):
        assert target in TARGETS, f"the Makefile has no {target}"
    for extras in re.findall(r"portfolio-ml\[([\w,-]+)\]", " ".join(words)):
        for extra in extras.split(","):
            assert re.search(rf"^{extra} = \[", PROJECT, re.MULTILINE), f"no extra {extra}"


def checked(block: Block) -> None:
    """What is not run is looked at as far as it can be: does it parse, is what it names there?"""
    if block.language == "console":
        for command in typed(block.text):
            parsed(command.line)
    elif block.language == "python":
        compile(block.text, block.place, "exec")
        missing = [name for name in re.findall(r"\bpml\.(\w+)", block.text) if not named(name)]
        assert not missing, f"portfolio_ml has no {missing[0]}"
    elif block.language == "yaml":
        list(yaml.safe_load_all(block.text))
    elif block.language == "sh":
        subprocess.run(["bash", "-n", "-c", block.text], check=True)


def named(name: str) -> bool:
    """Whether the package has this name in public."""
    return name in portfolio_ml.__all__


def parsed(line: str) -> None:
    """A line that a shell takes, and whose `portfolio-ml` the command line takes."""
    subprocess.run(["bash", "-n", "-c", line], check=True)
    words = shlex.split(line, comments=True)
    if words[0] in {"pip", "make"}:
        known(words)
    if words[:1] != ["portfolio-ml"] or words[1].startswith("--"):
        return
    its_own = itertools.takewhile(lambda word: word not in {">", ">>", "|", "&&", "2>"}, words[2:])
    command, rest = COMMANDS.get(words[1]), [*its_own]
    assert command is not None, f"there is no command {words[1]}"
    if hasattr(command, "commands"):
        command, rest = command.commands[rest[0]], rest[1:]
    try:
        command.make_context(words[1], rest)
    except app.USAGE_ERROR as error:
        pytest.fail(error.format_message())


def whole_config(part: Mapping[str, object], text: str, folder: Path) -> None:
    """Whether it is a config, or a part of one, with any secret for each `${NAME}`."""
    config = folder / ".part.yaml"
    config.write_text(yaml.safe_dump(merged(PLAIN, part)), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        for name in re.findall(r"\$\{(\w+)\}", text):
            patch.setenv(name, os.environ.get(name, "secret"))
        load_settings(config)
    config.unlink()


def merged(below: Mapping[str, object], above: Mapping[str, object]) -> dict[str, object]:
    """One mapping laid over another, section by section."""
    both = {**below, **above}
    for name, value in above.items():
        under = below.get(name)
        if isinstance(value, Mapping) and isinstance(under, Mapping):
            both[name] = merged(under, value)
    return both
