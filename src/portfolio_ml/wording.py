"""Words for people: counts with their nouns, models and targets by name, commands to type.

None of it goes into JSON, a table or a file that a program reads: there the keys stand.
"""

import shlex
from pathlib import Path

TARGET_NAMES = {
    "churn": "Churn",
    "lifetime_value": "Lifetime value",
    "segments": "Segments",
}

_MODELS = {
    "blend": "blend (trees + customer base)",
    "boosted": "boosted trees",
    "customer_base": "customer-base model",
    "pareto_nbd": "Pareto/NBD",
    "pareto_nbd_gamma_gamma": "Pareto/NBD + Gamma-Gamma",
    "past_spend": "net spend so far",
    "past_margin": "margin so far",
    "recency": "days since last purchase",
}
_VALUES = {"revenue": "net spend", "margin": "margin"}
_PERSISTENCE = {"churn": "recent purchase days", "lifetime_value": "recent spend"}


def counted(count: int, noun: str, plural: str | None = None) -> str:
    """A count with its noun, in the singular or the plural.

    Example:
        >>> counted(1, "row"), counted(54_190, "row"), counted(0, "entry", "entries")
        ('1 row', '54,190 rows', '0 entries')
    """
    return f"{count:,} {noun if count == 1 else plural or f'{noun}s'}"


def model_name(name: str, target: str) -> str:
    """A candidate or baseline, as people call it.

    Example:
        >>> model_name("persistence", "churn"), model_name("next_big_thing", "churn")
        ('recent purchase days', 'next big thing')
    """
    if name == "persistence" and target in _PERSISTENCE:
        return _PERSISTENCE[target]
    return _MODELS.get(name, name.replace("_", " "))


def value_name(measure: str) -> str:
    """What a customer's value is, as people call it.

    Example:
        >>> value_name("revenue"), value_name("margin")
        ('net spend', 'margin')
    """
    return _VALUES[measure]


def command(name: str, config: Path | str) -> str:
    """What to type for a command on a config.

    Example:
        >>> command("train", "my shop.yaml")
        "portfolio-ml train --config 'my shop.yaml'"
    """
    return f"portfolio-ml {name} --config {shlex.quote(str(config))}"
