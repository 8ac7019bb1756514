"""Pace: is a track compatible with moving at a candidate tempo? One probability a candidate."""
