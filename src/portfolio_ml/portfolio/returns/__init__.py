"""Profitability: rates of return, of valuations and of the stock of customers itself."""
