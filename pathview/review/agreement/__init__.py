"""Readers against each other and against the truth."""
