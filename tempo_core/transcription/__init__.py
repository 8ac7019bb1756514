"""From the notes of a track to what people use: MIDI files, tables, parts and a metrical grid."""
