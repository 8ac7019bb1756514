"""Which key a track is in."""
