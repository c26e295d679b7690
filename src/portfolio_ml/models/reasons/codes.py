"""The churn reasons' codes, in the order that breaks ties, and which one a feature speaks for.

The codes are a contract with the CRM: they stay, whatever the models learn from. A code with a
subject is told as `CODE:subject`, such as `PROFILE:region`.
"""

import re
from collections.abc import Collection

import pyarrow as pa

from portfolio_ml.models.reasons.purchases import PURCHASES
from portfolio_ml.models.reasons.reason import Figures, Reason
from portfolio_ml.models.reasons.relations import RELATIONS
from portfolio_ml.models.reasons.spend import SPEND

REASONS: tuple[Reason, ...] = (*PURCHASES, *SPEND, *RELATIONS)
BY_CODE = {reason.code: reason for reason in REASONS}
_ORDER = {code: position for position, code in enumerate(BY_CODE)}

# What the customer-base model rests on, and what else is plain to see without one: the weight of
# each code in log-odds is nobody's estimate, and says only which of them is told first.
BY_RULE = {"OVERDUE": 4.0, "BUYING_LESS_OFTEN": 3.0, "SPEND_FALLING": 2.0, "FEW_PURCHASES": 1.0}


def spoken_for(feature: str, features: Collection[str]) -> tuple[str, str]:
    """The code that a feature speaks for, and its subject, which may be empty.

    Args:
        feature: The feature's name.
        features: All that are there.

    Example:
        >>> spoken_for("spend_90d", []), spoken_for("region_known_share", [])
        (('SPEND_FALLING', ''), ('PROFILE', 'region'))
        >>> spoken_for("nights_away", [])
        ('OWN_FEATURE', 'nights_away')
    """
    for reason in REASONS:
        for pattern in reason.features:
            if match := re.fullmatch(pattern, feature):
                subject = next((group for group in match.groups() if group), "")
                beside = (name.replace("*", subject) for name in reason.beside)
                if not reason.beside or any(name in features for name in beside):
                    return reason.code, subject
    raise ValueError(f"{feature!r} is no name for a feature")


def place(code_and_subject: tuple[str, str]) -> tuple[int, str]:
    """Where a reason stands among others that count as much."""
    code, subject = code_and_subject
    return _ORDER[code], subject


def told(code: str, subject: str) -> str:
    """What the CRM is told.

    Example:
        >>> told("OVERDUE", ""), told("PROFILE", "region")
        ('OVERDUE', 'PROFILE:region')
    """
    return f"{code}:{subject}" if subject else code


def sentences(codes: str | None, row: pa.Table) -> tuple[str, ...]:
    """What an account manager reads, in the order of the codes.

    Args:
        codes: As the CRM is told them.
        row: The features of that one customer.

    Example:
        >>> row = pa.table({"purchase_days": [1], "rfm_m": [2], "monetary": [12.5]})
        >>> sentences("FEW_PURCHASES, LOW_SPEND", row)
        ('bought only once', 'spends 12.50 on a purchase day, less than most')
    """
    found = []
    for each in (codes or "").split(", "):
        code, _, subject = each.partition(":")
        if code in BY_CODE:
            found.append(BY_CODE[code].sentence(Figures(row, subject)))
    return tuple(sentence for sentence in found if sentence is not None)
