"""Champions carried from a registry to hosts without one, and from there into another registry."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

from portfolio_ml import bundles, registry
from portfolio_ml.bundles import Bundle, Bundled
from portfolio_ml.champions import judgement_in, registered_champions
from portfolio_ml.config import Settings
from portfolio_ml.frozen import FILE, Frozen
from portfolio_ml.judgement import PRIMARY
from portfolio_ml.models.files import DESCRIPTION
from portfolio_ml.opening import Say
from portfolio_ml.publish import CARD
from portfolio_ml.report.evidence import model_facts
from portfolio_ml.report.number import day, finite, plain
from portfolio_ml.report.words import verdict
from portfolio_ml.scoring import champions_from
from portfolio_ml.timeline import to_date
from portfolio_ml.wording import TARGET_NAMES, model_name


@dataclass(frozen=True, slots=True)
class Carried:
    """A bundle, and what became of it.

    Attributes:
        folder: Where it lies.
        digest: Its digest.
        bundle: What is in it.
        versions: Per target, the version that its champion became here; empty where it was only
            written or looked at.
    """

    folder: Path
    digest: str
    bundle: Bundle
    versions: Mapping[str, str]


def export_champions(settings: Settings, folder: Path, *, say: Say) -> Carried:
    """Write the champions in the registry to a folder, as a bundle.

    Raises:
        DataError: A target has no champion, or the folder holds another portfolio's bundle.
        ServiceUnavailableError: The registry does not answer, or the folder cannot be written.
    """
    say("reading the champions")
    champions = registered_champions(settings)
    _demand_readable({target: each.files for target, each in champions.items()})
    with registry.opened(settings) as store:
        told = {
            target: (
                store.registered_at(target, each.version),
                store.text_beside(target, each.version, CARD),
            )
            for target, each in champions.items()
        }
    bundle = Bundle(
        portfolio=settings.name,
        package_version=version("portfolio-ml"),
        champions={t: _bundled(each, *told[t]) for t, each in champions.items()},
    )
    say(f"writing {folder}")
    return Carried(folder, bundles.write(bundle, folder), bundle, {})


def verified(folder: Path, digest: str | None, *, say: Say) -> Carried:
    """A bundle that is whole: of this digest where one is given, or else as its manifest says.

    Args:
        folder: Where it lies.
        digest: What its digest must be.
        say: Told what is being done.

    Raises:
        DataError: It is not, or this version cannot read its models.
    """
    say(f"checking {folder}")
    found = bundles.digest_of(folder) if digest is None else digest
    bundle = bundles.read(folder, digest=found)
    _demand_readable({target: each.files for target, each in bundle.champions.items()})
    return Carried(folder, found, bundle, {})


def import_champions(
    settings: Settings, folder: Path, *, digest: str, promote: bool, say: Say
) -> Carried:
    """Register a bundle's models in this host's registry.

    Args:
        settings: The portfolio; the bundle must be its own.
        folder: Where the bundle lies.
        digest: The digest that it must have.
        promote: Whether they become the champions; otherwise they become challengers.
        say: Told what is being done.

    Raises:
        DataError: The bundle is not the one that is trusted, another portfolio's, or broken.
        ServiceUnavailableError: The registry does not answer.
    """
    bundle = bundles.read(folder, digest=digest, portfolio=settings.name)
    _demand_readable({target: each.files for target, each in bundle.champions.items()})
    say("registering the bundle's models")
    with registry.opened(settings) as store:
        store.prepare()
        with store.run(f"import {digest[:12]}") as run_id:
            tags = {
                f"bundle_{target}_version": each.version
                for target, each in bundle.champions.items()
            }
            store.log(run_id, tags={"bundle_digest": digest, **tags})
            versions = {
                target: store.register(target, run_id, each.files)
                for target, each in bundle.champions.items()
            }
            for target, number in versions.items():
                if promote:
                    reason = f"imported from the bundle {digest[:12]}"
                    store.promote(target, number, reason=reason, run_id=run_id)
                else:
                    store.challenge(target, number)
    return Carried(folder, digest, bundle, versions)


def _demand_readable(files: Mapping[str, Mapping[str, bytes]]) -> None:
    """Refuse models that this version could not score with."""
    champions_from(files, dict.fromkeys(files, ""))
    for target in PRIMARY:
        judgement_in(files[target], target)


def _bundled(champion: registry.Registered, trained_at: datetime, card: str | None) -> Bundled:
    files = champion.files
    candidate = str(json.loads(files[DESCRIPTION])["candidate"])
    as_of = to_date(Frozen.from_json(files[FILE]).reference.day).isoformat()
    return Bundled(
        version=champion.version,
        candidate=candidate,
        as_of=as_of,
        trained_at=trained_at.isoformat(timespec="seconds"),
        card=card or _card(champion.target, files, candidate=candidate, as_of=as_of),
        files=files,
    )


def _card(target: str, files: Mapping[str, bytes], *, candidate: str, as_of: str) -> str:
    """A few lines on what the model is and how it did."""
    lines = [f"{TARGET_NAMES[target]}: {model_name(candidate, target)}.", f"Learnt up to {as_of}."]
    judged = judgement_in(files, target)
    if target not in PRIMARY:
        stability, separation = (plain(finite(judged[k]), 2) for k in ("stability", "separation"))
        lines.append(f"Stability {stability}, separation {separation}.")
    elif not judged["cutoffs"]:
        lines.append("Nothing has judged it: the history was too short for a backtest.")
    else:
        facts = model_facts(judged)
        days = ", ".join(map(day, facts.cutoffs))
        lines.append(f"{facts.primary_label} {plain(facts.mean, 3)}, the mean over {days}.")
        lines.append(verdict(facts))
    return "\n".join(lines)
