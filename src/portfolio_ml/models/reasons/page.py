"""The churn reasons as a page: `make docs-reasons` writes it to docs/reference/reasons.md."""

import re

from portfolio_ml.features.page import everything
from portfolio_ml.models.reasons.codes import BY_RULE, REASONS, spoken_for
from portfolio_ml.models.reasons.explained import LEAST_PUSH, LEAST_SHARE
from portfolio_ml.models.reasons.reason import Reason

_INTRODUCTION = """# Churn reasons

For those who call customers. Made from the code by `make docs-reasons`. `churn_reasons` of a
customer row has up to `scoring.reasons` of these codes, the strongest first, joined by a comma and
a space; null where there is none to tell. A code with a subject is told as `CODE:subject`, such as
`PROFILE:region`.

Where trees stand behind the score, a reason is as strong as what its features add to the log-odds
of churn (exact SHAP values), against the mean of the customers who stayed in the training
snapshots. It is told only if it adds at least {push}, and {share:.0%} of what all reasons add.

A reason is told only where one of its sentences is true of the customer. Else what its features add
counts for the first of the codes under "or else" that is true; else it is left untold. Where no
trees stand behind the score (`abstention`), these are told by rule, in this order, where they are
true: {rules}.

A reason says what sets a customer apart from those who stay. It is no cause: removing it need not
keep the customer.
"""
_HEAD = ("true of customers with", "sentence")


def markdown() -> str:
    """The page: a section per reason, a row per sentence."""
    rules = ", ".join(f"`{code}`" for code in BY_RULE)
    opening = _INTRODUCTION.format(rules=rules, push=LEAST_PUSH, share=LEAST_SHARE)
    return "\n".join([opening, *map(_section, REASONS)])


def _section(reason: Reason) -> str:
    names = everything().names
    features = [name for name in names if spoken_for(name, names)[0] == reason.code]
    listed = ", ".join(f"`{name.replace('kind_', 'KIND_')}`" for name in features)
    either = ", ".join(f"`{code}`" for code in reason.otherwise)
    rows = [
        _HEAD,
        ("---",) * len(_HEAD),
        *((t.condition, _plain(t.sentence)) for t in reason.tellings),
    ]
    parts = [
        f"## {reason.code}",
        "".join(f"| {' | '.join(row)} |\n" for row in rows).rstrip(),
        *([f"Features: {listed}."] if listed else []),
        *([f"Or else: {either}."] if either else []),
    ]
    return "\n\n".join(parts) + "\n"


def _plain(sentence: str) -> str:
    """The template with the features' names alone, and nouns where they are counted."""
    return re.sub(r"\{([^:}]+)(?::([^}]+))?\}", _figure, sentence)


def _figure(match: re.Match[str]) -> str:
    name, written = match.groups()
    if name == "subject":
        return "SUBJECT"
    after = {"number": "", "share": " in %", "less": " in %", "times": " + 1 times"}
    noun = after.get(written, f" {written}s")
    return f"`{name}`{noun}".replace("*", "SUBJECT")
