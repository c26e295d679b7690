"""Frozen facts -> charts -> one HTML page that opens offline.

Walk: number, then customers and evidence (what the rows and the backtest say), facts (all of it,
frozen), words (what it means), charts and page. Heavy libraries load with the last two.
"""
