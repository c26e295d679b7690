"""A user's own files -> what their columns are, how they are written, and a config that fits.

`look` reads the files once, `guess` says which column is what and how sure that is, `propose`
reads the whole history with that mapping and finds horizons that fit, `guess_customers` does the
same for a customers file, `config_text` writes it all down as YAML.
"""

from portfolio_ml.discovery.customers import CustomersGuess, guess_customers
from portfolio_ml.discovery.guess import Guess, Sighting, guess, look
from portfolio_ml.discovery.proposal import Horizon, Proposal, propose
from portfolio_ml.discovery.roles import REQUIRED, Finding
from portfolio_ml.discovery.written import config_text, slug

__all__ = [
    "REQUIRED",
    "CustomersGuess",
    "Finding",
    "Guess",
    "Horizon",
    "Proposal",
    "Sighting",
    "config_text",
    "guess",
    "guess_customers",
    "look",
    "propose",
    "slug",
]
