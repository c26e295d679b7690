"""Churn, lifetime value and segments from transaction history."""
