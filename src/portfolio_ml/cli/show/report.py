"""What `portfolio-ml report` says of the page that it wrote."""

from typing import Any

from portfolio_ml.cli.printing import print_rows
from portfolio_ml.pipeline import Reported


def reported(done: Reported) -> dict[str, Any]:
    """The page in short, for `--json`: where it is, whom it shows, and what it says first."""
    facts, people, today = done.facts, done.facts.people, done.facts.today
    headline = facts.headline
    return {
        "file": str(done.page),
        "facts": str(done.data),
        "bytes": done.page.stat().st_size,
        "as_of": facts.as_of,
        "customers": headline.customers,
        "active_customers": headline.active_customers,
        "value_at_risk": headline.value_at_risk,
        "worth_attention": 0 if people is None else people.worth_attention,
        "shown": 0 if people is None else len(people.shown),
        "to_contact_today": 0 if today is None else today.lines - today.held_out,
    }


def print_reported(done: Reported) -> None:
    """Where the page and its facts are, and how many customers can be opened on it."""
    people = done.facts.people
    shown = "" if people is None else f"{len(people.shown):,} of {people.worth_attention:,}"
    told = {"file": str(done.page), "facts": str(done.data), "customers one by one": shown}
    print_rows({name: value for name, value in told.items() if value})
