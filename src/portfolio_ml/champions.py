"""The champions in force: found in the registry, and read from the files registered there."""

import json
from collections.abc import Sequence
from typing import Any

from portfolio_ml import registry
from portfolio_ml.config import Settings
from portfolio_ml.databases import redacted
from portfolio_ml.errors import DataError
from portfolio_ml.models.segments import SegmentModel
from portfolio_ml.opening import Say
from portfolio_ml.publish import JUDGEMENT
from portfolio_ml.scoring import Champions, champions_from
from portfolio_ml.wording import TARGET_NAMES, command


def champions_in_force(settings: Settings, say: Say) -> tuple[Champions, dict[str, dict[str, Any]]]:
    """The champions, and per target how each was judged when it was trained.

    Raises:
        DataError: A target has no champion, or its files are not the registered ones.
    """
    say("loading the champions")
    present = _registered(settings, registry.TARGETS)
    if missing := sorted(set(registry.TARGETS) - set(present)):
        raise DataError(
            f"there is no champion for {', '.join(TARGET_NAMES[t].lower() for t in missing)}",
            where=f"the registry of {settings.name}, {redacted(settings.tracking.uri)}",
            do=f"train first: {_training_command(settings)}",
        )
    champions = champions_from(
        {target: champion.files for target, champion in present.items()},
        {target: champion.version for target, champion in present.items()},
    )
    judged = {t: json.loads(champion.files[JUDGEMENT]) for t, champion in present.items()}
    return champions, judged


def segments_in_force(settings: Settings) -> SegmentModel | None:
    """The champion's segments; None without a champion that this version can read."""
    champion = _registered(settings, ["segments"]).get("segments")
    try:
        return None if champion is None else SegmentModel.from_files(champion.files)
    except DataError:
        return None


def _registered(settings: Settings, targets: Sequence[str]) -> dict[str, registry.Registered]:
    """The champions that there are, by target."""
    if not registry.has_begun(settings.tracking.uri, base=settings.base):  # opening would begin it
        return {}
    with registry.opened(settings) as store:
        found = {target: store.champion(target) for target in targets}
    return {target: champion for target, champion in found.items() if champion is not None}


def _training_command(settings: Settings) -> str:
    return (
        "portfolio_ml.train(settings)" if settings.file is None else command("train", settings.file)
    )
