"""Toy task of the tests, added to the table with one line: how bright a track sounds, 0 to 1."""
