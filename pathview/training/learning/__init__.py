"""From samples to weights."""
