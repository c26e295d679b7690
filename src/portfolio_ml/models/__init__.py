"""Churn, lifetime value and segments: fitted on arrays, stored as data."""
