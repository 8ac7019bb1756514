"""The pace task: the probability that one can move to a track, for each candidate tempo."""
