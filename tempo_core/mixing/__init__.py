"""Which track after which: what mixes with a track, and a whole set in a good order.

Tracks are values here, not files or items of a library. `transitions.py` says how well one track
follows another, `recordings.py` which of them are the same recording, `energy.py` how much each
drives, `path.py` finds the order, and `sheet.py` shows it on a page.
"""

CURVES = ("up", "down", "wave", "flat")  # ways in which energy goes in a set, see `energy.course`
