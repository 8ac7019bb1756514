"""Published BPM and key of recordings: fetched politely, matched strictly, checked by the audio.

A published label is a hypothesis. Each one is kept as it was found, together with where it is from,
why it is believed to be about this very recording, and what the audio says to it.
"""
