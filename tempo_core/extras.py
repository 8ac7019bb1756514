"""Which optional packages bring what is missing."""

from __future__ import annotations

# By the package that is imported; whatever else a command lacks is for training.
OF_PACKAGE = {"pretty_midi": "synthesis", "soundfile": "synthesis", "mirdata": "datasets"}


def advice(error: ImportError) -> str:
    """The command that installs what could not be imported."""
    package = (error.name or "").partition(".")[0]
    return f"pip install 'beets-tempo[{OF_PACKAGE.get(package, 'train')}]'"
