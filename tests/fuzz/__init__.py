"""Inputs that nobody thought of: mutations of the known ones, led by what they reach in the code.

`make fuzz` runs them for `FUZZ_SECONDS`, by Atheris; `make test` a few hundred, by Hypothesis.
"""
