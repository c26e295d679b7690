"""What a run is told of its data: where it lay, its digest and counts; never a row."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_LONGEST_DIGEST = 36  # MLflow keeps no more
_CONTEXT = "mlflow.data.context"


@dataclass(frozen=True, slots=True)
class Dataset:
    """The data that a run learnt from.

    Attributes:
        name: What it is called.
        source: Where it lay, for people; without secrets.
        digest: Its SHA-256.
        columns: Its columns, as the package calls them.
        counts: How much of it there is: rows and days.
    """

    name: str
    source: str
    digest: str
    columns: Sequence[str]
    counts: Mapping[str, int | str]

    def as_input(self, kinds: Any) -> Any:  # noqa: ANN401 - MLflow's entities, without types
        """The input of a run that MLflow shows as what it was trained on."""
        types = {"amount": "double", "day": "long"}
        specs = [{"name": c, "type": types.get(c, "string")} for c in self.columns]
        dataset = kinds.Dataset(
            name=self.name,
            digest=self.digest[:_LONGEST_DIGEST],
            source_type="portfolio-ml",
            source=json.dumps({"source": self.source}),
            schema=json.dumps({"mlflow_colspec": specs}),
            profile=json.dumps(dict(self.counts)),
        )
        return kinds.DatasetInput(dataset, [kinds.InputTag(_CONTEXT, "training")])
