"""The simulated portfolio: whole and readable, and what is planted is there, and only then."""

import re
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from scipy import stats

from portfolio_ml import tables
from portfolio_ml.config import settings_from
from portfolio_ml.datasets.b2b import B2B, World, simulate
from portfolio_ml.datasets.b2b.world import EFFECTS
from portfolio_ml.engine import opened
from portfolio_ml.errors import ConfigError

pytestmark = pytest.mark.unit

WORLD = World()
NULL = WORLD.null()
SMALL = World(accounts=150, years=2)
LAST = pd.Timestamp(WORLD.last_day)
Z = 3.29  # 99.9 %: a test of chance that never fails by chance


class Seen:
    """A world's tables and truth as data frames."""

    def __init__(self, world):
        simulated = simulate(world)
        for name, table in simulated.tables.items():
            setattr(self, name, table.to_pandas())
        self.truth = {
            name: getattr(simulated.truth, name).to_pandas()
            for name in simulated.truth.__dataclass_fields__
        }
        self.bought = self.transactions[self.transactions["amount"] > 0]
        self.best_representatives = simulated.truth.best_representatives
        first = self.customers.drop_duplicates("customer_id").set_index("customer_id")
        self.accounts = self.truth["accounts"].set_index("customer_id").join(first)


@pytest.fixture(scope="module")
def planted():
    return Seen(WORLD)


@pytest.fixture(scope="module")
def null():
    return Seen(NULL)


class TestItsTables:
    def test_are_the_same_for_the_same_seed_and_others_for_another(self):
        first = simulate(SMALL)
        simulate.cache_clear()
        again, other = simulate(SMALL), simulate(replace(SMALL, seed=8))
        assert first is not again
        for name, table in first.tables.items():
            assert table.equals(again.tables[name]), name
            assert not table.equals(other.tables[name]), name
        for name in first.truth.__dataclass_fields__:
            assert getattr(first.truth, name).equals(getattr(again.truth, name)), name

    def test_load_without_a_refused_row(self):
        config = yaml.safe_load(B2B.config)
        settings = settings_from(config)
        with opened(settings.engine) as engine:
            loaded = tables.load_all(settings, engine, today=date(2026, 11, 26), say=lambda _: None)
            assert loaded.quarantine.num_rows == 0
            assert {*loaded.others} == {*config["data"]} - {"transactions"}
            assert loaded.customers.is_dated
            assert loaded.history.kept == B2B.read().num_rows

    @pytest.mark.parametrize(
        ("table", "key"),
        [
            ("customers", ["customer_id", "valid_from"]),
            ("opportunities", ["opportunity_id"]),
            ("prospects", ["prospect_id"]),
        ],
    )
    def test_tell_rows_apart_by_their_keys(self, planted, table, key):
        assert not getattr(planted, table).duplicated(key).any()

    def test_name_only_accounts_that_exist(self, planted):
        known = {*planted.customers["customer_id"]}
        assert len(known) == WORLD.accounts
        for name in ("transactions", "interactions", "contacts", "opportunities", "points"):
            assert {*getattr(planted, name)["customer_id"].dropna()} <= known, name
        assert {*planted.customers["referred_by"].dropna()} <= known
        for name in ("opportunities", "customers"):
            known = {*planted.truth["representatives"]["representative_id"]}
            assert {*getattr(planted, name)["representative_id"]} <= known

    def test_keep_to_the_history(self, planted):
        for name in ("transactions", "interactions", "contacts", "points"):
            when = getattr(planted, name)["timestamp"].astype("datetime64[us]")
            assert when.max() < LAST + pd.Timedelta(days=1), name
            assert when.min() >= LAST - pd.Timedelta(days=WORLD.days), name
        assert pd.to_datetime(planted.customers["valid_from"]).max() <= LAST

    def test_say_nothing_of_the_truth(self, planted):
        told = {c for name in B2B.tables for c in getattr(planted, name).columns}
        kept_apart = {c for table in planted.truth.values() for c in table.columns}
        shared = kept_apart - {"customer_id", "representative_id", "segment", "category"}
        assert shared & told == {"prospect_id", "held_out"}

    def test_return_no_more_than_was_sold(self, planted):
        lines = planted.transactions
        back = lines[lines["amount"] < 0]
        key = ["customer_id", "product_id"]
        sold = planted.bought.groupby(key)["quantity"].sum()
        returned = -back.groupby(key)["quantity"].sum()
        assert (returned <= sold.reindex(returned.index)).all()
        assert 0.005 < -back["amount"].sum() / planted.bought["amount"].sum() < 0.04

    def test_hold_a_referral_only_by_who_was_there_before(self, planted):
        signup = pd.to_datetime(planted.accounts["signup_date"])
        brought = planted.accounts["referred_by"].dropna()
        assert (signup[brought].to_numpy() < signup[brought.index].to_numpy()).all()

    def test_never_redeem_points_that_are_not_there(self, planted):
        ledger = planted.points.sort_values(["customer_id", "timestamp"], kind="stable")
        assert (ledger.groupby("customer_id")["points"].cumsum() >= 0).all()
        earned, redeemed = ledger[ledger["points"] > 0], ledger[ledger["points"] < 0]
        assert earned["expires_at"].notna().all()
        assert redeemed["expires_at"].isna().all()
        assert len(redeemed) > 100

    def test_date_deals_in_their_order(self, planted):
        deals = planted.opportunities
        opened, offered, closed = (
            pd.to_datetime(deals[name]) for name in ("opened_at", "offered_at", "closed_at")
        )
        assert (offered >= opened)[offered.notna()].all()
        assert (closed >= offered)[closed.notna()].all()
        assert (deals["outcome"].notna() == closed.notna()).all()
        assert 0.03 < deals["outcome"].isna().mean() < 0.15


class TestABusinessReader:
    """What a mid-size wholesaler looks like."""

    def test_believes_how_revenue_is_spread(self, planted):
        year = planted.transactions[planted.transactions["timestamp"] > LAST - pd.Timedelta("365D")]
        spend = year.groupby("customer_id")["amount"].sum().sort_values(ascending=False)
        assert 0.65 < spend.head(len(spend) // 5).sum() / spend.sum() < 0.85
        assert spend.iloc[0] / spend.sum() < 0.1
        assert 8e6 < spend.sum() < 40e6
        assert 0.2 < 1 - year["cost"].sum() / year["amount"].sum() < 0.35

    def test_believes_how_often_accounts_order(self, planted):
        days = planted.bought.assign(day=planted.bought["timestamp"].dt.normalize())
        days = days.drop_duplicates(["customer_id", "day"]).sort_values("day")
        gaps = days.groupby("customer_id")["day"].diff().dt.days
        assert 10 < gaps.median() < 40
        recency = (LAST - days.groupby("customer_id")["day"].max()).dt.days
        assert 0.45 < (recency <= 90).mean() < 0.75

    def test_sees_the_year_in_the_orders(self, planted):
        month = planted.bought.drop_duplicates("order_id")["timestamp"].dt.month
        by_month = month.value_counts()
        assert by_month.loc[[4, 5, 6]].mean() > 1.15 * by_month.loc[[11, 12, 1]].mean()
        assert planted.bought["timestamp"].dt.day_of_week.max() == 4


def share_above(counts, trials, chance):
    """How many standard deviations a share lies above chance."""
    return (counts - trials * chance) / np.sqrt(trials * chance * (1 - chance))


def decided(seen):
    deals = seen.opportunities.dropna(subset="outcome")
    return deals.assign(is_won=deals["outcome"] == "won")


class TestRepresentatives:
    def test_win_as_often_as_planted(self, planted):
        cells = decided(planted).groupby(["representative_id", "segment"])["is_won"]
        found = cells.agg(["sum", "size"]).join(
            planted.truth["representatives"].set_index(["representative_id", "segment"])
        )
        rate = found["win_rate"]
        z = (found["sum"] - found["size"] * rate) / np.sqrt(found["size"] * rate * (1 - rate))
        assert z.abs().max() < 4
        assert 0.5 < (z**2).mean() < 1.6
        assert rate.max() - rate.min() > 0.3

    def test_are_all_alike_in_the_null_world(self, planted, null):
        def p_value(seen):
            deals = decided(seen)
            cell = deals["representative_id"] + deals["segment"]
            return stats.chi2_contingency(pd.crosstab(cell, deals["is_won"])).pvalue

        assert p_value(planted) < 1e-9
        assert p_value(null) > 0.001
        assert null.truth["representatives"]["win_rate"].nunique() == 1

    def test_are_best_where_the_truth_says(self, planted):
        rates = planted.truth["representatives"]
        for segment, best in planted.best_representatives.items():
            of_segment = rates[rates["segment"] == segment].set_index("representative_id")
            assert of_segment["win_rate"].idxmax() == best


class TestCoolingDown:
    def test_orders_become_fewer_before_an_account_leaves(self, planted):
        cooling = planted.truth["cooling"]
        cools = pd.to_datetime(cooling["cools_from"])
        known = cooling.assign(cools=cools)[
            (cools > LAST - pd.Timedelta("1000D")) & (cools < LAST - pd.Timedelta("180D"))
        ]
        orders = planted.bought.drop_duplicates("order_id").merge(known, on="customer_id")
        since = (orders["timestamp"] - orders["cools"]).dt.days
        before = since.between(-180, -1).groupby(orders["customer_id"]).sum()
        after = since.between(0, 179).groupby(orders["customer_id"]).sum()
        assert after.sum() < 0.75 * before.sum()
        assert stats.wilcoxon(before, after, alternative="greater").pvalue < 1e-6

    def test_satisfaction_falls_before(self, planted):
        surveys = planted.interactions[planted.interactions["kind"] == "survey"]
        found = surveys.merge(planted.truth["cooling"], on="customer_id")
        days = (found["timestamp"] - pd.to_datetime(found["cools_from"])).dt.days
        fallen, usual = (
            found["value"][days.between(0, 120)],
            found["value"][days.between(-400, -61)],
        )
        fall = usual.mean() - fallen.mean()
        error = np.hypot(usual.sem(), fallen.sem())
        assert abs(fall - WORLD.satisfaction_drop) < Z * error + 0.15  # answers are whole numbers

    def test_nobody_does_in_the_null_world(self, null):
        assert len(null.truth["cooling"]) == 0
        assert not null.truth["accounts"]["is_cooling"].any()

    def test_the_dissatisfied_leave_sooner_and_in_the_null_world_they_do_not(self, planted, null):
        def odds(seen):
            surveys = seen.interactions[seen.interactions["kind"] == "survey"]
            said = surveys.groupby("customer_id")["value"].first()  # long before most leave
            left = ~seen.accounts["is_customer"].reindex(said.index)
            return stats.spearmanr(said, left)

        assert odds(planted).statistic < 0
        assert odds(planted).pvalue < 0.001
        assert odds(null).pvalue > 0.001


class TestWinningBack:
    def test_adds_as_many_returns_as_planted(self, planted):
        told = planted.truth["contacts"]
        asked, left_alone = told[~told["held_out"]], told[told["held_out"]]
        gain = asked["returned"].mean() - left_alone["returned"].mean()
        error = np.hypot(asked["returned"].sem(), left_alone["returned"].sem())
        assert abs(gain - asked["response_uplift"].mean()) < Z * error
        assert gain > Z * error

    def test_shows_in_the_orders_after_the_contacts(self, planted, null):
        def gain(seen):
            back = seen.contacts[seen.contacts["campaign"].str.startswith("win-back")]
            orders = seen.bought[["customer_id", "timestamp"]].rename(columns={"timestamp": "at"})
            both = back.reset_index().merge(orders, on="customer_id")
            after = (both["at"] - both["timestamp"]).dt.days.between(0, 89)
            bought = back.index.isin(both["index"][after])
            arms = back["held_out"].astype(bool).to_numpy()
            asked, alone = bought[~arms], bought[arms]
            error = np.sqrt(asked.var() / len(asked) + alone.var() / len(alone))
            return (asked.mean() - alone.mean()) / error

        assert gain(planted) > Z
        assert abs(gain(null)) < Z

    def test_holds_out_at_random(self, planted):
        told = planted.truth["contacts"]
        z = share_above(told["held_out"].sum(), len(told), WORLD.held_out_share)
        assert abs(z) < Z

    def test_is_valued_for_those_who_left_alone(self, planted):
        truth = planted.truth["accounts"]
        has_left = truth["left_on"].notna()
        for name in ("response_uplift", "value_if_returned", "winback_value"):
            assert (truth[name].notna() == has_left).all()


class TestCrossSell:
    @staticmethod
    def begun_after(seen):
        """Per ordered pair: how often the second category was begun within 182 days of the first,
        among those who had not begun it, beside the same share for any other category as first."""
        first = seen.bought.groupby(["customer_id", "category"])["timestamp"].min().unstack()
        entry = first.min(axis=1)
        rows = []
        for lead in first.columns:
            for led in first.columns.drop(lead):
                at = first[lead][(first[lead] > entry) & ~(first[led] <= first[lead])]
                at = at[at < LAST - pd.Timedelta("182D")]
                wait = (first.loc[at.index, led] - at).dt.days
                rows.append((lead, led, len(at), int((wait <= 182).sum())))
        found = pd.DataFrame(rows, columns=["category", "next_category", "trials", "begun"])
        return found.set_index(["category", "next_category"])

    def test_pairs_stand_out_by_their_lift(self, planted):
        found = self.begun_after(planted)
        pairs = found.loc[[*map(tuple, planted.truth["cross_sell"].iloc[:, :2].to_numpy())]]
        others = found.drop(pairs.index)
        base = others["begun"].sum() / others["trials"].sum()
        assert (share_above(pairs["begun"], pairs["trials"], base) > Z).all()
        lift = pairs["begun"].sum() / pairs["trials"].sum() / base
        assert 2 < lift < 1 + WORLD.cross_sell_lift  # who has begun cannot begin again

    def test_no_pair_stands_out_in_the_null_world(self, null):
        assert len(null.truth["cross_sell"]) == 0
        found = self.begun_after(null)
        base = found.groupby("next_category")[["begun", "trials"]].sum()
        chance = (base["begun"] / base["trials"]).reindex(found.index, level=1)
        tail = stats.binom.sf(found["begun"] - 1, found["trials"], chance)
        assert tail.min() * len(found) > 0.001


class TestSteadyCycles:
    def test_reorders_come_when_they_are_due(self, planted):
        truth = planted.truth["accounts"].dropna(subset="cycle_days")
        lines = planted.bought.merge(
            truth, left_on=["customer_id", "category"], right_on=["customer_id", "cycle_category"]
        ).sort_values("timestamp")
        days = lines.assign(day=lines["timestamp"].dt.normalize())
        days = days.drop_duplicates(["customer_id", "day"])
        gaps = days.groupby("customer_id")["day"].diff().dt.days / days["cycle_days"]
        assert abs(gaps.median() - 1) < 0.05
        assert (gaps.dropna().between(0.75, 1.25)).mean() > 0.75
        due = pd.to_datetime(truth["due_on"].dropna())
        assert (due > LAST).all()
        last = days.groupby("customer_id")["day"].max()
        both = truth.dropna(subset="due_on").set_index("customer_id").join(last, how="inner")
        ahead = (pd.to_datetime(both["due_on"]) - both["day"]).dt.days / both["cycle_days"]
        usual = ahead[~both["is_cooling"]]
        assert usual.between(0.7, 1.5).mean() > 0.9

    def test_there_are_none_in_the_null_world(self, null):
        assert null.truth["accounts"]["cycle_days"].isna().all()


class TestWhatAccountsAreWorth:
    def test_size_tells_of_spend_and_in_the_null_world_does_not(self, planted, null):
        def told(seen):
            spend = seen.truth["accounts"].set_index("customer_id")["needs"]
            size = seen.accounts["company_size"]
            return stats.kruskal(*(np.log(spend[size == s]) for s in size.unique())).pvalue

        assert told(planted) < 1e-9
        assert told(null) > 0.001

    def test_the_underserved_buy_less_than_they_need_in_fewer_categories(self, planted, null):
        truth = planted.accounts
        few = truth["is_underserved"]
        share = (truth["potential"] / truth["needs"])[few]
        assert np.allclose(share, WORLD.underserved_depth)
        assert (truth["potential"][~few].abs() < 1e-6).all()
        categories = planted.bought.groupby("customer_id")["category"].nunique()
        by_kind = categories.groupby(few.reindex(categories.index)).mean()
        assert by_kind[True] < 0.7 * by_kind[False]
        assert not null.truth["accounts"]["is_underserved"].any()

    def test_margins_differ_by_segment_as_planted(self, planted, null):
        def found(seen):
            lines = seen.bought.merge(
                seen.accounts["segment"].rename("of"), left_on="customer_id", right_index=True
            )
            sums = lines.groupby("of")[["amount", "cost"]].sum()
            return 1 - sums["cost"] / sums["amount"]

        truth = planted.truth["segments"].set_index("segment")["margin_share"]
        assert (found(planted) - truth).abs().max() < 0.03
        assert np.ptp(found(planted)) > 0.1
        assert np.ptp(found(null)) < 0.04

    def test_growth_differs_by_segment_as_planted(self, planted, null):
        def fastest_minus_slowest(seen):
            """The growth of tickets of accounts that were there in the first and the last year."""
            year = seen.bought["timestamp"].dt.to_period("Y-SEP").dt.year
            tickets = seen.bought.groupby(["customer_id", year, "order_id"])["amount"].sum()
            of_year = np.log(tickets).groupby(level=[0, 1]).mean().unstack()
            growth = (of_year[2025] - of_year[2022]).dropna() / 3
            segment = seen.accounts["segment"].reindex(growth.index)
            return growth.groupby(segment).agg(["mean", "sem"])

        truth = planted.truth["segments"].set_index("segment")["growth"]
        found = fastest_minus_slowest(planted)
        fast, slow = truth.idxmax(), truth.idxmin()
        gap = found["mean"][fast] - found["mean"][slow]
        error = np.hypot(found["sem"][fast], found["sem"][slow])
        assert abs(gap - 2 * WORLD.growth_spread) < Z * error
        assert gap > 2 * error
        assert (null.truth["segments"]["growth"] == 0).all()

    def test_some_cost_more_to_serve_than_they_earn(self, planted, null):
        year = planted.transactions[planted.transactions["timestamp"] > LAST - pd.Timedelta("365D")]
        sums = year.groupby("customer_id")[["amount", "cost"]].sum()
        margin = (sums["amount"] - sums["cost"]).rename("margin")
        both = planted.accounts.join(margin, how="inner")
        loses = both["margin"] < both["service_cost"]
        assert loses[both["is_unprofitable"]].mean() > 0.9
        assert loses[~both["is_unprofitable"]].mean() < 0.4
        assert not null.truth["accounts"]["is_unprofitable"].any()


class TestWhoBringsWhom:
    def test_advocates_bring_most(self, planted, null):
        truth = planted.truth["accounts"]
        by_kind = truth.groupby("is_advocate")["referred"].sum()
        assert by_kind[True] > by_kind[False]
        assert truth["referred"].sum() == planted.accounts["referred_by"].notna().sum()
        assert null.truth["accounts"]["referred"].sum() > 0
        assert not null.truth["accounts"]["is_advocate"].any()

    def test_prospects_like_the_best_are_likelier_to_buy(self, planted, null):
        def by_likeness(seen):
            return seen.truth["prospects"].groupby("is_alike")["propensity"].mean()

        assert by_likeness(planted)[True] > 1.5 * by_likeness(planted)[False]
        assert null.truth["prospects"]["propensity"].nunique() == 1
        large = planted.prospects["company_size"].isin(["50-249", "250+"])
        propensity = planted.truth["prospects"]["propensity"]
        assert propensity[large].mean() > 2 * propensity[~large].mean()


class TestTheParameters:
    def test_of_the_null_world_are_all_effects_at_zero(self):
        assert all(getattr(NULL, name) == 0 for name in EFFECTS)
        changed = {n for n in WORLD.__slots__ if getattr(WORLD, n) != getattr(NULL, n)}
        assert changed == {*EFFECTS}

    @pytest.mark.parametrize("name", EFFECTS)
    def test_each_effect_changes_something_and_not_who_signs_up_when(self, name):
        usual = simulate(SMALL)
        without = simulate(replace(SMALL, **{name: 0.0}))
        kept = ["customer_id", "signup_date", "relationship_type", "birthday"]
        one, other = (
            s.tables["customers"].to_pandas().drop_duplicates("customer_id")[kept]
            for s in (usual, without)
        )
        pd.testing.assert_frame_equal(one.reset_index(drop=True), other.reset_index(drop=True))
        assert any(not t.equals(without.tables[n]) for n, t in usual.tables.items()) or any(
            not getattr(usual.truth, n).equals(getattr(without.truth, n))
            for n in usual.truth.__dataclass_fields__
        )

    def test_spend_follows_the_skill_of_who_is_in_charge(self):
        strong = simulate(replace(SMALL, skill_on_spend=0.5))
        spend = [
            s.tables["transactions"].to_pandas().groupby("customer_id")["amount"].sum()
            for s in (strong, simulate(replace(SMALL, skill_on_spend=0.0)))
        ]
        ratio = np.log(spend[0] / spend[1]).rename("ratio")
        skill = strong.truth.representatives.to_pandas()
        skill["odds"] = np.log(skill["win_rate"] / (1 - skill["win_rate"]))
        who = strong.tables["customers"].to_pandas().drop_duplicates("customer_id", keep=False)
        both = who.merge(skill, on=["representative_id", "segment"]).join(ratio, on="customer_id")
        both = both.dropna(subset="ratio")
        slope = stats.linregress(both["odds"], both["ratio"])
        assert slope.slope == pytest.approx(0.5, abs=0.05)

    def test_an_effect_on_deals_leaves_the_orders_as_they_are(self):
        usual = simulate(SMALL).tables
        other = simulate(replace(SMALL, skill_spread=0.0, skill_on_spend=0.0)).tables
        orders = simulate(replace(SMALL, skill_on_spend=0.0)).tables
        assert other["transactions"].equals(orders["transactions"])
        assert not other["opportunities"].equals(usual["opportunities"])

    @pytest.mark.parametrize(
        ("change", "measure"),
        [
            ({"spend_spread": 2.0}, lambda t: t["transactions"]["amount"].to_numpy().std()),
            ({"median_spend": 20_000.0}, lambda t: t["transactions"]["amount"].to_numpy().sum()),
            ({"churn_rate": 0.0}, lambda t: t["transactions"].num_rows),
            ({"return_rate": 3.0}, lambda t: t["transactions"].num_rows),
            ({"held_out_share": 0.9}, lambda t: t["contacts"]["held_out"].to_numpy().mean()),
            ({"season": 0.9}, lambda t: monthly(t).std()),
            ({"cooling_depth": 0.0}, lambda t: t["transactions"].num_rows),
            ({"underserved_depth": 0.0}, lambda t: t["transactions"]["amount"].to_numpy().sum()),
            ({"prospects": 900}, lambda t: t["prospects"].num_rows),
            ({"representatives": 20}, lambda t: len(set(t["customers"]["representative_id"]))),
        ],
        ids=lambda given: "-".join(given) if isinstance(given, dict) else "",
    )
    def test_more_gives_more(self, change, measure):
        assert measure(simulate(replace(SMALL, **change)).tables) > measure(simulate(SMALL).tables)

    @pytest.mark.parametrize("seed", [1, 31])  # the latter's account never orders
    def test_may_make_the_smallest_portfolio(self, seed):
        tiny = World(seed=seed, accounts=1, years=1, representatives=1, prospects=1)
        for world in (tiny, tiny.null()):
            assert {*simulate(world).tables["customers"]["customer_id"].to_pylist()} == {"A00001"}

    @pytest.mark.parametrize("change", [{"accounts": 0}, {"held_out_share": 1.5}, {"years": 0}])
    def test_that_make_no_sense_are_refused(self, change):
        with pytest.raises(ConfigError, match=f"{next(iter(change))} = "):
            World(**change)


def monthly(of):
    """Orders by month of the year."""
    months = pd.Series(of["transactions"]["timestamp"].to_numpy()).dt.month
    return months.value_counts(normalize=True)


def test_the_page_on_it_has_every_effect_with_its_default():
    page = Path(__file__).parents[2] / "docs/explanation/simulated_b2b.md"
    rows = re.findall(r"^\| (`.+`) \| ([\d., ]+) \|", page.read_text("utf-8"), re.MULTILINE)
    told = {
        name: float(value)
        for names, values in rows
        for name, value in zip(re.findall(r"`(\w+)`", names), values.split(", "), strict=True)
    }
    assert {*EFFECTS} <= {*told}
    assert told == {name: getattr(WORLD, name) for name in told}
    depths = {name for name in told if name.endswith("_depth")}  # of an effect that is 0
    assert {name for name in told if getattr(NULL, name)} == depths
