"""Recipes, weights, networks and the one backend that runs them."""
