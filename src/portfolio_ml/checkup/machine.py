"""What a machine gives a portfolio: variables, the time zone, room on its disks."""

import shutil
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from portfolio_ml.checkup.check import Check, fault, warning, well
from portfolio_ml.config import Settings, variables
from portfolio_ml.databases.connections import place
from portfolio_ml.errors import PortfolioError, ServiceUnavailableError

SCARCE_BYTES = 1_000_000_000
"""Less room than this is told."""
TOO_FEW_BYTES = 50_000_000
"""With less than this no run goes through."""


def environment(settings: Settings) -> Iterator[Check]:
    """The variables that the config names, and those that win over it; no value is told."""
    found = variables(settings)
    if found.empty:
        yield warning("environment", ", ".join(found.empty), "set, but empty", do="give it a value")
    if found.filled:
        yield well("environment", ", ".join(found.filled), "set, as the config needs")
    if found.winning:
        yield well("environment", ", ".join(found.winning), "set, and wins over the config")
    if not any((found.empty, found.filled, found.winning)):
        yield well("environment", "variables", "the config needs none")


def time_zone(settings: Settings, now: datetime) -> Iterator[Check]:
    """The zone whose days count, and the time there by this machine's clock."""
    there = now.astimezone(ZoneInfo(settings.timezone))
    yield well("time zone", settings.timezone, f"it is {there:%Y-%m-%d %H:%M} there")


def disks(settings: Settings) -> Iterator[Check]:
    """The room in the folders that runs write into, one line per disk."""
    seen: set[int] = set()
    for folder in _folders(settings):
        there = _existing(folder)
        if (disk := there.stat().st_dev) in seen:
            continue
        seen.add(disk)
        yield _room(there)


def _room(folder: Path) -> Check:
    free = shutil.disk_usage(folder).free
    saw = f"{free / 1e9:,.1f} GB free"
    if free < TOO_FEW_BYTES:
        what = f"only {free / 1e6:,.0f} MB are free"
        return fault("disk", str(folder), ServiceUnavailableError(what, do="free some space"))
    if free < SCARCE_BYTES:
        return warning("disk", str(folder), saw, do="free some space")
    return well("disk", str(folder), saw)


def _folders(settings: Settings) -> Iterable[Path]:
    yield settings.base
    if settings.engine.temp_directory:
        yield settings.engine.temp_directory
    yield settings.resolve(settings.report.path).parent
    for target in (*settings.delivery, *settings.portfolio.delivery):
        if path := getattr(target, "path", None):
            yield settings.resolve(Path(path)).parent
    for url in (settings.tracking.uri, settings.state.url):
        if url.startswith("sqlite:"):
            try:
                to = place(url, base=settings.base)
            except PortfolioError:
                continue  # who looks at it tells what is wrong with it
            if to.file is not None:
                yield to.file.parent


def _existing(folder: Path) -> Path:
    """The folder, or the one above it that is there."""
    return next(each for each in (folder, *folder.parents) if each.is_dir())
