"""The musical styles that `trainer.synthesis` renders, as a table.

A row contains the tempi at which people count the style, drum patterns of one bar, and what is
played over them. The tempi are what decides the octave: drum'n'bass is counted at 174, and a
ballad with the same number of notes per second at 76. Where such styles are easily confused, there
is a row for each of them: fast rock with a kick on every beat is counted at 165, slow R&B with hats
in thirty-seconds at 72.

Drum patterns are strings for one bar, one character per step: `x` accent, `o` normal, `-` ghost,
`.` rest. The number of steps divided by the number of beats is the subdivision (4 = sixteenths,
3 = triplets, 8 = thirty-seconds). Where `groove` names styles of the Groove MIDI Dataset, human
performances are used half of the time.
"""

from __future__ import annotations

from dataclasses import dataclass

# General MIDI programs that play chords and figures; repeated ones are more frequent.
PIANO = (0, 0, 1, 2)
KEYS = (0, 1, 2, 4, 5, 6, 7)
GUITAR = (24, 25, 25, 26)
DISTORTED = (29, 30, 30, 28)
ORGAN = (16, 17, 18, 19)
STRINGS = (48, 49, 44, 45, 50)
CHOIR = (52, 52, 53, 54, 91)
SYNTH = (38, 50, 51, 62, 63, 80, 81, 81, 87, 88, 89, 90, 91, 94, 95)
LOFI = (4, 4, 5, 26, 11, 0)
ANY = (0, 2, 5, 24, 25, 27, 28, 29, 30, 48, 50, 51, 62, 63, 81, 90, 91)
ACOUSTIC_BASS, FINGERED, SYNTH_BASS = (32,), (33, 33, 34, 35, 36), (38, 39, 38, 39, 87)


@dataclass(frozen=True)
class Style:
    """One musical style; tempi [BPM] are as people count them."""

    name: str
    weight: float  # proportional to the share of clips
    bpm: tuple[float, float, float]  # lowest, usual, highest
    beats: int = 4  # beats in a bar
    kick: tuple[str, ...] = ()
    snare: tuple[str, ...] = ()
    hat: tuple[str, ...] = ()
    perc: tuple[str, ...] = ()
    swing: tuple[float, float] = (0.0, 0.0)  # delay of every second step, in steps
    rolls: float = 0.0  # probability of a hat roll (sextuplets or thirty-seconds) in a bar
    groove: tuple[str, ...] = ()
    loop: float = 0.0  # probability of a sampled drum loop instead of programmed drums
    electronic: float = 0.5  # probability of sampled drums instead of a General MIDI kit
    # Probability that harmony (a pop song's melody, chords and bass at this tempo) is played over
    # the drums, and possible numbers of beats of this style that one beat of the song lasts.
    harmony: float = 0.85
    stretch: tuple[float, ...] = (1.0,)
    figures: tuple[str, ...] = ("pad", "arp8", "strum", "pulse")  # see `harmony.ACCOMPANIMENTS`
    programs: tuple[int, ...] = ANY  # General MIDI programs that play the figure
    bass: tuple[int, ...] = (32, 33, 34, 35, 36, 37, 38, 39)  # General MIDI programs; () for none
    vocal: float = 0.3  # probability that a synthetic voice sings the melody
    solo: bool = False  # one instrument plays everything

    @property
    def triplets(self) -> bool:
        """Whether the beats are divided in three."""
        drums = (*self.kick, *self.snare, *self.hat)
        return len(drums[0]) == 3 * self.beats if drums else self.figures[0] == "triplet"


# Not formatted, so that the rows stay readable as a table.
# fmt: off
STYLES: tuple[Style, ...] = (
    # -- electronic, four on the floor
    Style("house", 5, (112, 125, 132), kick=("x...x...x...x...",),
          snare=("....x.......x...", "................"),
          hat=("..x...x...x...x.", "..x.o.x...x.o.xo", "o.x.o.x.o.x.o.x.", "ooxoooxoooxoooxo"),
          perc=("...o..o....o..o.", "..........o..o.."), electronic=0.9, programs=(*KEYS, *SYNTH), bass=SYNTH_BASS,
          figures=("offbeat", "pad", "arp16", "pump", "tresillo")),
    Style("techno", 3, (122, 134, 150), kick=("x...x...x...x...",),
          snare=("................", "....o.......o...", "............o..."),
          hat=("..x...x...x...x.", "ooxoooxoooxoooxo", "x.x.x.x.x.x.x.x."),
          perc=("o..o..o.o..o..o.", "..o..o....o..o.."), electronic=1.0, harmony=0.5, programs=SYNTH, bass=SYNTH_BASS,
          vocal=0.05, figures=("arp16", "pulse16", "pump", "stab")),
    Style("trance", 2, (128, 137, 146), kick=("x...x...x...x...",), snare=("....x.......x...",),
          hat=("..x...x...x...x.", "ooxoooxoooxoooxo"), electronic=1.0, harmony=1.0, programs=SYNTH, bass=SYNTH_BASS,
          figures=("arp16", "pulse16", "pump", "pad")),
    Style("edm-pop", 5, (98, 122, 130), kick=("x...x...x...x...", "x..x..x.x..x..x.", "x.....x.x......."),
          snare=("....x.......x...",), hat=("x.x.x.x.x.x.x.x.", "..x...x...x...x."),
          electronic=0.8, vocal=0.5, figures=("pump", "offbeat", "pad", "arp8", "tresillo")),
    Style("disco", 3, (104, 116, 128), kick=("x...x...x...x...",), snare=("....x.......x...",),
          hat=("o.x.o.x.o.x.o.x.", "ooxoooxoooxoooxo"), groove=("funk", "dance"), electronic=0.3,
          programs=(27, 28, *STRINGS, 2, 4), bass=FINGERED, figures=("strum", "octaves", "offbeat", "funk16")),
    Style("amapiano", 2, (108, 113, 118), kick=("x...x...x...x...", "x...............", "x...x...x......."),
          snare=("...o..o...o..o..", "......o...o.....", "..o..o....o..o.."),
          hat=("ooxoooxoooxoooxo", "o.xoo.xoo.xoo.xo"), perc=("..x..x..x..x..x.", "x..x..x...x..x..", "......x..x....x."),
          electronic=1.0, programs=KEYS, bass=SYNTH_BASS, figures=("pad", "offbeat", "log", "tresillo")),
    Style("jersey", 2, (130, 138, 150), kick=("x...x...x..x..x.",), snare=("....x.......x...", "................", "..........x..x.."),
          hat=("..x...x...x...x.", "x.x.x.x.x.x.x.x.", "................"), perc=("..o...o...o.o.o.", "....x.......x..."),
          electronic=1.0, programs=SYNTH, bass=SYNTH_BASS, figures=("pad", "stab", "offbeat", "arp8")),
    Style("synthwave", 3, (80, 104, 120), kick=("x.......x.......", "x...x...x...x...", "x.....x.x......."),
          snare=("....x.......x...",), hat=("x.x.x.x.x.x.x.x.", "oooooooooooooooo", "..x...x...x...x."),
          electronic=0.9, harmony=1.0, programs=SYNTH, bass=SYNTH_BASS, figures=("pulse16", "pulse", "arp16", "pad")),
    Style("hardcore", 2, (155, 172, 200), kick=("x...x...x...x...",), snare=("................", "....x.......x..."),
          hat=("..x...x...x...x.",), electronic=1.0, stretch=(1.0, 2.0), programs=SYNTH, bass=SYNTH_BASS,
          figures=("offbeat", "pulse", "arp8", "pump")),
    Style("chiptune", 4, (118, 150, 190), kick=("x...x...x...x...", "x.......x.......", "x.....x.x......."),
          snare=("....x.......x...",), hat=("..x...x...x...x.", "x.x.x.x.x.x.x.x."), vocal=0.1,
          electronic=0.8, harmony=1.0, stretch=(1.0, 2.0), programs=(80, 80, 81, 82), figures=("arp16", "octaves", "pulse")),
    # -- electronic, broken
    Style("electro-slow", 2, (85, 100, 112), kick=("x......x..x.....", "x..x..x...x.....", "x.......x......."),
          snare=("....x.......x...",), hat=("o.o.o.o.o.o.o.o.", "oooooooooooooooo", "..o...o...o...o."),
          electronic=0.9, programs=SYNTH, bass=SYNTH_BASS, figures=("pad", "arp8", "pump", "tresillo")),
    Style("breakbeat", 3, (118, 132, 148), kick=("x.x.......xx....", "x.....x...x.....", "x..x......x....."),
          snare=("....x..-.-..x..-", "....x.......x..."), hat=("x.x.x.x.x.x.x.x.", "..x...x...x...x."),
          electronic=0.9, loop=0.4, programs=SYNTH, bass=SYNTH_BASS, figures=("pad", "arp8", "tresillo", "stab")),
    Style("uk-garage", 2, (128, 132, 138), kick=("x.........x.....", "x......x..x.....", "x..x......x....."), snare=("....x.......x...", "....x..-....x-.."),
          hat=("..x...x...x...x.", "..xo..xo..xo..xo", "x.xox.xox.xox.xo"), perc=(".......o......o.", "...o.....o......"),
          swing=(0.1, 0.35), electronic=1.0, programs=(*KEYS, *ORGAN), bass=SYNTH_BASS, figures=("stab", "offbeat", "pad", "tresillo")),
    Style("dnb", 5, (162, 174, 182), kick=("x.........x.....", "x..x......x.....", "x.....x...x....."),
          snare=("....x.......x...", "....x..-.-..x..-"),
          hat=("o.o.o.o.o.o.o.o.", "oooooooooooooooo", "..o...o...o...o."), electronic=0.9, loop=0.4,
          stretch=(2.0,), programs=SYNTH, bass=SYNTH_BASS, figures=("pad", "arp8", "pulse", "halfpad")),
    Style("dubstep", 2, (136, 140, 150), kick=("x...............", "x.........x.....", "x..x............"),
          snare=("........x.......",), hat=("o..o..o.o..o..o.", "....o.......o...", "o...o...o...o..."),
          electronic=1.0, stretch=(2.0,), programs=SYNTH, bass=SYNTH_BASS, figures=("halfpad", "pulse", "tresillo", "triplet")),
    # -- hip-hop and R&B: trap and drill are counted fast with the snare on three, the slow ones by it
    Style("trap", 4, (126, 142, 170), kick=("x.....x.........", "x..x......x.....", "x.........x..x..", "x.....x..x......"),
          snare=("........x.......",),
          hat=("x.x.x.x.x.x.x.x.", "x.x.x.xxx.x.xxx.", "x.x.x.x.xxxxx.x.", "x..x..x.x..x..x.", "x...x...x...x..."),
          rolls=0.35, electronic=1.0, stretch=(2.0,), bass=SYNTH_BASS, figures=("halfpad", "arp8", "pad")),
    Style("drill", 3, (136, 142, 150), kick=("x.....x.........", "x..x..x.........", "x.........x..x.."),
          snare=("........x.......", "......x.......x.", "........x.....x.", "...x....x......."), hat=("x..x..x.x..x..x.", "x..x..x.x..xx.x."),
          perc=("......o.......o.",), rolls=0.3, electronic=1.0, stretch=(2.0,), bass=SYNTH_BASS, figures=("halfpad", "arp8", "triplet")),
    Style("phonk", 2, (120, 136, 160), kick=("x.....x...x.....", "x..x..x..x..x...", "x.......x......."), snare=("....x.......x...", "........x......."),
          hat=("x.x.x.x.x.x.x.x.", "xxxxxxxxxxxxxxxx"), perc=("x..x..x.x..x..x.", "x.xx.x.xx.xx.x.x", "x..x..xx..x..x.x"), electronic=1.0, loop=0.05,
          programs=SYNTH, bass=SYNTH_BASS, figures=("pad", "stab", "arp8")),
    Style("trap-slow", 5, (62, 74, 90), kick=("x..x............", "x......xx.......", "x..x..x...x....."),
          snare=("....x.......x...",), rolls=0.4,
          hat=("x.x.x.x.x.x.x.x.", "xxxxxxxxxxxxxxxx", "x.xxx.x.x.x.xxxx", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
               "x.x.x.x.x.x.xxxxx.x.x.x.xxxxx.x.", "x.x.xxxxx.x.x.x.x.x.xxxxxxxxx.x."),
          electronic=1.0, bass=SYNTH_BASS, vocal=0.5, figures=("pad", "arp8", "strum", "arp16")),
    Style("boombap", 4, (78, 92, 106), kick=("x......x..x.....", "x.x.....x.x.....", "x......x.xx....."),
          snare=("....x.......x...", "....x..-.-..x..."), hat=("x.x.x.x.x.x.x.x.", "o.o.o.o.o.o.o.oo"),
          swing=(0.0, 0.35), groove=("hiphop",), loop=0.1, electronic=0.6, programs=LOFI, figures=("pad", "strum", "pulse", "stab")),
    Style("lofi", 3, (66, 80, 94), kick=("x......x..x.....", "x.....x...x.....", "x..x......x....."), snare=("....x.......x...", "....o.......o..-"),
          hat=("x.x.x.x.x.x.x.x.", "o.x.o.x.o.x.o.xo"), swing=(0.1, 0.4), groove=("hiphop",), electronic=0.7, harmony=1.0, programs=LOFI, bass=(32, 33, 33),
          figures=("pad", "strum", "arp8", "stab")),
    Style("rnb", 4, (60, 80, 110), kick=("x.....x...x.....", "x..x......x.....", "x.......x.x....."),
          snare=("....x.......x...",), hat=("x.x.x.x.x.x.x.x.", "xxxxxxxxxxxxxxxx"), rolls=0.05, vocal=0.5,
          swing=(0.0, 0.25), groove=("soul", "hiphop"), electronic=0.6, programs=(*KEYS, 26), figures=("pad", "arp8", "strum")),
    Style("rnb-slow", 5, (56, 69, 80), kick=("x.....x...x.....", "x..x......x.....", "x.......x.x..x..", "x......xx.x....."),
          snare=("....x.......x...", "....x..-....x.-."), rolls=0.2, vocal=0.5,
          hat=("xxxxxxxxxxxxxxxx", "xoxoxoxoxoxoxoxo", "xoxoxoxoxoxoxoxoxoxoxoxoxoxoxoxo", "x.o.x.o.x.ooxoo.x.o.x.o.xooox.o."),
          perc=("..o..o....o..o..", "o.o.o.o.o.o.o.o."), electronic=0.7, programs=(*KEYS, 26), figures=("pad", "arp16", "strum", "pulse16", "arp8")),
    Style("pop-slow", 4, (60, 72, 84), kick=("x......xx.......", "x.......x.x.....", "x.x.....x.x.....", "x..x..x.x..x..x."), snare=("....x.......x...",),
          hat=("oooooooooooooooo", "xoxoxoxoxoxoxoxo", "x.x.x.x.x.x.x.x."), perc=("o.o.o.o.o.o.o.o.", "oooooooooooooooo"),
          rolls=0.05, electronic=0.6, harmony=1.0, vocal=0.5, figures=("arp16", "pulse16", "pad", "arp8", "strum16")),
    # -- pop and rock
    Style("pop", 8, (80, 108, 132), kick=("x.......x.......", "x.....x.x.......", "x..x..x.x..x....", "x.......x.x....."),
          snare=("....x.......x...",), hat=("x.o.x.o.x.o.x.o.", "o.o.o.o.o.o.o.o.", "oooooooooooooooo"),
          groove=("pop", "rock", "soul"), electronic=0.5, vocal=0.5),
    Style("pop-fast", 5, (132, 152, 184), kick=("x...x...x...x...", "x.....x.x.......", "x.......x.x....."),
          snare=("....x.......x...",), hat=("x.x.x.x.x.x.x.x.", "x...x...x...x...", "..x...x...x...x."), vocal=0.5,
          groove=("pop", "rock", "punk"), electronic=0.5, stretch=(1.0, 2.0), figures=("pulse", "strum", "quarters", "offbeat", "pad")),
    Style("rock", 7, (84, 124, 152), kick=("x.......x.x.....", "x.x.....x.......", "x..x....x..x...."),
          snare=("....x.......x...",), hat=("x.x.x.x.x.x.x.x.", "x...x...x...x..."), vocal=0.5,
          groove=("rock", "country"), electronic=0.05, programs=(*GUITAR, *DISTORTED, *DISTORTED), bass=FINGERED, figures=("strum", "pulse", "pad")),
    Style("indie-rock", 6, (138, 164, 186), kick=("x...x...x...x...", "x.......x.......", "x.......x.x.....", "x.....x.x.....x."),
          snare=("....x.......x...",), hat=("x.x.x.x.x.x.x.x.", "x...x...x...x...", "..x...x...x...x."), vocal=0.6,
          groove=("rock", "pop", "punk"), electronic=0.1, harmony=1.0, stretch=(1.0, 2.0, 2.0), programs=(27, 28, *GUITAR, *DISTORTED), bass=FINGERED,
          figures=("pulse", "strum", "quarters", "arp8")),
    Style("motown", 3, (112, 136, 180), kick=("x.......x.......", "x.....x.x.......", "x...x...x...x..."),
          snare=("x...x...x...x...", "....x.......x...", "....x.x.....x..."), hat=("x.x.x.x.x.x.x.x.", "x...x...x...x..."), perc=("x...x...x...x...", "....x.......x..."),
          groove=("soul", "rock"), electronic=0.0, harmony=1.0, stretch=(1.0, 2.0), bass=FINGERED, vocal=0.6, programs=(*PIANO, 27, 61, *ORGAN),
          figures=("quarters", "backbeat", "strum", "pulse")),
    Style("rock-fast", 5, (148, 168, 205), kick=("x...x...x...x...", "x.......x.......", "x.....x.x......."),
          snare=("....x.......x...",), hat=("x.x.x.x.x.x.x.x.", "x...x...x...x..."), vocal=0.5,
          groove=("punk", "rock"), electronic=0.0, stretch=(1.0, 2.0), programs=DISTORTED, bass=FINGERED, figures=("strum", "pulse")),
    Style("punk-d-beat", 2, (160, 184, 212), kick=("x.....x.x.....x.", "x.....x...x.....", "x.......x......."), snare=("....x.......x...",),
          hat=("x.x.x.x.x.x.x.x.", "x...x...x...x..."), groove=("punk",), electronic=0.0, stretch=(2.0,), programs=DISTORTED, bass=FINGERED, vocal=0.6,
          figures=("pulse",)),
    Style("rock-half-time", 3, (124, 146, 176), kick=("x.....x.........", "x.........x.....", "x..x......x.x..."), snare=("........x.......",),
          hat=("x...x...x...x...", "x.x.x.x.x.x.x.x."), electronic=0.1, harmony=1.0, stretch=(2.0,), programs=(*DISTORTED, 27), bass=FINGERED, vocal=0.5,
          figures=("pulse", "pad", "arp8")),
    Style("rock-slow", 3, (60, 74, 88), kick=("x.......x.x.....", "x..x....x.x.....", "x.x.....x......."), snare=("....x.......x...", "....x..-.-..x..-"),
          hat=("x.x.x.x.x.x.x.x.", "oooooooooooooooo", "x...x...x...x..."), groove=("rock", "blues"), electronic=0.05, harmony=1.0, vocal=0.5,
          programs=(*GUITAR, *DISTORTED), bass=FINGERED, figures=("strum16", "pulse", "arp16", "pad")),
    Style("metal", 2, (100, 140, 200), kick=("xxxxxxxxxxxxxxxx", "x.x.x.x.x.x.x.x.", "x..xx..xx..xx..x"),
          snare=("....x.......x...", "........x......."), hat=("x...x...x...x...", "x.x.x.x.x.x.x.x."),
          electronic=0.0, programs=DISTORTED, bass=FINGERED, figures=("pulse16", "pulse")),
    Style("blast", 1, (180, 196, 215), kick=("x.x.x.x.x.x.x.x.",), snare=(".x.x.x.x.x.x.x.x", "..x...x...x...x."),
          hat=("x.x.x.x.x.x.x.x.",), electronic=0.1, stretch=(2.0,), programs=DISTORTED, bass=FINGERED, figures=("pulse", "strum")),
    Style("funk", 4, (88, 104, 122), kick=("x.x.......x..x..", "x..x..x...x.....", "x.....x..xx....."),
          snare=("....x..-.-..x...", "....x..-....x..-", "....x.......x..o"), hat=("oooooooooooooooo", "x.x.x.x.x.x.x.x."),
          groove=("funk", "afrobeat"), loop=0.05, electronic=0.1, programs=(27, 28, 7, 4, 61, 16), bass=(33, 36, 37), figures=("strum", "pulse", "octaves", "funk16")),
    # -- around the world
    Style("reggae", 3, (64, 76, 92), kick=("........x.......", "x.......x.......", "x...x...x...x..."),
          snare=("........x.......",), hat=("x.x.x.x.x.x.x.x.", "x.ox.ox.x.ox.ox.", "..x...x...x...x."), bass=FINGERED,
          swing=(0.0, 0.3), groove=("reggae",), electronic=0.3, programs=(*ORGAN, 27, 28, 0), figures=("skank", "skank", "offbeat", "bubble")),
    Style("ska", 2, (140, 162, 190), kick=("x...x...x...x...", "x.......x.......", "........x......."), snare=("....x.......x...", "........x......."),
          hat=("..x...x...x...x.", "x.x.x.x.x.x.x.x."), groove=("reggae", "punk"), electronic=0.05, harmony=1.0, stretch=(1.0, 2.0), bass=FINGERED,
          programs=(27, 28, 61, 16, 0), figures=("skank", "offbeat")),
    Style("dembow", 4, (86, 96, 108), kick=("x...x...x...x...",), snare=("...x..x....x..x.",),
          hat=("..o...o...o...o.", "................", "o.o.o.o.o.o.o.o."), electronic=0.8, vocal=0.4,
          figures=("offbeat", "pad", "tresillo", "strum")),
    Style("afrobeats", 3, (96, 106, 120), kick=("x.......x.......", "x..x....x..x....", "x...x...x...x..."),
          snare=("...x..x.....x...", "......x.....x...", "...x..x...x....."), hat=("oooooooooooooooo", "x.o.x.o.x.o.x.o."),
          perc=("x..x..x...x.x...",), groove=("afrobeat", "highlife"), electronic=0.8, figures=("tresillo", "strum", "pulse")),
    Style("latin", 3, (90, 108, 135), kick=("x.....x.x.....x.", "x...x...x...x..."), snare=("..........x.....", "....o.......o..."),
          hat=("x.xxx.x.x.xxx.x.",), perc=("x..x..x...x.x...", "..x.x...x..x..x."), groove=("latin", "afrocuban"),
          electronic=0.1, programs=(*PIANO, 24, 25, 61), figures=("tresillo", "strum", "octaves", "montuno")),
    Style("salsa", 2, (160, 186, 214), kick=("......x.....x...", "x.....x...x....."), snare=("............o.o.", "................"),
          hat=("x...x.x.x...x.x.", "x.x.x.x.x.x.x.x."), perc=("o.o.x.o.o.o.xxo.", "x.....x.....x..."), groove=("afrocuban", "latin"),
          electronic=0.0, harmony=1.0, stretch=(2.0,), programs=PIANO, bass=ACOUSTIC_BASS, figures=("montuno", "octaves", "tresillo")),
    Style("bossa", 2, (118, 134, 155), kick=("x..xx..xx..xx..x",), snare=("x..x..x...x..x..",), hat=("oooooooooooooooo", "o.o.o.o.o.o.o.o."),
          groove=("latin",), electronic=0.0, stretch=(1.0, 2.0), programs=(24, 24, 0, 26), bass=ACOUSTIC_BASS, figures=("strum", "tresillo")),
    Style("samba", 1, (92, 104, 130), kick=("x..xx..xx..xx..x", "o...x...o...x..."), snare=("o-oo-oo-o-oo-oo-", "x--x--x-x--x-x--"), hat=("xooxxooxxooxxoox",),
          perc=("x.x..x.x.x.xx.x.", "..x...x...x...x."), groove=("latin",), electronic=0.05, programs=(24, 25, 61), bass=FINGERED, figures=("funk16", "tresillo", "strum")),
    Style("polka", 2, (106, 120, 140), beats=2, kick=("x...x...",), snare=("..x...x.",), hat=("..x...x.", "x.x.x.x."), perc=("........", "..x...x."),
          electronic=0.1, harmony=1.0, bass=(32, 58), programs=(21, 21, 23, 0, 61), vocal=0.2, figures=("skank", "offbeat")),
    Style("march", 1, (100, 116, 132), beats=2, kick=("x...x...",), snare=("..x..-x.", "x.ooxooo", "xooxxoxx"), hat=("........", "..x...x."),
          electronic=0.0, harmony=1.0, programs=(56, 57, 60, 61, 68), bass=(58,), vocal=0.1, figures=("skank", "offbeat", "quarters")),
    # -- swung and triple
    Style("swing", 3, (110, 148, 220), kick=("o.....o.....", "............", "o..o..o..o.."), snare=("...o.....o..", "............", "..-.....-..."),
          hat=("x..x.xx..x.x",), groove=("jazz", "neworleans"), electronic=0.0, stretch=(1.0, 2.0), bass=ACOUSTIC_BASS,
          programs=(0, 0, 26, 11, 66), figures=("walk", "strum", "backbeat")),
    Style("jazz-ballad", 1, (54, 66, 84), kick=("o.....o.....", "............"), snare=("-..o..-..o..", "............"), hat=("x..o.ox..o.o", "o..x..o..x.."),
          groove=("jazz",), electronic=0.0, harmony=1.0, bass=ACOUSTIC_BASS, programs=(0, 0, 26), figures=("pad", "walk", "strum")),
    Style("shuffle", 3, (84, 116, 140), kick=("x.....x.....", "x..x..x..x..", "x.....x.x..."), snare=("...x.....x..",),
          hat=("x.xx.xx.xx.x", "x..x..x..x.."), groove=("blues",), electronic=0.1, bass=FINGERED, programs=(*GUITAR, *ORGAN, 0, 28), figures=("walk", "strum", "triplet")),
    Style("waltz", 3, (84, 128, 186), beats=3, kick=("x...........", "x.......o..."), snare=("....o...o...", "....x...x...", "........o..."),
          hat=("x...x...x...", "x.x.x.x.x.x."), electronic=0.1, figures=("oompah", "arp8", "pad")),
    Style("three-four-ballad", 2, (60, 84, 112), beats=3, kick=("x...........", "x.....x....."), snare=("........x...", "....x......."),
          hat=("x.x.x.x.x.x.", "oooooooooooo"), electronic=0.2, harmony=1.0, vocal=0.5, figures=("arp8", "arp16", "strum", "pad")),
    Style("waltz-solo", 1, (84, 126, 180), beats=3, harmony=1.0, programs=(0, 21, 24, 46), solo=True, figures=("oompah", "arp8")),
    Style("six-eight", 3, (42, 58, 76), beats=2, kick=("x.....", "x....x", "x.x..."), snare=("...x..",),
          hat=("xooxoo", "x.xx.x"), electronic=0.1, vocal=0.4, figures=("triplet", "pad", "pick3")),
    Style("twelve-eight", 3, (50, 66, 84), beats=4, kick=("x.....x.....", "x....xx....."), snare=("...x.....x..",),
          hat=("xooxooxooxoo",), electronic=0.2, vocal=0.4, figures=("triplet", "pad", "strum")),
    Style("gospel", 2, (52, 66, 88), kick=("x.....x.....", "x....xx....x", "x.x...x....."), snare=("...x.....x..", "...x....-x.-"),
          hat=("xooxooxooxoo", "x.xx.xx.xx.x"), groove=("gospel", "soul"), electronic=0.0, harmony=1.0, vocal=0.6, bass=FINGERED, programs=(*ORGAN, *PIANO, 52),
          figures=("triplet", "pad", "backbeat")),
    Style("doo-wop", 2, (56, 70, 116), kick=("x.....x.....", "x.....x.x..."), snare=("...x.....x..",), hat=("xxxxxxxxxxxx", "x..x..x..x.."),
          electronic=0.0, harmony=1.0, vocal=0.7, programs=(*PIANO, 27, 53), bass=ACOUSTIC_BASS, figures=("triplet", "triplet", "chop3")),
    # -- quiet
    Style("ballad-compound", 2, (50, 67, 84), beats=4, harmony=1.0, vocal=0.4, figures=("triplet", "pick3")),
    Style("ballad-drums", 5, (60, 74, 96), kick=("x.......x.......", "x......xx.......", "x.......x.x....."), snare=("....x.......x...",),
          hat=("x.x.x.x.x.x.x.x.", "x...x...x...x...", "oooooooooooooooo"), groove=("soul", "pop", "rock", "gospel"),
          electronic=0.2, harmony=1.0, vocal=0.5, figures=("pad", "arp8", "strum", "quarters")),
    Style("ballad", 5, (58, 74, 100), harmony=1.0, vocal=0.5, figures=("arp8", "arp16", "pad", "strum", "pulse", "quarters")),
    Style("ballad-counted-fast", 1, (110, 136, 168), harmony=1.0, stretch=(2.0,), figures=("arp8", "halfpad", "strum")),
    Style("country-ballad", 2, (62, 78, 100), kick=("x.......x.......", "x.......x.x....."), snare=("....o.......o...", "....x.......x..."),
          hat=("x.x.x.x.x.x.x.x.", "..o...o...o...o."), groove=("country",), electronic=0.0, harmony=1.0, vocal=0.6, bass=FINGERED, programs=(*GUITAR, 0),
          figures=("strum16", "pick", "arp8", "quarters")),
    Style("folk", 4, (84, 112, 140), kick=("x.......x.......", "x...x...x...x...", "................"),
          snare=("....o.......o...", "................"), hat=("..o...o...o...o.", "................"),
          perc=("o.o.o.o.o.o.o.o.", "................"), groove=("country",), electronic=0.0, harmony=1.0, vocal=0.5, programs=GUITAR, bass=(32, 33),
          figures=("strum", "arp8", "pick", "strum16")),
    Style("folk-fast", 2, (136, 160, 192), kick=("x...x...x...x...", "x.......x.......", "................"), snare=("....x.......x...", "................", "....o.......o..."),
          hat=("................", "..x...x...x...x."), electronic=0.0, harmony=1.0, stretch=(1.0, 2.0), vocal=0.5, programs=(*GUITAR, 105), bass=(32, 33),
          figures=("strum", "oompah", "skank", "pick")),
    Style("train", 2, (92, 112, 135), kick=("x...x...x...x...",), snare=("o-oxo-oxo-oxo-ox", "ooxoooxoooxoooxo", "-oxo-oxo-oxo-oxo"), hat=("................",),
          groove=("country",), electronic=0.0, harmony=1.0, programs=GUITAR, bass=(32, 33), figures=("oompah", "strum", "walk")),
    Style("solo", 2, (66, 100, 150), harmony=1.0, figures=("none",)),
    Style("piano-solo", 3, (58, 84, 132), harmony=1.0, programs=(0, 0, 0, 1, 2, 4), solo=True, figures=("arp8", "arp16", "quarters", "pulse", "pad", "oompah")),
    Style("guitar-solo", 3, (66, 92, 140), harmony=1.0, programs=(24, 24, 25, 25, 27), solo=True, figures=("pick", "pick", "arp8", "strum16", "strum", "arp16")),
    Style("a-cappella", 3, (60, 88, 132), harmony=1.0, programs=CHOIR, bass=(52, 53), vocal=1.0, figures=("pad", "pad", "quarters", "backbeat", "tresillo", "none")),
)
# fmt: on
