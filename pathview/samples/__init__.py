"""Sample cases that the program makes itself: phantoms of known truth, marked as phantoms."""
