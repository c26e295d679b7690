"""What the monitor saw."""

from typing import Any

from portfolio_ml.cli.printing import (
    print_line,
    print_table,
)
from portfolio_ml.monitoring.verdict import Monitoring
from portfolio_ml.results import (
    contacts_table,
    drift_table,
    matured_table,
    verdict_lines,
)


def monitoring(seen: Monitoring) -> dict[str, Any]:
    """What a monitoring saw and says, as plain values."""
    return seen.to_dict()


def print_monitoring(seen: Monitoring) -> None:
    """What has drifted, how delivered scores did, and the verdict with its reasons."""
    if seen.drifts:
        print_table(drift_table(seen))
    if seen.matured:
        print_table(matured_table(seen))
    if seen.contacts:
        print_table(contacts_table(seen))
    for line in verdict_lines(seen):
        print_line(line)
