"""How customers and the business were in touch: touches, satisfaction, the time to a decision."""
