"""One training's folder: its plan, its locked split, its events, who steers it."""
