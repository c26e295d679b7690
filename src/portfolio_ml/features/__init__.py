"""The feature catalogue, family by family, and the table that is made of it."""
