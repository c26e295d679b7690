"""Small faults put into the package one at a time: a test must notice each of them."""
