"""Today: whom to contact and why, and what the figures say of each customer in its row."""
