"""What the customer-base models expect, from their parameters: sums and fine grids."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import exp, log

import numpy as np
from tests.by_hand.past import Past
from tests.by_hand.purchases import monetary, purchase_span_days, repeat_days, tenure_days

from portfolio_ml.features.reference import Reference
from portfolio_ml.features.table import Horizons

Parameters = Mapping[str, float]


@dataclass(frozen=True)
class Models:
    """The parameters of the fitted models; those of Gamma-Gamma with its population mean."""

    bg_nbd: Parameters
    pareto: Parameters
    gamma_gamma: Parameters


def models_of(reference: Reference) -> Models:
    spend = reference.spend_model
    return Models(
        reference.bg_nbd_model.parameters,
        reference.purchase_model.parameters,
        {**spend.parameters, "mean": spend.population_mean},
    )


# BG/NBD


def p_alive_bg_nbd(past: Past, models: Models, horizons: Horizons) -> float:
    """Fader, Hardie & Lee (2005), equation 4.2 of the note on P(alive)."""
    r, alpha, a, b = (models.bg_nbd[name] for name in ("r", "alpha", "a", "b"))
    x, t_x, T = repeat_days(past), purchase_span_days(past), tenure_days(past)
    if x == 0:
        return 1.0
    return 1 / (1 + a / (b + x - 1) * ((alpha + T) / (alpha + t_x)) ** (r + x))


def expected_purchase_days_bg_nbd(past: Past, models: Models, horizons: Horizons) -> float:
    """The sum over k of P(at least k purchases fall due) x P(still there after k - 1 of them)."""
    r, alpha, a, b = (models.bg_nbd[name] for name in ("r", "alpha", "a", "b"))
    x, T, horizon = repeat_days(past), tenure_days(past), horizons.value_days
    exactly = exp((r + x) * log((alpha + T) / (alpha + T + horizon)))
    at_least, stays, total = 1 - exactly, 1.0, 0.0
    for k in range(1, 20_000):
        total += at_least * stays
        if at_least < 1e-14:
            break
        exactly *= (r + x + k - 1) / k * horizon / (alpha + T + horizon)
        at_least -= exactly
        stays *= (b + x + k - 1) / (a + b + x + k - 1)
    return p_alive_bg_nbd(past, models, horizons) * total


# Pareto/NBD


def log_integral(log_value: Callable[[np.ndarray], np.ndarray], span: float) -> float:
    """The log of the integral from 0 to `span`, on a grid that is fine near 0."""
    w = np.linspace(log(span) - 60, log(span), 6_001)  # Simpson's rule in log(u)
    weight = np.where(np.arange(w.size) % 2, 4.0, 2.0)
    weight[[0, -1]] = 1.0
    terms = log_value(np.exp(w)) + w + np.log(weight * (w[1] - w[0]) / 3)
    return float(terms.max() + np.log(np.exp(terms - terms.max()).sum()))


def p_alive(past: Past, models: Models, horizons: Horizons) -> float:
    """One over 1 plus the odds of having left, an integral over when since the last purchase."""
    r, alpha, s, beta = (models.pareto[name] for name in ("r", "alpha", "s", "beta"))
    x, t_x, T = repeat_days(past), purchase_span_days(past), tenure_days(past)
    if t_x == T:
        return 1.0

    def left_at(u: np.ndarray) -> np.ndarray:
        # log1p of what is left, for digits where times and parameters are of different size
        bought = (r + x) * np.log1p((T - t_x - u) / (alpha + t_x + u))
        return log(s / (beta + T)) + bought + (s + 1) * np.log1p((T - t_x - u) / (beta + t_x + u))

    return 1 / (1 + exp(min(log_integral(left_at, T - t_x), 700)))


def expected_purchase_days(past: Past, models: Models, horizons: Horizons) -> float:
    """P(alive) x the mean rate x the mean time alive within the horizon."""
    r, alpha, s, beta = (models.pareto[name] for name in ("r", "alpha", "s", "beta"))
    x, T = repeat_days(past), tenure_days(past)
    time = exp(log_integral(lambda u: -s * np.log1p(u / (beta + T)), horizons.value_days))
    return p_alive(past, models, horizons) * (r + x) / (alpha + T) * time


def p_no_purchase(past: Past, models: Models, horizons: Horizons) -> float:
    """Gone already; or alive and silent to the end of the horizon, or until leaving within it."""
    r, alpha, s, beta = (models.pareto[name] for name in ("r", "alpha", "s", "beta"))
    R, A, B = r + repeat_days(past), alpha + tenure_days(past), beta + tenure_days(past)
    horizon = horizons.churn_days

    def leaves_silent_at(u: np.ndarray) -> np.ndarray:
        return log(s / B) - R * np.log1p(u / A) - (s + 1) * np.log1p(u / B)

    stays = exp(-R * np.log1p(horizon / A) - s * np.log1p(horizon / B))
    silent = stays + exp(log_integral(leaves_silent_at, horizon))
    alive = p_alive(past, models, horizons)
    return (1 - alive) + alive * silent


# Spend


def expected_ticket(past: Past, models: Models, horizons: Horizons) -> float:
    p, q, mean = (models.gamma_gamma[name] for name in ("p", "q", "mean"))
    x, own = repeat_days(past) + 1, float(monetary(past))
    if own == 0:
        return mean
    return ((max(q, 1) - 1) * mean + p * x * own) / (max(q, 1) - 1 + p * x)


def expected_spend(past: Past, models: Models, horizons: Horizons) -> float:
    return expected_purchase_days(past, models, horizons) * expected_ticket(past, models, horizons)


OF_MODEL: dict[str, Callable[[Past, Models, Horizons], float]] = {
    of.__name__: of
    for of in (
        p_alive, p_no_purchase, expected_purchase_days, p_alive_bg_nbd,
        expected_purchase_days_bg_nbd, expected_ticket, expected_spend,
    )
}  # fmt: skip
