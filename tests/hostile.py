"""Artifacts as an attacker would leave them, each built in code.

Whatever runs, when one of them is loaded by a naive reader, creates the canary file.
"""

import builtins
import gzip
import io
import json
import os
import pickle
import struct
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

import cloudpickle
import joblib
import numpy as np
from tests.model_texts import resized, with_field, with_header

from portfolio_ml.models.files import DESCRIPTION, TREES, ModelFiles

CANARY = "canary"


class Bomb:
    """Creates the canary file when it is unpickled."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[object, ...]:
        return builtins.open, (str(self.canary), "w")


# Whole files that claim to be a joblib file of bytes by name


def cloudpickled(canary: Path) -> bytes:
    """A function defined here, called when it is loaded."""

    class Late:
        def __reduce__(self) -> tuple[object, ...]:
            return (lambda: open(canary, "w")), ()  # noqa: PTH123 - it must never run

    return cloudpickle.dumps({"model.json": Late()})


def joblibbed(value: object, **options: object) -> bytes:
    """What joblib writes of a value."""
    buffer = io.BytesIO()
    joblib.dump(value, buffer, **options)
    return buffer.getvalue()


def _assembled(*parts: bytes) -> bytes:
    return b"\x80\x04" + b"".join(parts) + b"."


def _memo_bomb() -> bytes:
    """An index of the memo for which the native unpickler would take 32 GB."""
    return _assembled(b"}r", struct.pack("<I", 2**32 - 1))


def _key_of_many_tuples() -> bytes:
    """A key whose hash is computed by a recursion of a million calls."""
    return _assembled(b"}N", b"\x85" * 1_000_000, b"Ns")


PICKLES: Mapping[str, Callable[[Path, bytes], bytes]] = {
    "a pickle that opens a file": lambda canary, _: pickle.dumps(Bomb(canary)),
    "a pickle of the old protocol 0": lambda canary, _: pickle.dumps(Bomb(canary), protocol=0),
    "a pickle by protocol 2": lambda canary, _: pickle.dumps({TREES: Bomb(canary)}, protocol=2),
    "a bomb beside true bytes": lambda canary, _: pickle.dumps(
        {"model.json": b"{}", TREES: Bomb(canary)}
    ),
    "a bomb as a name": lambda canary, _: pickle.dumps({"x": 1, Bomb(canary): b""}),
    "a bomb that is dropped again": lambda canary, good: (
        good[:2] + pickle.dumps(Bomb(canary), protocol=4)[2:-1] + b"0" + good[2:]
    ),
    "a second pickle behind the first": lambda canary, good: good + pickle.dumps(Bomb(canary)),
    "a cloudpickled function": lambda canary, _: cloudpickled(canary),
    "joblib with a bomb": lambda canary, _: joblibbed({"model.json": Bomb(canary)}),
    "joblib with an array of objects": lambda canary, _: joblibbed(
        {"model.json": np.array([Bomb(canary)], dtype=object)}
    ),
    "joblib with an array of numbers": lambda *_: joblibbed({"model.json": np.zeros(3)}),
    "joblib, compressed": lambda canary, _: joblibbed({"model.json": Bomb(canary)}, compress=3),
    "a compression bomb of zlib": lambda *_: zlib.compress(bytes(50_000_000)),
    "a compression bomb of gzip": lambda *_: gzip.compress(bytes(50_000_000)),
    "a class by name": lambda *_: b"cos\nsystem\n.",
    "an instance of the oldest kind": lambda canary, _: (
        b"(S'touch " + os.fsencode(canary) + b"'\nios\nsystem\n."
    ),
    "a persistent id": lambda *_: b"Pwhatever\n.",
    "an extension's code": lambda *_: _assembled(b"\x82\x01"),
    "a memo of 32 GB": lambda *_: _memo_bomb(),
    "bytes of 8 exabytes": lambda *_: _assembled(b"\x8e", struct.pack("<Q", 2**62)),
    "a frame of 8 exabytes": lambda *_: b"\x80\x04\x95" + struct.pack("<Q", 2**62) + b"}.",
    "a million tuples as a key": lambda *_: _key_of_many_tuples(),
    "a list": lambda *_: pickle.dumps([b"{}"]),
    "text where bytes belong": lambda *_: pickle.dumps({"model.json": "{}"}),
    "numbers as names": lambda *_: pickle.dumps({1: b"{}"}),
    "a dictionary in the dictionary": lambda *_: pickle.dumps({"model.json": {"a": b""}}),
    "nothing": lambda *_: b"",
    "a cut file": lambda _, good: good[: len(good) // 2],
    "noise": lambda *_: bytes(range(256)) * 40,
    "Python source": lambda canary, _: f"open({str(canary)!r}, 'w')".encode(),
    "a member that climbs out": lambda *_: pickle.dumps({"../model.json": b"{}"}),
    "a member with an absolute name": lambda *_: pickle.dumps({"/etc/model.json": b"{}"}),
    "a member with a NUL in its name": lambda *_: pickle.dumps({"model\0.json": b"{}"}),
    "a member that is code": lambda *_: pickle.dumps({"model.py": b"import os"}),
    "a description of 21 MB": lambda *_: pickle.dumps({"model.json": bytes(21_000_000)}),
}


# Members whose digests are right, and whose content is not


def _described(name: str, value: object, *inner: str) -> Callable[[ModelFiles], ModelFiles]:
    """Another value at a place of the description."""

    def changed(files: ModelFiles) -> ModelFiles:
        document = json.loads(files[DESCRIPTION])
        place = document
        for key in (name, *inner)[:-1]:
            place = place[key]
        place[(name, *inner)[-1]] = value
        return files | {DESCRIPTION: json.dumps(document).encode()}

    return changed


def _file(name: str, content: bytes) -> Callable[[ModelFiles], ModelFiles]:
    return lambda files: files | {name: content}


def _trees(changed: Callable[[str], str]) -> Callable[[ModelFiles], ModelFiles]:
    def replaced(files: ModelFiles) -> ModelFiles:
        text = files[TREES].decode()
        other = changed(text)
        assert other != text
        return files | {TREES: other.encode()}

    return replaced


def _line(text: str, name: str, *, tree: int = 1) -> list[str]:
    block = text.split(f"Tree={tree}\n")[1]
    line = next(line for line in block.split("\n") if line.startswith(f"{name}="))
    return line.partition("=")[2].split(" ")


def _first(name: str, value: str) -> Callable[[ModelFiles], ModelFiles]:
    """A tree whose field begins with another value."""
    return _trees(
        lambda text: with_field(text, name, " ".join([value, *_line(text, name)[1:]]), tree=1)
    )


def _without(name: str) -> Callable[[ModelFiles], ModelFiles]:
    return lambda files: {key: value for key, value in files.items() if key != name}


def _frozen(value: object, *place: str) -> Callable[[ModelFiles], ModelFiles]:
    """Another value in what the portfolio froze."""

    def changed(files: ModelFiles) -> ModelFiles:
        document = json.loads(files["portfolio.json"])
        inner = document["reference"]
        for key in place[:-1]:
            inner = inner[key]
        inner[place[-1]] = value
        return files | {"portfolio.json": json.dumps(document).encode()}

    return changed


CHURN: Mapping[str, Callable[[ModelFiles], ModelFiles]] = {
    "a child that leads back": _first("left_child", "0"),
    "a child that does not exist": _first("left_child", "99999"),
    "a leaf that does not exist": _first("right_child", "-99999"),
    "a feature that does not exist": _first("split_feature", "99999"),
    "a feature below 0": _first("split_feature", "-1"),
    "a threshold that is no number": _first("threshold", "nan"),
    "a leaf without a number": _first("leaf_value", "nan"),
    "an endless leaf": _first("leaf_value", "inf"),
    "a categorical split": _first("decision_type", "1"),
    "a million leaves": _trees(lambda text: with_field(text, "num_leaves", "1000000")),
    "leaves below 0": _trees(lambda text: with_field(text, "num_leaves", "-7")),
    "categories that are not there": _trees(lambda text: with_field(text, "num_cat", "4096")),
    "linear leaves": _trees(lambda text: with_field(text, "is_linear", "1")),
    "more features": _trees(lambda text: with_header(text, "max_feature_idx", "999998")),
    "fewer features": _trees(lambda text: with_header(text, "max_feature_idx", "1")),
    "a tree of 900 kB": _trees(lambda text: with_header(text, "tree_sizes", "900000")),
    "many classes": _trees(lambda text: with_header(text, "num_class", "1000000")),
    "an objective of somebody's": _trees(lambda text: with_header(text, "objective", "custom")),
    "a cut text": _trees(lambda text: text[: len(text) // 2]),
    "a text of its last tree": _trees(lambda text: resized(text[: text.rindex("Tree=")])),
    "a text with a NUL": _trees(lambda text: text.replace("leaf_weight", "leaf\0weight", 1)),
    "a text of another encoding": _file(TREES, b"\xff\xfe tree"),
    "no text": _without(TREES),
    "no description": _without(DESCRIPTION),
    "a description nested 100,000 deep": _file(DESCRIPTION, b"[" * 100_000),
    "a description with a number of 10,000 digits": _file(
        DESCRIPTION, b'{"kind": "churn", "format": ' + b"9" * 10_000 + b"}"
    ),
    "a description that is a list": _file(DESCRIPTION, b"[]"),
    "a description with a NaN": _described("calibration", float("nan"), "intercept"),
    "a description with an endless number": _file(DESCRIPTION, b'{"kind": 1e999}'),
    "a horizon of text": _described("horizon_days", "ninety"),
    "a horizon of 400 digits": _described("horizon_days", 10**400),
    "a horizon below 0": _described("horizon_days", -90),
    "a calibration that falls": _described("calibration", -1, "slope"),
    "a calibration that is text": _described("calibration", "flat"),
    "names that are numbers": _described("names", [1, 2]),
    "names that are a text": _described("names", "p_no_purchase"),
    "other names": _described("names", ["p_no_purchase", "spend"]),
    "contributions of text": _described("stayers", ["a"]),
    "a candidate of another kind": _described("candidate", "customer_base"),
    "a candidate that is a list": _described("candidate", [["boosted"]]),
    "a loader of one's own": _described("kind", "sklearn.ensemble"),
    "no portfolio": _without("portfolio.json"),
    "a portfolio that is no JSON": _file("portfolio.json", b"\x80\x04}."),
    "a portfolio nested 100,000 deep": _file("portfolio.json", b'{"a":' * 100_000),
    "a portfolio of nothing": _file("portfolio.json", b"{}"),
    "a parameter of text": _frozen("many", "purchase_model", "r"),
    "a parameter of 400 digits": _frozen(10**400, "spend_model", "fallback_mean"),
    "a parameter below 0": _frozen(-1, "bg_nbd_model", "alpha"),
    "a model of another kind in the portfolio": _frozen("os", "purchase_model", "kind"),
    "edges of text": _frozen(["a", "b", "c"], "tier_edges"),
    "shares of text": _frozen({"region": {"north": "most"}}, "known_shares"),
    "no judgement": _without("judgement.json"),
    "a judgement that is a list": _file("judgement.json", b"[1]"),
    "a judgement nested 100,000 deep": _file("judgement.json", b"[" * 100_000),
    "a judgement of scores that are none": _file(
        "judgement.json", b'{"cutoffs": ["1998-01-01"], "scores": 7}'
    ),
    "a judgement on dates that are none": lambda files: (
        files
        | {
            "judgement.json": json.dumps(
                json.loads(files["judgement.json"]) | {"cutoffs": ["x" * 9]}
            ).encode()
        }
    ),
}


VALUE: Mapping[str, Callable[[ModelFiles], ModelFiles]] = {
    "bounds of text": _described("intervals", [["a"]], "low"),
    "edges that fall": _described("intervals", [2.0, 1.0], "tier_edges"),
    "a returned share of text": _described("returns", "much", "rate"),
    "a returned share of 400 digits": _described("returns", 10**400, "prior_spend"),
    "a returned share above 1": _described("returns", 7.0, "rate"),
    "returns that take something else": _described("returns", {"__class__": 1}),
    "an extension of another kind": _described(
        "extension", {"days": 10**9, "purchase_model": {"kind": "os.system"}}
    ),
    "amounts that churn's trees stand for": _file("amount_trees.txt", b"tree\nversion=v4\n"),
}


SEGMENTS: Mapping[str, Callable[[ModelFiles], ModelFiles]] = {
    "centres of text": _described("centres", [["a"]]),
    "centres of another shape": _described("centres", [[0.0]]),
    "ids of text": _described("ids", ["one"]),
    "a scale of 0": lambda files: _described(
        "scale", [0.0] * len(json.loads(files[DESCRIPTION])["scale"])
    )(files),
    "inputs that are no features": _described("inputs", ["a", "b", "c", "d", "e"]),
    "a churn model in their place": _described("kind", "churn"),
}

CONTENTS = {"churn": CHURN, "lifetime_value": VALUE, "segments": SEGMENTS}
