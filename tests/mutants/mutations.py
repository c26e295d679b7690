"""Every mutant of a module: what mutmut would change, module-level tables included."""

import ast
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import unified_diff
from pathlib import Path

import libcst as cst
from libcst.metadata import MetadataWrapper, PositionProvider
from mutmut.mutation.file_mutation import MutationVisitor, deep_replace
from mutmut.mutation.mutators import mutation_operators, operator_string
from mutmut.mutation.pragma_handling import IgnoredCode
from tests.mutants.subjects import SOURCE

NOT_MUTATED = {"len", "isinstance"}


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change of one module.

    Attributes:
        module: Its dotted name.
        path: Its file.
        where: The function or class around the change, or "" at the module's top.
        line: Where the change is in the file, from 1.
        before: The lines that go, as they stand in the file, without their indentation.
        after: The lines that come.
        source: The whole module with the change.
    """

    module: str
    path: Path
    where: str
    line: int
    before: str
    after: str
    source: str

    @property
    def name(self) -> str:
        """What tells it from others while the lines themselves stay as they are."""
        text = f"{self.module}\n{self.where}\n{self.before}\n{self.after}"
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def shown(self) -> str:
        """The change, to be read by people."""
        gone = "\n".join(f"    - {line}" for line in self.before.splitlines())
        come = "\n".join(f"    + {line}" for line in self.after.splitlines())
        place = f"{self.module}:{self.line} {self.where}".rstrip()
        return f"  {self.name}  {place}\n{gone}\n{come}"


def _one_string(node: cst.BaseString) -> list[cst.BaseString]:
    """A text in marks, not in capitals too: to DuckDB a column in capitals is the same one."""
    return list(operator_string(node))[:1]


OPERATORS = [
    (kind, _one_string if change is operator_string else change)
    for kind, change in mutation_operators
]


class _Visitor(MutationVisitor):
    """mutmut's mutations. Ours are whole modules, so that properties and tables mutate too."""

    def _skip_node_and_children(self, node: cst.CSTNode) -> bool:
        if isinstance(node, cst.Annotation | cst.Decorator | cst.Import | cst.ImportFrom):
            return True
        is_named_call = isinstance(node, cst.Call) and isinstance(node.func, cst.Name)
        return is_named_call and node.func.value in NOT_MUTATED


def dotted(path: Path) -> str:
    """A file's module."""
    return ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")


def unchanged(path: Path) -> Mutant:
    """The module as it is, which every test must let pass."""
    return Mutant(dotted(path), path, "", 1, "", "", path.read_text())


def mutants(path: Path) -> Iterator[Mutant]:
    """The mutants of one file that are still Python, in the order of its lines."""
    text = path.read_text()
    wrapper = MetadataWrapper(cst.parse_module(text))
    visitor = _Visitor(OPERATORS, IgnoredCode(set(), set(), set()))
    module = wrapper.visit(visitor)
    places = wrapper.resolve(PositionProvider)
    scopes = list(_scopes(ast.parse(text)))
    parts = [module.code_for_node(statement) for statement in module.body]
    begin = text.index("".join(parts))  # after the comments at the file's top
    starts = [begin + sum(map(len, parts[:place])) for place in range(len(parts))]
    for mutation in visitor.mutations:
        line = places[mutation.original_node].start.line
        at = next(n for n, node in enumerate(module.body) if places[node].end.line >= line)
        changed = deep_replace(module.body[at], mutation.original_node, mutation.mutated_node)
        part = module.code_for_node(changed)
        if part == parts[at] or not _is_python(part):
            continue
        before, after = _change(parts[at], part)
        source = text[: starts[at]] + part + text[starts[at] + len(parts[at]) :]
        within = ".".join(name for name, first, last in scopes if first <= line <= last)
        yield Mutant(dotted(path), path, within, line, before, after, source)


def _change(text: str, source: str) -> tuple[str, str]:
    diff = [*unified_diff(text.splitlines(), source.splitlines(), n=0, lineterm="")][2:]
    before = [line[1:].strip() for line in diff if line.startswith("-")]
    after = [line[1:].strip() for line in diff if line.startswith("+")]
    return "\n".join(before), "\n".join(after)


def _scopes(tree: ast.AST) -> Iterator[tuple[str, int, int]]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name, node.lineno, node.end_lineno or node.lineno
        yield from _scopes(node)


def _is_python(source: str) -> bool:
    try:
        compile(source, "<mutant>", "exec")
    except (SyntaxError, ValueError):
        return False
    return True
