"""Toy task that needs the tempo: how bright a track sounds for its tempo."""
