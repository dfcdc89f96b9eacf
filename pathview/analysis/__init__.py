"""From an opened image and a network to a result."""
