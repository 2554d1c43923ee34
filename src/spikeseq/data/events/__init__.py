"""Event cameras: recordings as lists of events, their file formats, and frames made of them."""
