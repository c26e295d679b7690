"""Whom to keep, win back, ask for more or let go, who speaks for the business; and why."""
