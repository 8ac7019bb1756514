"""The musical styles that `trainer.synthesis` renders, as data.

A row says how people count the style (the tempo prior), what one bar of its drums looks like and
what is played over it. The prior is what makes the octave musical: drum'n'bass is counted at 174 and
a ballad with the same number of notes a second at 76.

Drum patterns are strings over one bar, one character a step: `x` accent, `o` normal, `.` rest. The
number of steps divided by the number of beats is the subdivision (4 = sixteenths, 3 = triplets).
Where `groove` names styles of the Groove MIDI Dataset, human performances are used half of the time.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Style:
    """One style; tempi in BPM as people count them."""

    name: str
    weight: float  # share of the clips
    bpm: tuple[float, float, float]  # lowest, usual, highest
    beats: int = 4  # in a bar
    kick: tuple[str, ...] = ()
    snare: tuple[str, ...] = ()
    hat: tuple[str, ...] = ()
    perc: tuple[str, ...] = ()
    swing: tuple[float, float] = (0.0, 0.0)  # delay of every second step, in steps
    groove: tuple[str, ...] = ()
    electronic: float = 0.5  # probability of sampled drums instead of a General MIDI kit
    # How often harmony (a pop song's melody, chords and bass, moved to this tempo) is played over
    # the drums, and how many beats of this style a beat of that song lasts.
    harmony: float = 0.85
    stretch: tuple[float, ...] = (1.0,)
    figures: tuple[str, ...] = field(default=("pad", "arp8", "strum", "pulse"))


# One row a style reads best as a table.
# fmt: off
STYLES: tuple[Style, ...] = (
    Style("house", 6, (112, 125, 132), kick=("x...x...x...x...",),
          snare=("....x.......x...", "................"),
          hat=("..x...x...x...x.", "..x.o.x...x.o.xo", "o.x.o.x.o.x.o.x.", "ooxoooxoooxoooxo"),
          perc=("...o..o....o..o.", "..........o..o.."), electronic=0.9,
          figures=("offbeat", "pad", "arp16", "pump", "tresillo")),
    Style("techno", 4, (124, 134, 150), kick=("x...x...x...x...",),
          snare=("................", "....o.......o...", "............o..."),
          hat=("..x...x...x...x.", "ooxoooxoooxoooxo", "x.x.x.x.x.x.x.x."),
          perc=("o..o..o.o..o..o.", "..o..o....o..o.."), electronic=1.0, harmony=0.5,
          figures=("arp16", "pulse16", "pump")),
    Style("trance", 2, (130, 137, 145), kick=("x...x...x...x...",), snare=("....x.......x...",),
          hat=("..x...x...x...x.", "ooxoooxoooxoooxo"), electronic=1.0, harmony=1.0,
          figures=("arp16", "pulse16", "pump", "pad")),
    Style("edm-pop", 6, (98, 122, 130), kick=("x...x...x...x...", "x..x..x.x..x..x.", "x.....x.x......."),
          snare=("....x.......x...",), hat=("x.x.x.x.x.x.x.x.", "..x...x...x...x."),
          electronic=0.8, figures=("pump", "offbeat", "pad", "arp8", "tresillo")),
    Style("disco", 3, (104, 116, 128), kick=("x...x...x...x...",), snare=("....x.......x...",),
          hat=("o.x.o.x.o.x.o.x.", "ooxoooxoooxoooxo"), groove=("funk", "dance"), electronic=0.3,
          figures=("strum", "octaves", "offbeat")),
    Style("electro-slow", 2, (85, 100, 112), kick=("x......x..x.....", "x..x..x...x.....", "x.......x......."),
          snare=("....x.......x...",), hat=("o.o.o.o.o.o.o.o.", "oooooooooooooooo", "..o...o...o...o."),
          electronic=0.9, figures=("pad", "arp8", "pump", "tresillo")),
    Style("dnb", 4, (164, 174, 182), kick=("x.........x.....", "x..x......x.....", "x.....x...x....."),
          snare=("....x.......x...", "....x..o.o..x..o"),
          hat=("o.o.o.o.o.o.o.o.", "oooooooooooooooo", "..o...o...o...o."), electronic=0.9,
          stretch=(2.0,), figures=("pad", "arp8", "pulse", "halfpad")),
    Style("dubstep", 2, (136, 140, 150), kick=("x...............", "x.........x.....", "x..x............"),
          snare=("........x.......",), hat=("o..o..o.o..o..o.", "....o.......o...", "o...o...o...o..."),
          electronic=1.0, stretch=(2.0,), figures=("halfpad", "pulse", "tresillo")),
    Style("trap", 4, (126, 142, 170), kick=("x.....x.........", "x..x......x.....", "x.........x..x..", "x.....x..x......"),
          snare=("........x.......",),
          hat=("x.x.x.x.x.x.x.x.", "x.x.x.xxx.x.xxx.", "x.x.x.x.xxxxx.x.", "x..x..x.x..x..x.", "xxxxxxxxxxxxxxxx"),
          electronic=1.0, stretch=(2.0,), figures=("halfpad", "arp8", "pad")),
    Style("trap-slow", 3, (68, 78, 96), kick=("x..x............", "x......xx.......", "x..x..x...x....."),
          snare=("....x.......x...",), hat=("x.x.x.x.x.x.x.x.", "xxxxxxxxxxxxxxxx", "x.xxx.x.x.x.xxxx"),
          electronic=1.0, figures=("pad", "arp8", "strum")),
    Style("boombap", 5, (78, 92, 106), kick=("x......x..x.....", "x.x.....x.x.....", "x......x.xx....."),
          snare=("....x.......x...", "....x..o.o..x..."), hat=("x.x.x.x.x.x.x.x.", "o.o.o.o.o.o.o.oo"),
          swing=(0.0, 0.35), groove=("hiphop",), electronic=0.6, figures=("pad", "strum", "pulse")),
    Style("rnb", 4, (60, 82, 110), kick=("x.....x...x.....", "x..x......x.....", "x.......x.x....."),
          snare=("....x.......x...",), hat=("x.x.x.x.x.x.x.x.", "xxxxxxxxxxxxxxxx"),
          swing=(0.0, 0.25), groove=("soul", "hiphop"), electronic=0.6, figures=("pad", "arp8", "strum")),
    Style("pop", 9, (80, 108, 132), kick=("x.......x.......", "x.....x.x.......", "x..x..x.x..x....", "x.......x.x....."),
          snare=("....x.......x...",), hat=("x.o.x.o.x.o.x.o.", "o.o.o.o.o.o.o.o.", "oooooooooooooooo"),
          groove=("pop", "rock", "soul"), electronic=0.5),
    Style("pop-fast", 4, (132, 150, 182), kick=("x...x...x...x...", "x.....x.x.......", "x.......x.x....."),
          snare=("....x.......x...",), hat=("x.x.x.x.x.x.x.x.", "x...x...x...x..."),
          groove=("pop", "rock", "punk"), electronic=0.5, stretch=(1.0, 2.0)),
    Style("rock", 9, (84, 124, 152), kick=("x.......x.x.....", "x.x.....x.......", "x..x....x..x...."),
          snare=("....x.......x...",), hat=("x.x.x.x.x.x.x.x.", "x...x...x...x..."),
          groove=("rock", "country"), electronic=0.05, figures=("strum", "pulse", "pad")),
    Style("rock-fast", 5, (148, 168, 205), kick=("x...x...x...x...", "x.......x.......", "x.....x.x......."),
          snare=("....x.......x...",), hat=("x.x.x.x.x.x.x.x.", "x...x...x...x..."),
          groove=("punk", "rock"), electronic=0.0, stretch=(1.0, 2.0), figures=("strum", "pulse")),
    Style("metal", 2, (100, 140, 200), kick=("xxxxxxxxxxxxxxxx", "x.x.x.x.x.x.x.x.", "x..xx..xx..xx..x"),
          snare=("....x.......x...", "........x......."), hat=("x...x...x...x...", "x.x.x.x.x.x.x.x."),
          electronic=0.0, figures=("pulse16", "pulse")),
    Style("blast", 1, (180, 196, 215), kick=("x.x.x.x.x.x.x.x.",), snare=(".x.x.x.x.x.x.x.x", "..x...x...x...x."),
          hat=("x.x.x.x.x.x.x.x.",), electronic=0.1, stretch=(2.0,), figures=("pulse", "strum")),
    Style("hardcore", 2, (155, 172, 200), kick=("x...x...x...x...",), snare=("................", "....x.......x..."),
          hat=("..x...x...x...x.",), electronic=1.0, stretch=(1.0, 2.0), figures=("offbeat", "pulse", "arp8", "pump")),
    Style("chiptune", 4, (118, 150, 190), kick=("x...x...x...x...", "x.......x.......", "x.....x.x......."),
          snare=("....x.......x...",), hat=("..x...x...x...x.", "x.x.x.x.x.x.x.x."),
          electronic=0.8, harmony=1.0, stretch=(1.0, 2.0), figures=("arp16", "octaves", "pulse")),
    Style("funk", 4, (88, 104, 122), kick=("x.x.......x..x..", "x..x..x...x.....", "x.....x..xx....."),
          snare=("....x..o.o..x...", "....x.......x..o"), hat=("oooooooooooooooo", "x.x.x.x.x.x.x.x."),
          groove=("funk", "afrobeat"), electronic=0.1, figures=("strum", "pulse", "octaves")),
    Style("breakbeat", 3, (122, 132, 148), kick=("x.x.......xx....", "x.....x...x.....", "x..x......x....."),
          snare=("....x..o.o..x..o", "....x.......x..."), hat=("x.x.x.x.x.x.x.x.", "..x...x...x...x."),
          electronic=0.9, figures=("pad", "arp8", "tresillo")),
    Style("reggae", 3, (64, 76, 92), kick=("........x.......", "x.......x.......", "x...x...x...x..."),
          snare=("........x.......",), hat=("x.x.x.x.x.x.x.x.", "x.ox.ox.x.ox.ox."),
          swing=(0.0, 0.3), groove=("reggae",), electronic=0.3, figures=("skank", "offbeat")),
    Style("dembow", 4, (86, 96, 108), kick=("x...x...x...x...",), snare=("...x..x....x..x.",),
          hat=("..o...o...o...o.", "................", "o.o.o.o.o.o.o.o."), electronic=0.8,
          figures=("offbeat", "pad", "tresillo", "strum")),
    Style("afrobeats", 3, (96, 106, 120), kick=("x.......x.......", "x..x....x..x....", "x...x...x...x..."),
          snare=("...x..x.....x...", "......x.....x...", "...x..x...x....."), hat=("oooooooooooooooo", "x.o.x.o.x.o.x.o."),
          perc=("x..x..x...x.x...",), electronic=0.7, figures=("tresillo", "strum", "pulse")),
    Style("latin", 3, (90, 108, 135), kick=("x.....x.x.....x.", "x...x...x...x..."), snare=("..........x.....", "....o.......o..."),
          hat=("x.xxx.x.x.xxx.x.",), perc=("x..x..x...x.x...", "..x.x...x..x..x."), groove=("latin", "afrocuban"),
          electronic=0.1, figures=("tresillo", "strum", "octaves")),
    Style("bossa", 2, (118, 134, 155), kick=("x..xx..xx..xx..x",), snare=("x..x..x...x..x..",), hat=("oooooooooooooooo", "o.o.o.o.o.o.o.o."),
          groove=("latin",), electronic=0.0, stretch=(1.0, 2.0), figures=("strum", "tresillo")),
    Style("swing", 3, (110, 145, 210), kick=("o.....o.....", "............"), snare=("...o.....o..", "............"),
          hat=("x..x.xx..x.x",), groove=("jazz", "neworleans"), electronic=0.0, stretch=(1.0, 2.0),
          figures=("walk", "strum")),
    Style("shuffle", 3, (84, 116, 140), kick=("x.....x.....", "x..x..x..x..", "x.....x.x..."), snare=("...x.....x..",),
          hat=("x.xx.xx.xx.x", "x..x..x..x.."), groove=("blues",), electronic=0.1, figures=("walk", "strum", "triplet")),
    Style("waltz", 3, (84, 128, 186), beats=3, kick=("x...........", "x.......o..."), snare=("....o...o...", "....x...x...", "........o..."),
          hat=("x...x...x...", "x.x.x.x.x.x."), electronic=0.1, figures=("oompah", "arp8", "pad")),
    Style("six-eight", 3, (42, 58, 76), beats=2, kick=("x.....", "x....x", "x.x..."), snare=("...x..",),
          hat=("xooxoo", "x.xx.x"), electronic=0.1, figures=("triplet", "pad")),
    Style("twelve-eight", 3, (50, 66, 84), beats=4, kick=("x.....x.....", "x....xx....."), snare=("...x.....x..",),
          hat=("xooxooxooxoo",), electronic=0.2, figures=("triplet", "pad", "strum")),
    Style("ballad-compound", 2, (50, 67, 84), beats=4, harmony=1.0, figures=("triplet",)),
    Style("ballad-drums", 5, (60, 74, 96), kick=("x.......x.......", "x......xx.......", "x.......x.x....."), snare=("....x.......x...",),
          hat=("x.x.x.x.x.x.x.x.", "x...x...x...x...", "oooooooooooooooo"), groove=("soul", "pop", "rock", "gospel"),
          electronic=0.2, harmony=1.0, figures=("pad", "arp8", "strum")),
    Style("ballad", 6, (58, 74, 100), harmony=1.0, figures=("arp8", "arp16", "pad", "strum", "pulse")),
    Style("ballad-counted-fast", 2, (110, 136, 168), harmony=1.0, stretch=(2.0,), figures=("arp8", "halfpad", "strum")),
    Style("folk", 4, (84, 112, 140), kick=("x.......x.......", "x...x...x...x...", "................"),
          snare=("....o.......o...", "................"), hat=("..o...o...o...o.", "................"),
          perc=("o.o.o.o.o.o.o.o.", "................"), groove=("country",), electronic=0.0, harmony=1.0, figures=("strum", "arp8")),
    Style("train", 2, (92, 112, 135), kick=("x...x...x...x...",), snare=("o.oxo.oxo.oxo.ox", "ooxoooxoooxoooxo"), hat=("................",),
          groove=("country",), electronic=0.0, harmony=1.0, figures=("oompah", "strum", "walk")),
    Style("solo", 3, (66, 100, 150), harmony=1.0, figures=("none",)),
)
# fmt: on
