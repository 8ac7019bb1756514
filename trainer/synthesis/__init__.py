"""Synthesis of music of exactly known tempo, notes and paces, out of patterns and played music."""
