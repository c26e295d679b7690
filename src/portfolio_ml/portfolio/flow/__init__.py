"""Flow: who came, stayed and went, month by month and by cohort, and what becomes of it."""
