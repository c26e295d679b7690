"""Has the portfolio left what its champions learnt from, and did their scores come true?

Walk: distribution (how a column is spread over bins, on each date), profile (what a champion keeps
of its training), mix (what was bought), drift (today against the profile), outcomes (delivered
scores against what happened), verdict (keep, watch or retrain).
"""
