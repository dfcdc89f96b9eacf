"""Who reads which cases, how far they are, and what they may see."""
