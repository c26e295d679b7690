"""Champions carried out of a registry and into another."""

import json
from typing import Any

from portfolio_ml.cli.printing import (
    print_line,
)
from portfolio_ml.transfer import Carried
from portfolio_ml.wording import TARGET_NAMES


def carried(found: Carried) -> dict[str, Any]:
    """A bundle as plain values, and the versions that its models became here."""
    bundle = found.bundle
    return {
        "folder": str(found.folder),
        "digest": found.digest,
        "portfolio": bundle.portfolio,
        "portfolio_ml_version": bundle.package_version,
        "models": {
            target: {
                "version": each.version,
                "candidate": each.candidate,
                "as_of": each.as_of,
                "trained_at": each.trained_at,
                "card": each.card,
                "registered": found.versions.get(target),
            }
            for target, each in bundle.champions.items()
        },
    }


def print_exported(found: Carried) -> None:
    """Where the bundle is, and how another host comes to trust it."""
    _print_bundle(found)
    print_line("To score with it, copy the folder and put this into the config of that host:")
    print_line(
        f"scoring: {{bundle: {json.dumps(str(found.folder))}, bundle_digest: {found.digest}}}"
    )


def print_imported(found: Carried) -> None:
    """What was in the bundle, and which versions it became."""
    _print_bundle(found)
    for target, number in found.versions.items():
        print_line(f"{TARGET_NAMES[target]}: registered as version {number}")


def print_verified(found: Carried, *, trusted: bool) -> None:
    """What is in the bundle, and what the check was worth."""
    _print_bundle(found)
    print_line(
        "The bundle is whole, and the one of that digest"
        if trusted
        else "The bundle is whole; whether it is the one you trust, only --digest can tell"
    )


def _print_bundle(found: Carried) -> None:
    bundle = found.bundle
    print_line(f"{bundle.portfolio}, in {found.folder}, by portfolio-ml {bundle.package_version}")
    for target, each in bundle.champions.items():
        print_line(f"\nVersion {each.version} of {target}\n{each.card}")
    print_line(f"\ndigest: {found.digest}")
