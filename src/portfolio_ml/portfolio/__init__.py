"""The portfolio's own figures: who is in it, who carries it, how it flows, and whom to see to."""
