"""Inputs as the world leaves them: broken, odd or meant to break, each with what becomes of it.

An input is refused with a sentence and an exit code, or it is read, and then it is known which rows
are kept, which are set apart, and by which rule. Fuzzing begins from the same inputs.
"""
