"""Representatives: what each reaches where, luck set aside, and who should look after whom."""
