"""What `tempo-train` does: learn from a training set, compare, and use what is better."""
