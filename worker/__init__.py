"""Runs in, events out. Knows no HTTP."""
