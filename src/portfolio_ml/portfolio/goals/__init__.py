"""Goals: what is attained of each, and which customers would close the gap."""
