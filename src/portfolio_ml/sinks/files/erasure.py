"""One customer removed from everything that a file target has written."""

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from portfolio_ml.config import Settings, history_beside
from portfolio_ml.errors import DataError
from portfolio_ml.replacing import remove_unfinished, replace_file
from portfolio_ml.schema import CUSTOMER_ROWS, Table
from portfolio_ml.sinks.delivered import tells_scores
from portfolio_ml.sinks.files.kept import kept_files
from portfolio_ml.sinks.files.places import UNREADABLE, FileTarget, Form, Place, place_of
from portfolio_ml.sinks.files.state import state_of
from portfolio_ml.sinks.files.writing import put_parquet, told
from portfolio_ml.sinks.receipts import REJECTS

_KEPT = Form(put_parquet, lambda file, _: pq.ParquetFile(file).read())


def erase(
    customer_id: str,
    target: FileTarget,
    *,
    settings: Settings,
    contract: Table = CUSTOMER_ROWS,
) -> dict[str, int]:
    """Remove a customer's rows from the target's files, what is kept beside them, and the rejects.

    Each file is replaced whole; one without the customer is left alone. Erased again, nothing
    changes. What killed deliveries left unfinished goes, too.

    Args:
        customer_id: Whom to erase.
        target: One of the settings' targets.
        settings: The portfolio's settings.
        contract: The table that the rows follow.

    Returns:
        How many rows were removed per place: the file or folder, the history beside it, and
        `portfolio_rejects` in the state database.

    Raises:
        DataError: A file cannot be read, so nobody can say whether the customer is in it; files
            before it are done, and the rest follows when it is repaired or removed.
        ServiceUnavailableError: A file or the state database cannot be written.
        TryAgainLaterError: The state database is locked.
    """
    place = place_of(target, settings, contract=contract)
    with state_of(settings, place.table) as state:
        _remove_unfinished(place)
        removed = {
            str(place.path): sum(
                _removed(customer_id, file, place.form, contract) for file in place.files()
            )
        }
        if not place.by_date and tells_scores(contract):
            removed[str(history_beside(place.path))] = sum(
                _removed(customer_id, file, _KEPT, contract)
                for file in kept_files(place.path).values()
            )
        removed[REJECTS.name] = state.forget(customer_id)
    return removed


def _removed(customer_id: str, file: Path, form: Form, contract: Table) -> int:
    """Remove the customer from one file; gives how many rows that were."""
    try:
        rows = form.read(file, contract)
        is_other = pc.not_equal(rows["customer_id"].cast(pa.string()), customer_id)
    except UNREADABLE:
        raise DataError(
            "the file cannot be read, so the customer may still be in it",
            where=str(file),
            do="deliver to it again, or remove it; then erase again",
        ) from None
    left = rows.filter(pc.fill_null(is_other, fill_value=True))
    if left.num_rows < rows.num_rows:
        with told(file):
            replace_file(file, lambda opened: form.write(left, opened))
    return int(rows.num_rows - left.num_rows)


def _remove_unfinished(place: Place) -> None:
    with told(place.path):
        if place.by_date:
            for folder in place.path.glob("as_of=*"):
                remove_unfinished(folder)
        else:
            remove_unfinished(place.path.parent, place.path.name)
            remove_unfinished(history_beside(place.path))
