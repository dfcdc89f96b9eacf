"""Versions that are shown to readers: contest, promotion, silent running, drift."""
