"""Figures that explanation and decisions cite from a measured page still stand on that page."""

import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

DOCS = Path(__file__).parents[2] / "docs"

CITED = [
    # where it is cited, what stands there, the measured page, what stands there
    ("explanation/judging.md", "68 of 79 promises", "benchmarks", "68 of 79 promises are kept"),
    (
        "explanation/judging.md",
        "20 to 34 % on CDNOW and Online Retail",
        "benchmarks",
        "4: -0.20 to -0.24, +0.26 to +0.19, -0.34 to -0.35",
    ),
    (
        "explanation/calibration.md",
        "0.715 in tier A",
        "benchmarks",
        "grocery | interval coverage of tier A | MISSED | 0.715 of 246, at least 0.730",
    ),
    ("explanation/calibration.md", "76 against 112", "benchmarks", "76.4, theirs 112.2"),
    ("explanation/calibration.md", "50 against 88", "benchmarks", "50.0, theirs 87.8"),
    (
        "explanation/calibration.md",
        "16 % on average over 21 cutoffs",
        "ablations",
        "blend, 0.2 | 0.8166 | 0.3922 | 0.8104 | 0.163",
    ),
    (
        "explanation/calibration.md",
        "21 % instead of 18 %",
        "ablations",
        "trees, scaled | – | – | 0.8096 | 0.213",
    ),
    ("decisions/blend.md", "trees | .8157 | .3947 | .8096 | .182", "ablations", "trees | 0.8157"),
    (
        "decisions/blend.md",
        "blend, two fifths | .8162 | .3939 | .8108 | .146",
        "ablations",
        "blend, 0.4 | 0.8162 | 0.3939 | 0.8108 | 0.146",
    ),
    (
        "decisions/blend.md",
        "Pareto/NBD | .7712 | .4751 | .7714 | .133",
        "ablations",
        "Pareto/NBD | 0.7712 | 0.4751 | 0.7714 | 0.133",
    ),
    (
        "decisions/blend.md",
        ".8170 against .8157",
        "ablations",
        "trees, held to directions | 0.8170 | 0.3951",
    ),
    ("decisions/own_likelihoods.md", "0.08 s here and 0.59 s", "benchmarks", "0.08 s to 0.59 s"),
    ("explanation/scale.md", "121.4 | 117.3 | 5.62", "scoring", "121.4 | 117.3 | 19.0 | 5.62"),
    ("explanation/scale.md", "88.9 | 130.7 | 5.88", "scoring", "88.9 | 130.7 | 7.0 | 5.88"),
    ("explanation/scale.md", "197.2 | 215.4 | 7.77", "scoring", "197.2 | 215.4 | 35.7 | 7.77"),
    ("explanation/scale.md", "87.7 | 104.5 | 4.65", "scoring", "87.7 | 104.5 | 12.6 | 4.65"),
    ("explanation/scale.md", "it is 1.6 times as fast", "scoring", "MISSED | 1.62 times"),
    ("explanation/scale.md", "5.3 times what a bare COPY", "scoring", "5.3 times: 26.5 s"),
    ("explanation/scale.md", "78.0 CPU seconds", "figures_cost", "78.0 CPU seconds"),
    ("explanation/scale.md", "all figures 148.4", "figures_cost", "124.7 | 148.4 | 1.94"),
    ("how-to/spark.md", "took 7.35 GB in all", "figures_cost", "Peak memory 7.35 GB"),
    ("how-to/spark.md", "148.4 CPU seconds", "figures_cost", "124.7 | 148.4 | 1.94"),
    ("how-to/spark.md", "78.0 for the columns", "figures_cost", "78.0 CPU seconds"),
    (
        "explanation/scale.md",
        "413 CPU seconds, 735 s, 2.69 GB",
        "benchmarks",
        "413.3 s CPU, 2.69 GB",
    ),
    ("explanation/scale.md", "88 CPU seconds, 234 s", "benchmarks", "233.7 s wall, 87.7 s CPU"),
    ("explanation/scale.md", "12.8 CPU s", "scoring", "load and validate | 10.2 | 12.8"),
    ("explanation/scale.md", "74.5 CPU s", "scoring", "features | 62.0 | 74.5"),
    ("explanation/scale.md", "7.2 + 6.1 CPU s", "scoring", "predict | 7.2 | 7.2"),
    ("explanation/scale.md", "7.2 + 6.1 CPU s", "scoring", "reasons | 6.1 | 6.1"),
    ("explanation/scale.md", "26.5 s by the clock", "scoring", "26.5 s beside"),
    ("explanation/scale.md", "staging table (10.3 s", "scoring", "stage (COPY) | 10.3"),
    ("explanation/scale.md", "transaction (12.5 s", "scoring", "write | 12.5"),
    ("explanation/scale.md", "takes 7.1 s a million", "scoring", "0.27: 7.1 s of 26.5 s"),
    ("explanation/scale.md", "413 CPU seconds for churn", "benchmarks", "413.3 s CPU"),
    ("explanation/scale.md", "of churn is 0.0041 lower", "sampling", "2,309 | 10,929 | -0.0041"),
    ("explanation/scale.md", "of value 0.0030", "sampling", "-0.0030 (-0.0046 to -0.0014)"),
    ("benchmarks.md", "68 of 79 promises are kept", "benchmarks", "68 of 79 promises are kept"),
    ("benchmarks.md", "0.0041 of AUROC", "sampling", "2,309 | 10,929 | -0.0041"),
    ("benchmarks.md", "121.4 s, and 88.9 s", "scoring", "121.4 | 117.3 | 19.0 | 5.62"),
    ("benchmarks.md", "148.4 CPU seconds", "figures_cost", "124.7 | 148.4 | 1.94"),
    ("benchmarks.md", "521 s and scored", "scale", "5 | 521 | 663 |"),
    ("benchmarks.md", "50 trainings and 50 scorings", "hardening", "| killed | score | 50 |"),
    ("benchmarks.md", "50 trainings and 50 scorings", "hardening", "| killed | train | 50 |"),
    ("benchmarks.md", "220 deliveries", "hardening", "200,000 rows to PostgreSQL | 60 | old 51"),
    ("benchmarks.md", "220 deliveries", "hardening", "200,000 rows to SQLite | 100 |"),
    ("benchmarks.md", "220 deliveries", "hardening", "200,000 rows to PostgreSQL | 40 |"),
    ("benchmarks.md", "220 deliveries", "hardening", "200,000 rows to PostgreSQL | 20 |"),
    ("benchmarks.md", "60 small faults each", "hardening", "features | 5,217 | 60 | 60 |"),
    ("benchmarks.md", "60 small faults each", "hardening", "sinks | 7,517 | 60 | 60 |"),
    ("benchmarks.md", "99.1 % of the branches", "hardening", "1,060 | 1,050 | 99.1%"),
    ("explanation/scale.md", "167 | 35 | 2.78", "scale", "0.25 | 167 | 35 |"),
    ("explanation/scale.md", "222 | 115 | 5.34", "scale", "1 | 222 | 115 |"),
    ("explanation/scale.md", "336 | 354 | 5.36", "scale", "2.5 | 336 | 354 |"),
    (
        "explanation/scale.md",
        "521 | 663 | 6.08",
        "scale",
        "5 | 521 | 663 | 1184 | 1683 | 16.8 | 6.08",
    ),
    ("explanation/scale.md", "slope of .59", "scale", "0.37 | 1.00 | 0.59"),
    ("explanation/scale.md", "days (1.36)", "scale", "201.5 | 1.36"),
    ("explanation/scale.md", "from 95 to 202 s", "scale", "95.0 | 201.5"),
    ("explanation/scale.md", "grow with 1.04", "scale", "149.9 | 1.04"),
    ("decisions/customers_drawn_first.md", "0.0002 lower", "sampling", "11,697 | 55,352 | -0.0002"),
    (
        "decisions/customers_drawn_first.md",
        "is 0.0063 lower",
        "sampling",
        "1,125 | 5,319 | -0.0063",
    ),
    ("decisions/customers_drawn_first.md", "by 2.75 %", "sampling", "2.75 %"),
    ("explanation/delivery_promises.md", "0.27 of the first", "scoring", "0.27: 7.1 s of 26.5 s"),
    ("decisions/numbered_customers.md", "feature table takes 62 s", "scoring", "features | 62.0"),
    ("decisions/own_loader.md", "takes 10 s", "scoring", "load and validate | 10.2"),
    ("decisions/models_as_data.md", "takes 0.2 s", "scoring", "champions | 0.2"),
    ("decisions/passive_threads.md", "413 CPU seconds", "benchmarks", "413.3 s CPU"),
]


def read(page: str) -> str:
    """The page in one line, with the cells of its tables close together."""
    return re.sub(r"\s+", " ", (DOCS / page).read_text(encoding="utf-8"))


@pytest.mark.parametrize(("page", "cited", "measured", "figure"), CITED)
def test_a_cited_figure_is_the_measured_one(page, cited, measured, figure):
    assert cited in read(page)
    assert figure in read(f"reference/{measured}.md"), f"{page} cites what is no longer measured"
