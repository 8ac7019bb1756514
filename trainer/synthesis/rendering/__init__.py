"""Rendering of compositions to audio, for making models and measuring them; not in the wheel."""
