"""Pictures of tempi over time for the guide: `python docs/curves.py`.

Makes a live recording that drifts, a medley of two tempi and a ritardando in a temporary folder,
and runs `tempo-core plot` on them; it writes `docs/images/curve-<name>.png`.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
from tests.audio import Audio, drum_pattern, warped, write_audio  # noqa: E402

IMAGES = ROOT / "docs" / "images"
SR = 22050


def recordings() -> dict[str, Audio]:
    """Audio (n_samples,) at `SR` by its name."""

    def band(bpm: float, duration: float, style: str = "rock") -> Audio:
        return drum_pattern(bpm, duration, SR, style, np.random.default_rng(0))

    time = np.arange(180 * SR) / SR
    swaying = 1 + 0.02 * np.sin(2 * np.pi * time / 110) + 0.02 * time / 180
    slowing = np.concatenate([np.ones(60 * SR), np.linspace(1, 0.6, 45 * SR)])
    return {
        "live": warped(band(118, 190), swaying),
        "medley": np.concatenate([band(104, 70), band(126, 70, "house")]),
        "ritardando": warped(band(120, 110), slowing),
    }


def main() -> None:
    """Make the files and their pictures."""
    with tempfile.TemporaryDirectory() as folder:
        files = [
            str(write_audio(Path(folder) / f"{name}.flac", audio, SR))
            for name, audio in recordings().items()
        ]
        pictures = str(IMAGES / "curve-{name}.png")
        subprocess.run(
            [sys.executable, "-m", "tempo_core.cli", "plot", *files, "-o", pictures], check=True
        )


if __name__ == "__main__":
    main()
