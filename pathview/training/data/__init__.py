"""Data sets as they lie on disk: formats, samples read at a recipe's scale, parts by patient."""
