"""CRMs reached over HTTP: what each of them has to offer, and how each is spoken to."""
