"""Delivery: SQL databases and files; receipts and rejected rows."""
