"""Songs as they lie in the POP909 collection, made for tests."""

from __future__ import annotations

from pathlib import Path

import pretty_midi

SECONDS = 48.0
BEAT = 0.5  # [s]
NAMES = ("C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B")


def write_song(folder: Path, tonic: int, minor: bool) -> Path:
    """A song of chords in one key with a melody of their notes; returns its folder."""
    folder.mkdir(parents=True)
    third, steps = (3, (0, 5, 7, 0)) if minor else (4, (0, 5, 7, 0))
    melody, bridge, piano = (
        pretty_midi.Instrument(0, name=n) for n in ("MELODY", "BRIDGE", "PIANO")
    )
    chords = []
    for k in range(int(SECONDS / (4 * BEAT))):
        begin, end = 4 * BEAT * k, 4 * BEAT * (k + 1)
        root = (tonic + steps[k % 4]) % 12
        is_minor = minor and steps[k % 4] != 7
        notes = (0, 3 if is_minor else 4, 7)
        chords.append(f"{begin}\t{end}\t{NAMES[root]}:{'min' if is_minor else 'maj'}")
        for interval in notes:
            piano.notes.append(pretty_midi.Note(80, 48 + root + interval, begin, end))
        for number, interval in enumerate((*notes, 0)):
            start = begin + number * BEAT
            melody.notes.append(pretty_midi.Note(90, 60 + root + interval, start, start + BEAT))
        if steps[k % 4] == 0:
            melody.notes.append(pretty_midi.Note(90, 60 + tonic + third, begin, begin + BEAT))
    bridge.notes.append(pretty_midi.Note(70, 72 + tonic, 0.0, BEAT))  # an empty part is not kept
    score = pretty_midi.PrettyMIDI(initial_tempo=120)
    score.instruments += [melody, bridge, piano]
    score.write(str(folder / f"{folder.name}.mid"))
    beats = [BEAT * k for k in range(int(SECONDS / BEAT))]
    (folder / "chord_midi.txt").write_text("\n".join(chords) + "\n")
    (folder / "beat_midi.txt").write_text("".join(f"{beat} 1.0 1.0\n" for beat in beats))
    (folder / "beat_audio.txt").write_text("".join(f"{beat} 1.0\n" for beat in beats))
    mode = "min" if minor else "maj"
    (folder / "key_audio.txt").write_text(f"0.0\t{SECONDS}\t{NAMES[tonic]}:{mode}\n")
    return folder
