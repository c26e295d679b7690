"""LightGBM texts changed as a fault or an attacker would, and loaded where a crash is harmless."""

import json
import subprocess
import sys
import textwrap
from collections.abc import Sequence

from hypothesis import strategies as st

_LOADER = textwrap.dedent("""
    import json, sys
    import numpy as np
    from portfolio_ml.errors import DataError
    from portfolio_ml.models import trees

    for text in json.load(sys.stdin):
        try:
            loaded = trees.load(text)
            loaded.predict(np.ones((3, loaded.booster.num_feature()), dtype=np.float32))
        except DataError:
            print("refused")
        else:
            print("loaded")
""")


def loaded_apart(texts: Sequence[str]) -> list[str]:
    """What `trees.load` and a prediction make of each text, in a process of their own."""
    done = subprocess.run(
        [sys.executable, "-c", _LOADER],
        input=json.dumps(list(texts)),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    said = done.stdout.split()
    assert done.returncode == 0, f"ended with {done.returncode} at text {len(said)}: {done.stderr}"
    return said


def trees_of(text: str) -> list[str]:
    """The blocks of an ensemble's trees."""
    body = text.partition("\n\n")[2].partition("end of trees\n")[0]
    return [f"Tree={part}" for part in body.split("Tree=")[1:]]


def resized(text: str) -> str:
    """The text with a header that gives its trees' true sizes, as a careful attacker would."""
    sizes = " ".join(str(len(tree)) for tree in trees_of(text))
    return with_header(text, "tree_sizes", sizes)


def with_header(text: str, key: str, value: str) -> str:
    """The text with another value in its header."""
    head, blank, rest = text.partition("\n\n")
    lines = [f"{key}={value}" if line.startswith(f"{key}=") else line for line in head.split("\n")]
    return "\n".join(lines) + blank + rest


def with_field(text: str, name: str, value: str, *, tree: int = 1) -> str:
    """The text with another value in one of its trees, and true sizes."""
    blocks = trees_of(text)
    lines = blocks[tree].split("\n")
    changed = [f"{name}={value}" if line.startswith(f"{name}=") else line for line in lines]
    assert changed != lines, f"{name} is {value} already"
    return resized(text.replace(blocks[tree], "\n".join(changed)))


@st.composite
def edited(draw: st.DrawFn, text: str) -> str:
    """The text after a few edits: characters changed, passages dropped or repeated."""
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(text) - 1))
        passage = text[start : start + draw(st.sampled_from([1, 1, 1, 5, 80]))]
        put = draw(
            st.sampled_from(["", passage * 2, "9", "-", " ", "=", "\n", "\r", "\0", "e", "\u0661"])
        )
        text = text[:start] + put + text[start + len(passage) :]
    return resized(text) if draw(st.booleans()) else text
