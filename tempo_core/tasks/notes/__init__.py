"""Which notes are played when, as a draft."""
