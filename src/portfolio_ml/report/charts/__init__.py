"""Charts of facts: each a pure function, without a colour of its own."""
