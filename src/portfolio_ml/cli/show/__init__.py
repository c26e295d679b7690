"""Results as plain values for `--json`, and drawn for people."""
