"""What the package costs, beside what the same work costs elsewhere."""
