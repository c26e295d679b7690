"""Loyalty points: balances, tiers, what the programme owes, and members beside others."""
