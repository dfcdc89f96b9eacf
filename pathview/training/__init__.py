"""Data sets, splits by patient, training and honest evaluation."""
