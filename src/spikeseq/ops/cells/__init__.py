"""Cells: one file for each, a pure step and its equation."""
