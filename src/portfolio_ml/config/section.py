"""What each section of a config is made of: frozen, no unknown keys, numbers no switches."""

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PositiveInt


def _no_switch(value: object) -> object:
    """YAML reads `on` and `no` as truth values, which would pass as 1 and 0."""
    if isinstance(value, bool):
        raise ValueError(f"input should be a number, not {str(value).lower()}")  # noqa: TRY004 - pydantic collects ValueError
    return value


ADDRESS = "an address"
"""Marks a text that is not shown as it is, as it may hold a password, but without it is."""

Url = Annotated[str, Field(repr=False), ADDRESS]


Count = Annotated[PositiveInt, BeforeValidator(_no_switch)]


Whole = Annotated[int, BeforeValidator(_no_switch)]


Number = Annotated[float, BeforeValidator(_no_switch)]


class Section(BaseModel):
    """A frozen part of the settings that knows no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")
