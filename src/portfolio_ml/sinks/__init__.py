"""Delivery: SQL databases, files and CRMs over HTTP; receipts and rejected rows."""
