"""The training wizard: a page for each step, over one training's folder."""
