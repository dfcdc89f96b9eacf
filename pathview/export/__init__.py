"""What leaves the program. Everything here says that it is for investigational use only."""
