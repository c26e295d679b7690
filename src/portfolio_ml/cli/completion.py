"""What a shell completes: config files, and names that the package knows.

A shell asks at every press of a key, so nothing here opens a portfolio. Where no name fits, the
shell goes on with its own completion of files.
"""
# ruff: noqa: PLC0415 - what is dear to import is imported when it is asked for

from pathlib import Path

CONFIGS = (".yaml", ".yml")
_MOST = 100

# The catalogue itself takes seconds to import; a test sees that these are its figures.
FIGURES = (
    "daily_list", "sections", "concentration", "lorenz", "core_customers", "lifecycle",
    "transitions", "flow", "monthly_flow", "cohorts", "health", "projection", "projection_check",
    "pre_churn_signs", "pre_churn_quality", "potential", "potential_reach", "response", "winback",
    "leaving_reasons", "release", "advocates", "next_category", "next_category_evidence",
    "cross_sell_pairs", "reorders", "reorder_evidence", "key_dates", "prospect_fit",
    "prospect_traits", "engagement", "touches", "decision_times", "representatives",
    "representatives_by_section", "matches", "workloads", "handovers", "handovers_by_pair",
    "goals", "goal_customers", "valuation_returns", "stock_returns", "loyalty_balances",
    "loyalty_programme", "loyalty_tiers", "loyalty_members",
)  # fmt: skip


def configs(incomplete: str) -> list[str]:
    """The YAML files in the folder that is typed so far, and those one folder below it."""
    folder, _, begun = incomplete.rpartition("/")
    above = Path(folder or ("/" if incomplete.startswith("/") else "."))
    prefix = incomplete[: len(incomplete) - len(begun)]
    try:
        entries = sorted(above.iterdir())
    except OSError:
        return []
    files = [f"{prefix}{e.name}" for e in entries if e.suffix in CONFIGS and e.is_file()]
    below = [e for e in entries if e.name.startswith(begun or _shown(e)) and e.is_dir()]
    files += [f"{prefix}{e.name}/{f}" for e in below[:_MOST] for f in _configs_in(e)]
    return [file for file in files if file.startswith(incomplete)]


def _shown(entry: Path) -> str:
    """What a folder's name must begin with to be offered unasked: hidden ones never are."""
    return "/" if entry.name.startswith(".") else ""


def _configs_in(folder: Path) -> list[str]:
    try:
        return sorted(f.name for f in folder.iterdir() if f.suffix in CONFIGS)
    except OSError:
        return []


def datasets(incomplete: str) -> list[tuple[str, str]]:
    """The built-in data sets, each with what it is."""
    from portfolio_ml.datasets import DATASETS

    return [(d.name, d.title) for d in DATASETS.values() if d.name.startswith(incomplete)]


def figures(incomplete: str) -> list[str]:
    """The portfolio's figures."""
    return [name for name in FIGURES if name.startswith(incomplete)]
