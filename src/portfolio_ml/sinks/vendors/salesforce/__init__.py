"""Salesforce, through Bulk API 2.0: a batch is a job."""

from portfolio_ml.sinks.vendors.salesforce.vendor import Salesforce

__all__ = ["Salesforce"]
