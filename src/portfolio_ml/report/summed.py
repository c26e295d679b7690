"""What sums by section say of a portfolio whose customer rows nobody holds whole.

The figures are those of `customers`, from sums that add up instead of from rows; medians are those
of a sample, which is all customers where there are no more.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from portfolio_ml.report.customers import STAGES, TIERS, Abstention, Group, Headline, Profile
from portfolio_ml.report.facts import Facts
from portfolio_ml.report.number import finite, share


def with_sums(facts: Facts, sections: pa.Table, sample: pa.Table) -> Facts:
    """The facts with the sums of all customers in the place of those of the few that they tell of.

    Args:
        facts: What `gathered.gather` says of those with most to lose.
        sections: The sums, as in `tally.Tally`.
        sample: segment_name and features of a sample of the customers, likewise.
    """
    names = sections.sort_by("segment_id")["segment_name"].to_pylist()
    segments = tuple(dict.fromkeys(names))
    codes = _by(sections.filter(pc.is_valid(sections["abstention"])), "abstention")
    return replace(
        facts,
        headline=_headline(sections),
        segments=_groups(sections, "segment_name", segments),
        segment_profiles=_profiles(sections, sample, segments),
        lifecycle_stages=_groups(sections, "lifecycle_stage", STAGES),
        value_tiers=_groups(sections, "value_tier", TIERS),
        abstentions=tuple(
            Abstention(row["abstention"], row["count_all_sum"])
            for row in sorted(codes.to_pylist(), key=lambda row: str(row["abstention"]))
        ),
    )


def _headline(sections: pa.Table) -> Headline:
    customers = _total(sections, "count_all") or 0
    active = _total(sections, "is_active_sum") or 0
    return Headline(
        customers=int(customers),
        active_customers=int(active),
        active_share=share(active, customers),
        expected_value=_total(sections, "ltv_sum"),
        value_at_risk=_total(sections, "value_at_risk_sum"),
        expected_churners=_total(sections, "p_churn_sum"),
    )


def _groups(sections: pa.Table, column: str, order: Sequence[str]) -> tuple[Group, ...]:
    place = {name: number for number, name in enumerate(order)}
    whole, customers = _total(sections, "ltv_sum"), _total(sections, "count_all")
    found = sorted(
        _by(sections, column).to_pylist(),
        key=lambda row: (place.get(row[column], len(place)), row[column]),
    )
    return tuple(
        Group(
            name=row[column],
            customers=row["count_all_sum"],
            customer_share=share(row["count_all_sum"], customers),
            active_share=share(row["is_active_sum_sum"], row["count_all_sum"]),
            mean_p_churn=share(row["p_churn_sum_sum"], row["p_churn_count_sum"]),
            ltv_total=finite(row["ltv_sum_sum"]),
            ltv_share=share(finite(row["ltv_sum_sum"]), whole),
        )
        for row in found
    )


def _profiles(sections: pa.Table, sample: pa.Table, segments: Sequence[str]) -> tuple[Profile, ...]:
    sums = {row["segment_name"]: row for row in _by(sections, "segment_name").to_pylist()}
    revenue = _total(sections, "_net_spend_sum")
    found = []
    for name in segments:
        own = sample.filter(pc.equal(sample["segment_name"], name))
        found.append(
            Profile(
                name=name,
                customers=sums[name]["count_all_sum"],
                revenue_share=share(finite(sums[name]["_net_spend_sum_sum"]), revenue),
                recency_days=_median(own, "_recency_days"),
                purchase_days=_median(own, "_purchase_days"),
                ticket=_median(own, "_ticket"),
            )
        )
    return tuple(found)


def _by(sections: pa.Table, column: str) -> pa.Table:
    sums = (
        "count_all",
        "is_active_sum",
        "p_churn_sum",
        "p_churn_count",
        "ltv_sum",
        "_net_spend_sum",
    )
    groups = sections.group_by([column], use_threads=False)
    return groups.aggregate([(name, "sum") for name in sums])


def _total(sections: pa.Table, column: str) -> float | None:
    return finite(pc.sum(sections[column]).as_py())


def _median(sample: pa.Table, column: str) -> float | None:
    values = sample[column].drop_null().to_numpy()
    return finite(np.median(values)) if len(values) else None
