"""Labelled recordings, and the network inputs that are computed of them for training."""
