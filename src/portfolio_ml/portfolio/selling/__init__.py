"""What to offer whom, and when: next categories, reorders, key dates; and whom to win."""
