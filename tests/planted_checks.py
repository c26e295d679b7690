"""What must hold of the figures of simulated portfolios, by what was planted in them.

Every check takes portfolios, counts over all of them, and compares an interval with chance: what
was planted is found more often than chance has it, and where nothing is planted no more is claimed
than the figure says it errs. Intervals are at 95 %, and a stated rate is refuted at 1 %; no bound
was chosen by looking at what came out.
"""

from collections.abc import Iterable, Sequence
from itertools import permutations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats
from tests.planted import HORIZON_DAYS, Seen

from portfolio_ml.datasets.b2b.world import CATEGORIES
from portfolio_ml.portfolio.representatives.comparison import LEAST_CHANCE
from portfolio_ml.portfolio.representatives.representatives import MOST_CHANCE
from portfolio_ml.portfolio.selling.cross_sell_pairs import FALSE_SHARE

Worlds = Sequence[Seen]
Flags = NDArray[np.bool_]
Floats = NDArray[np.float64]

Z = float(stats.norm.ppf(0.975))
REFUTED = 0.01
CONFIDENCE = 0.9
"""Of the intervals of an uplift, a lift, and others."""
TOLD_BY_REASONS = (
    "complaint", "low_satisfaction", "discount_withdrawn", "return_last", "representative_changed",
)  # fmt: skip
"""Reasons that say what happened. How customers bought at the end (slower, once) is not among them:
the activity window itself picks those who slow down, with a reason or without."""


def is_beyond(hits: int, of: int, chance: float) -> bool:
    """Whether the interval of a hit rate (Clopper and Pearson) lies above chance."""
    return bool(stats.binomtest(hits, of).proportion_ci(0.95).low > chance)


def errs_more(errors: int, of: int, stated: float) -> bool:
    """Whether so many errors refute the stated rate."""
    test = stats.binomtest(errors, of, stated, alternative="greater")
    return bool(test.pvalue < REFUTED)


def covers_less(covered: int, of: int, stated: float) -> bool:
    """Whether so few covered truths refute the stated coverage."""
    test = stats.binomtest(covered, of, stated, alternative="less")
    return bool(test.pvalue < REFUTED)


def is_picked(listed: Flags, planted: Flags) -> bool:
    """Whether more of those in whom it was planted are listed than of the others."""
    with_it, without = listed[planted], listed[~planted]
    return is_more(int(with_it.sum()), with_it.size, int(without.sum()), without.size)


def is_more(part: int, whole: int, other_part: int, other_whole: int) -> bool:
    """Whether one share is above another: the interval of the difference (Newcombe) is above 0."""
    one = stats.binomtest(part, whole).proportion_ci(0.95, method="wilson")
    other = stats.binomtest(other_part, other_whole).proportion_ci(0.95, method="wilson")
    share, other_share = part / whole, other_part / other_whole
    return bool(share - other_share > np.hypot(share - one.low, other.high - other_share))


def agrees(one: ArrayLike, other: ArrayLike) -> bool:
    """Whether two orders agree: the interval of the rank correlation (Fisher) lies above 0."""
    one = np.asarray(one, float)
    rho = float(stats.spearmanr(one, np.asarray(other, float)).statistic)
    return bool(np.arctanh(rho) > Z * np.sqrt((1 + rho**2 / 2) / (one.size - 3)))


def is_higher(one: ArrayLike, other: ArrayLike) -> bool:
    """Whether the ones rank above the others by more than chance (Mann and Whitney)."""
    return bool(stats.mannwhitneyu(one, other, alternative="greater").pvalue < 0.025)


def _joined(worlds: Worlds, name: str, among: str = "is_active") -> tuple[Flags, pd.DataFrame]:
    """Who is listed in a figure, and the truth, of all accounts of which something holds."""
    some = [np.asarray(world.accounts[among], bool) for world in worlds]
    listed = [world.lists(name)[rows] for world, rows in zip(worlds, some, strict=True)]
    accounts = [world.accounts[rows] for world, rows in zip(worlds, some, strict=True)]
    return np.concatenate(listed), pd.concat(accounts)


def _listed(world: Seen, name: str) -> pd.DataFrame:
    """The truth of those who are in a figure, in its order."""
    return world.accounts.loc[world.figures[name]["customer_id"]]


def _win_rates(world: Seen) -> pd.Series:
    rates = world.truth.representatives.to_pandas()
    return rates.set_index(["segment", "representative_id"])["win_rate"]


# What is planted is found.


def best_representatives_are_found(worlds: Worlds) -> None:
    hits, regrets = [], []
    for world in worlds:
        rates, best = _win_rates(world), world.truth.best_representatives
        rows = world.figures["representatives_by_section"]
        people = rows[rows["representative_id"] != "nobody"]
        for section, some in people.groupby("section"):
            told = rates[section].loc[some["representative_id"]].to_numpy()
            assert agrees(some["win_rate_shrunk"], told), section
            first = some.loc[some["rank"] == 1, "representative_id"].item()
            hits.append(first == best[section])
            regrets.append((rates[section].max() - rates[section][first]) / rates[section].std())
    assert is_beyond(sum(hits), len(hits), 1 / worlds[0].world.representatives)
    # Where it is another one, it is hardly worse than the best.
    assert np.mean(regrets) < 0.5


def recommended_matches_are_better(worlds: Worlds) -> None:
    better: dict[tuple[int, str, str, str], bool] = {}
    for world in worlds:
        rates, rows = _win_rates(world), world.figures["matches"]
        for row in rows[rows["is_recommended"] & rows["representative_id"].notna()].itertuples():
            pair = row.best_representative_id, row.representative_id
            new, old = (rates[row.section][who] for who in pair)
            better[world.world.seed, row.section, *pair] = bool(new > old)
    assert not covers_less(sum(better.values()), len(better), LEAST_CHANCE)


def cooling_customers_show_signs(worlds: Worlds) -> None:
    listed, accounts = _joined(worlds, "pre_churn_signs")
    assert is_picked(listed, accounts["is_cooling"].to_numpy(bool))
    # One churn horizon ago the signs told who would not buy.
    rows = pd.concat([world.figures["pre_churn_quality"] for world in worlds])
    sums = rows[rows["sign"] == "any_sign"].sum(numeric_only=True)
    names = ("churned", "customers", "churned_without", "customers_without")
    assert is_more(*(int(sums[name]) for name in names))


def proven_signs_tell_more_of_cooling(worlds: Worlds) -> None:
    proven, cooling = [], []
    for world in worlds:
        signs = world.figures["pre_churn_signs"].set_index("customer_id")["proven_signs"]
        active = world.accounts[world.accounts["is_active"]]
        proven.append(signs.reindex(active.index).fillna(0).to_numpy() > 0)
        cooling.append(active["is_cooling"].to_numpy(bool))
    assert is_picked(np.concatenate(proven), np.concatenate(cooling))


def uplifts(world: Seen) -> Iterable[tuple[float, float, float, float]]:
    """The uplift that was measured among inactive customers by action, its interval, the truth.

    Of the actions that win-back campaigns alone take; the truth is that of their contacts of
    accounts that had left or were only slow, in the campaigns whose horizon is over.
    """
    told = world.truth.contacts.to_pandas()
    last = pd.Timestamp(world.world.last_day) - pd.Timedelta(days=HORIZON_DAYS)
    told = told[pd.to_datetime(told["day"]) <= last]
    told["campaign_day"] = pd.to_datetime(told["day"])
    known = world.contacts.assign(day=pd.to_datetime(world.contacts["timestamp"]).dt.normalize())
    known = known[known["campaign"].str.startswith("win-back")]
    both = pd.merge_asof(
        known.sort_values("day"),
        told.sort_values("campaign_day").astype({"campaign_day": known["day"].dtype}),
        left_on="day", right_on="campaign_day", by="customer_id",
        tolerance=pd.Timedelta(days=3), suffixes=("", "_told"),
    ).dropna(subset="response_uplift")  # fmt: skip
    truth = both.groupby("action")["response_uplift"].mean()
    rows = world.figures["response"]
    rows = rows[(rows["audience"] == "inactive") & rows["action"].isin(["call", "voucher"])]
    for row in rows[rows["uplift"].notna()].itertuples():
        yield row.uplift, row.uplift_low, row.uplift_high, float(truth[row.action])


def uplifts_cover_the_truth(worlds: Worlds) -> None:
    rows = np.array([row for world in worlds for row in uplifts(world)])
    value, low, high, truth = rows.T
    covered = (low <= truth) & (truth <= high)
    assert not covers_less(int(covered.sum()), covered.size, CONFIDENCE), rows
    errors = value - truth
    assert abs(errors.mean()) < Z * stats.sem(errors), rows


def uplifts_are_found(worlds: Worlds) -> None:
    value = np.array([row[0] for world in worlds for row in uplifts(world)])
    assert value.mean() > Z * stats.sem(value)


def those_worth_winning_back_come_first(worlds: Worlds) -> None:
    for world in worlds:
        rows = world.figures["winback"].set_index("customer_id")["winback_value"]
        told = world.accounts["winback_value"].reindex(rows.index).dropna()
        assert agrees(rows[told.index], told)


def low_satisfaction_is_named(worlds: Worlds) -> None:
    for world in worlds:
        rows = world.figures["leaving_reasons"].set_index("reason")
        assert rows.loc["low_satisfaction", "is_named"]
        assert rows.loc["low_satisfaction", "lift_low"] > 1


def planted_pairs_are_claimed(worlds: Worlds) -> None:
    is_claimed, is_planted = [], []
    for world in worlds:
        planted = _pairs(world.truth.cross_sell.to_pandas(), "next_category")
        claimed = _pairs(world.figures["cross_sell_pairs"], "added")
        every = [*permutations(CATEGORIES, 2)]
        is_claimed += [pair in claimed for pair in every]
        is_planted += [pair in planted for pair in every]
    claims, truth = np.array(is_claimed), np.array(is_planted)
    assert is_picked(claims, truth)
    assert not errs_more(int((claims & ~truth).sum()), int(claims.sum()), FALSE_SHARE)


def _pairs(rows: pd.DataFrame, led: str) -> set[tuple[str, str]]:
    return {*zip(rows["category"], rows[led], strict=True)}


def next_categories_beat_popularity(worlds: Worlds) -> None:
    gains, errors = [], []
    for world in worlds:
        rows = world.figures["next_category_evidence"]
        row = rows[(rows["method"] == "similar customers") & (rows["recommended"] == 1)].iloc[0]
        gains.append(row["gain"])
        errors.append((row["gain_high"] - row["gain_low"]) / 2 / Z)
    assert np.mean(gains) > Z * np.sqrt(np.sum(np.square(errors))) / len(gains)


def underserved_customers_have_potential(worlds: Worlds) -> None:
    listed, accounts = _joined(worlds, "potential")
    assert is_picked(listed, accounts["is_underserved"].to_numpy(bool))
    for world in worlds:
        active = world.accounts[world.accounts["is_active"]]
        rows = world.figures["potential"].set_index("customer_id")
        place = rows["place"].reindex(active.index).fillna(1.0)
        is_underserved = active["is_underserved"].to_numpy(bool)
        assert is_higher(1 - place[is_underserved], 1 - place[~is_underserved])


def reorders_that_are_due_are_listed(worlds: Worlds) -> None:
    is_listed, is_due, told, planted = [], [], [], []
    for world in worlds:
        rows = world.figures["reorders"].set_index(["customer_id", "category"])["cycle_days"]
        steady = world.accounts[world.accounts["is_active"] & world.accounts["due_on"].notna()]
        ahead = pd.to_datetime(steady["due_on"]) - pd.Timestamp(world.world.last_day)
        keys = pd.MultiIndex.from_arrays([steady.index, steady["cycle_category"]])
        found = rows.reindex(keys)
        is_listed.append(found.notna().to_numpy())
        is_due.append(ahead.dt.days.to_numpy() <= 7)
        has = found.notna().to_numpy()
        told.append(found.to_numpy()[has])
        planted.append(steady["cycle_days"].to_numpy()[has])
    assert is_picked(np.concatenate(is_listed), np.concatenate(is_due))
    assert agrees(np.concatenate(told), np.concatenate(planted))


def advocates_are_found(worlds: Worlds) -> None:
    listed, accounts = _joined(worlds, "advocates")
    assert is_picked(listed, accounts["is_advocate"].to_numpy(bool))


def those_who_cost_more_are_found(worlds: Worlds) -> None:
    listed, accounts = _joined(worlds, "release")
    is_judged = accounts["tenure_days"].to_numpy() > 365
    planted = accounts["is_unprofitable"].to_numpy(bool)
    assert is_picked(listed[is_judged], planted[is_judged])
    # Whose service costs more than any margin loses more than who is only small.
    rows = pd.concat([world.figures["release"].set_index("customer_id") for world in worlds])
    truth = pd.concat([_listed(world, "release") for world in worlds])
    is_planted = truth["is_unprofitable"].to_numpy(bool)
    loss = -rows["result"].to_numpy()
    assert is_higher(loss[is_planted], loss[~is_planted])


def prospects_fit_as_they_are_likely_to_buy(worlds: Worlds) -> None:
    for world in worlds:
        told = world.truth.prospects.to_pandas().set_index("prospect_id")
        rows = world.figures["prospect_fit"].set_index("prospect_id")
        assert agrees(rows["fit"], told["propensity"].reindex(rows.index))
        alike = told["is_alike"].reindex(rows.index).to_numpy(bool)
        fit = rows["fit"].to_numpy()
        assert is_higher(fit[alike], fit[~alike])


def goals_count_the_customers_that_there_are(worlds: Worlds) -> None:
    """The window is the 90th percentile of the gaps: of ten customers, nine are counted or more;
    counted beside them are only those who left within it."""
    for world in worlds:
        goal = world.figures["goals"].set_index("figure").loc["customers"]
        is_customer = world.accounts["is_customer"].to_numpy(bool)
        is_active = world.accounts["is_active"].to_numpy(bool)
        assert goal["attained"] == is_active.sum()
        assert goal["gap"] == max(goal["target"] - is_active.sum(), 0)
        counted = int((is_customer & is_active).sum())
        assert not covers_less(counted, int(is_customer.sum()), 0.9)
        left = pd.to_datetime(world.accounts["left_on"][is_active & ~is_customer])
        gone = (pd.Timestamp(world.world.last_day) - left).dt.days
        assert (gone < world.activity_days).all()


# Where nothing is planted, nothing is claimed beyond the stated rate.


def no_match_is_recommended(worlds: Worlds) -> None:
    claims = [bool(world.figures["matches"]["is_recommended"].any()) for world in worlds]
    assert not errs_more(sum(claims), len(claims), MOST_CHANCE)


def no_pair_is_claimed(worlds: Worlds) -> None:
    claims = [bool(len(world.figures["cross_sell_pairs"])) for world in worlds]
    assert not errs_more(sum(claims), len(claims), FALSE_SHARE)


def popularity_recommends(worlds: Worlds) -> None:
    rows = [world.figures["next_category_evidence"] for world in worlds]
    used = [bool(r.loc[r["method"] == "similar customers", "is_used"].any()) for r in rows]
    assert not errs_more(sum(used), len(used), 0.025)


def no_reason_is_named(worlds: Worlds) -> None:
    named = [
        bool(row.is_named)
        for world in worlds
        for row in world.figures["leaving_reasons"].itertuples()
        if row.reason in TOLD_BY_REASONS
    ]
    assert not errs_more(sum(named), len(named), (1 - CONFIDENCE) / 2)


def no_sign_tells_but_being_late(worlds: Worlds) -> None:
    """Who is away for longer than usual may have left already, in any world."""
    verdicts = [
        row.verdict == "tells"
        for world in worlds
        for row in world.figures["pre_churn_quality"].itertuples()
        if row.sign not in ("late", "missed_cycles", "any_sign") and row.verdict != "too few"
    ]
    assert not errs_more(sum(verdicts), len(verdicts), (1 - CONFIDENCE) / 2)


def no_prospect_fits(worlds: Worlds) -> None:
    told = ["prospect_fit" not in world.absent for world in worlds]
    assert not errs_more(sum(told), len(told), 0.025)
