"""Commands, options and exit codes; the only code that prints and reads the clock."""
