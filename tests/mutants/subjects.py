"""What is mutated, by which tests each part is judged, and how many of its mutants are tried."""

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src"
PACKAGE = SOURCE / "portfolio_ml"
EXAMPLES = "unit/test_examples.py"
LEFT_OUT = {"mariadb", "mariadb_server"}  # fixtures, and their parameters, that take too long


@dataclass(frozen=True, slots=True)
class Subject:
    """A part of the package and its own tests.

    Attributes:
        name: How the report calls it.
        modules: Globs below the package.
        tests: Files of tests, or single ones, that run in the process itself, beside the
            docstrings' examples: a mutant is seen by no other.
        sample: How many mutants are tried unless all are asked for; None for all.
    """

    name: str
    modules: tuple[str, ...]
    tests: tuple[str, ...]
    sample: int | None = None

    @property
    def test_files(self) -> list[str]:
        """The files of tests, and single tests, from the repository's folder."""
        return [f"tests/{test}" for test in (*self.tests, EXAMPLES)]

    def files(self) -> tuple[Path, ...]:
        """The modules' files, by name; without the pages, which are compared whole elsewhere."""
        found = {path for glob in self.modules for path in PACKAGE.glob(glob)}
        found = {path for path in found if path.name != "page.py"}
        assert found, f"{self.name}: no module matches {self.modules}"
        return tuple(sorted(found))


SUBJECTS = (
    Subject(
        "timeline",
        ("timeline.py",),
        (
            "unit/test_timeline.py",
            "property/test_timeline.py",
            "unit/test_labels.py",
            "unit/test_features.py",
        ),
    ),
    Subject("labels", ("labels.py",), ("unit/test_labels.py", "property/test_snapshots.py")),
    Subject("gate", ("gate.py",), ("unit/test_gate.py",)),
    Subject(
        "metrics",
        ("metrics/*.py",),
        (
            "unit/test_metrics.py",
            "unit/test_calibration.py",
            "unit/test_intervals.py",
            "oracle/test_metrics.py",
            "oracle/test_calibration.py",
            "property/test_metrics.py",
            "property/test_calibration.py",
            "unit/test_reference_pages.py::test_a_page_that_is_made_from_the_code_is_up_to_date",
        ),
        sample=200,
    ),
    Subject(
        "features",
        ("features/*.py",),
        (
            "unit/test_features.py",
            "unit/test_own_features.py",
            "unit/test_season.py",
            "unit/test_optional_columns.py",
            "unit/test_sample.py",
            "unit/test_exports.py::test_the_committed_page_of_features_is_that_of_the_catalogue",
            "oracle/test_features.py",
            "oracle/test_optional_features.py",
            "property/test_features.py",
            "property/test_feature_engines.py",
            "property/test_side_tables.py",
        ),
        sample=200,
    ),
    Subject(
        "sinks",
        ("sinks/*.py", "sinks/files/*.py", "sinks/vendors/*.py"),
        (
            "unit/test_sinks.py",
            "unit/test_delivery_files.py",
            "unit/test_accepted.py",
            "unit/test_delivered.py",
            "unit/test_lease.py",
            "unit/test_salesforce.py",
            "unit/test_vendor_calls.py",
            "unit/test_table_pages.py",
            "unit/test_reference_pages.py::test_a_page_that_is_made_from_the_code_is_up_to_date",
            "unit/test_upkeep.py",
            "property/test_sinks.py",
            "property/test_spreadsheet_texts.py",
            "faults/test_delivery_in_parts.py",
            "integration/test_delivery_again.py",
            "integration/test_delivery_crm_table.py",
            "integration/test_delivery_each_target.py",
            "integration/test_delivery_refused_rows.py",
            "integration/test_delivery_sql.py",
            "integration/test_delivery_upkeep.py",
            "integration/test_delivery_hubspot.py",
            "integration/test_delivery_salesforce.py",
        ),
        sample=200,
    ),
)
