"""Recordings with labels, and what networks in training are shown of them."""
