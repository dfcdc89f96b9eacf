"""What an analysis found, apart from how it was found."""
