"""Why customers are likely to leave, as codes and sentences that are true of each."""
