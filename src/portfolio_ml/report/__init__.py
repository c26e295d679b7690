"""Frozen facts -> charts -> one HTML page that opens offline.

Walk: what there is to tell of customers (`people`, `today`), of the portfolio and of the models
(`portfolio_facts`, `evidence`), gathered into `facts`; what it means (`words`, `phrases`); how it
is drawn (`charts`); and the page of it, from the templates and scripts in `html`. Heavy libraries
load with the charts and the page.
"""
