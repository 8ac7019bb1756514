"""A task for tests, added to the table by one line: how bright a track sounds, in 0..1."""
