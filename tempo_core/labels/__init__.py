"""Published BPM and key of recordings: fetched politely, matched strictly, checked by the audio.

A published label is only a hypothesis. Each is stored as it was found, together with its source,
the evidence that it is about this very recording, and its comparison with the audio.
"""
