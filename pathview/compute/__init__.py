"""Where work runs: in this process, or in a child that may die without taking the window along."""
