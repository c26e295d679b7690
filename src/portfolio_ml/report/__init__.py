"""Frozen facts -> charts -> one HTML page that opens offline.

Walk: number, then customers and evidence (what the rows and the backtest say), facts (all of it,
frozen), charts, words and page. Altair, Jinja2 and the converter load with the last three.
"""
