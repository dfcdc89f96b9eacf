"""What predictions are worth: figures, intervals, comparisons, the card that tells them."""
