"""What a customer buys and returns: baskets, returns, discounts and margin."""

from collections.abc import Callable, Iterable
from fractions import Fraction
from math import log

from tests.by_hand.past import YEAR, Number, Past, Seen, change, exact, minus, ratio, total

# Baskets


def _orders(past: Past, ages: Iterable[int]) -> int:
    return sum(past.orders_on(age) for age in ages)


def _units(seen: Iterable[Seen]) -> Fraction:
    return total(abs(exact(each.line.quantity)) for each in seen)


def lines_per_order(past: Past) -> Number | None:
    return ratio(len(past.purchases), _orders(past, past.ages))


def _lines_per_order_on(past: Past, ages: list[int]) -> Number | None:
    return ratio(len(past.bought_on(ages)), _orders(past, ages))


def lines_change(past: Past) -> Number | None:
    recent, earlier = past.ages[:3], past.ages[3:]
    return change(_lines_per_order_on(past, recent), _lines_per_order_on(past, earlier))


def units_per_order(past: Past) -> Number | None:
    return ratio(_units(past.purchases), _orders(past, past.ages))


def _units_per_order_on(past: Past, ages: list[int]) -> Number | None:
    return ratio(_units(past.bought_on(ages)), _orders(past, ages))


def units_change(past: Past) -> Number | None:
    recent, earlier = past.ages[:3], past.ages[3:]
    return change(_units_per_order_on(past, recent), _units_per_order_on(past, earlier))


def _products(seen: Iterable[Seen]) -> set[str]:
    return {each.line.product_id for each in seen} - {None}


def products(past: Past) -> int:
    return len(_products(past.purchases))


def product_repeat_share(past: Past) -> Number:
    return 1 - Fraction(products(past), len(past.purchases))


def new_product_share(past: Past) -> Number:
    """A product is new on the first day that it is bought on, however many lines it has there."""
    recent, earlier = past.bought_on(past.ages[:3]), past.bought_on(past.ages[3:])
    return Fraction(len(_products(recent) - _products(earlier)), len(recent))


# Categories


def _category_ages(past: Past) -> dict[str, list[int]]:
    named = [seen for seen in past.purchases if seen.line.category is not None]
    return {
        category: [seen.age for seen in named if seen.line.category == category]
        for category in {seen.line.category for seen in named}
    }


def _category_spend(past: Past, oldest: int | None = None) -> list[Fraction]:
    bought = [s for s in past.since(0, oldest) if s.amount >= 0 and s.line.category is not None]
    return [
        total(seen.amount for seen in bought if seen.line.category == category)
        for category in {seen.line.category for seen in bought}
    ]


def categories(past: Past) -> int | None:
    return len(_category_ages(past)) or None


def categories_365d(past: Past) -> int | None:
    ages = _category_ages(past)
    return sum(min(each) < YEAR for each in ages.values()) if ages else None


def categories_dropped(past: Past) -> Number | None:
    ages = _category_ages(past)
    return ratio(sum(min(each) >= YEAR for each in ages.values()), len(ages))


def category_entropy(past: Past) -> float | None:
    spent = _category_spend(past)
    if not sum(spent):
        return None
    shares = [float(each / sum(spent)) for each in spent if each]
    return -sum(share * log(share) for share in shares)


def _top_share(spent: list[Fraction]) -> Number | None:
    return ratio(max(spent, default=Fraction(0)), total(spent))


def category_top_share(past: Past) -> Number | None:
    return _top_share(_category_spend(past))


def category_top_change(past: Past) -> Number | None:
    return minus(_top_share(_category_spend(past, YEAR - 1)), _top_share(_category_spend(past)))


# Returns


def _returned(seen: Iterable[Seen]) -> Fraction:
    return total(-each.amount for each in seen if each.amount < 0)


def _spent(seen: Iterable[Seen]) -> Fraction:
    return total(each.amount for each in seen if each.amount >= 0)


def returned_365d(past: Past) -> Fraction:
    return _returned(past.since(0, YEAR - 1))


def return_days(past: Past) -> int:
    return len({seen.age for seen in past.lines if seen.amount < 0})


def return_share(past: Past) -> Number | None:
    return ratio(_returned(past.lines), _spent(past.lines))


def return_share_365d(past: Past) -> Number | None:
    lately = past.since(0, YEAR - 1)
    return ratio(_returned(lately), _spent(lately))


def last_return_days(past: Past) -> int | None:
    return min((seen.age for seen in past.lines if seen.amount < 0), default=None)


# Discounts


def _depth(seen: Iterable[Seen]) -> Number | None:
    bought = [each for each in seen if each.amount >= 0]
    taken = total(exact(each.line.discount) for each in bought)
    return ratio(taken, _spent(bought) + taken)


def discount_depth(past: Past) -> Number | None:
    return _depth(past.lines)


def discount_depth_365d(past: Past) -> Number | None:
    return _depth(past.since(0, YEAR - 1))


def discount_depth_change(past: Past) -> Number | None:
    return minus(discount_depth_365d(past), discount_depth(past))


def discounted_share(past: Past) -> Number | None:
    return ratio(sum((s.line.discount or 0) > 0 for s in past.purchases), len(past.purchases))


# Margin


def _margin(seen: Iterable[Seen]) -> Fraction:
    return total(
        each.amount - abs(exact(each.line.cost)) * (1 if each.amount >= 0 else -1) for each in seen
    )


def margin(past: Past) -> Fraction:
    return _margin(past.lines)


def margin_365d(past: Past) -> Fraction:
    return _margin(past.since(0, YEAR - 1))


def margin_share(past: Past) -> Number | None:
    return ratio(margin(past), total(seen.amount for seen in past.lines))


def margin_share_365d(past: Past) -> Number | None:
    return ratio(margin_365d(past), total(seen.amount for seen in past.since(0, YEAR - 1)))


def margin_share_change(past: Past) -> Number | None:
    return minus(margin_share_365d(past), margin_share(past))


OF_BASKETS: dict[str, Callable[[Past], Number | None]] = {
    of.__name__: of
    for of in (
        lines_per_order, lines_change, units_per_order, units_change, products,
        product_repeat_share, new_product_share, categories, categories_365d, categories_dropped,
        category_entropy, category_top_share, category_top_change, returned_365d, return_days,
        return_share, return_share_365d, last_return_days, discount_depth, discount_depth_365d,
        discount_depth_change, discounted_share, margin, margin_365d, margin_share,
        margin_share_365d, margin_share_change,
    )
}  # fmt: skip
