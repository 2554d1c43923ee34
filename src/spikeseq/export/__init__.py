"""Programs leave Python: plain C for firmware."""
