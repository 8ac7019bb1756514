"""Make the guard set from rendered clips: `python -m trainer.making.guard --help`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click
import numpy as np
from threadpoolctl import threadpool_limits

from tempo_core import checkpoint
from tempo_core.cli.command import Command
from tempo_core.model import Checkpoint
from tempo_core.tasks.tempo.config import TempoConfig
from tempo_core.tasks.tempo.network import pair_bands

from ..inputs.recordings import Recording, read_clips
from ..inputs.views import STRETCH_MARGIN, views_of
from ..learning.guard import FOLDER, Guard, save


def collect(recordings: Sequence[Recording], model: Checkpoint[TempoConfig]) -> Guard:
    """A guard set of the window in the middle of each recording.

    Raises
    ------
    AudioError
        If one of them cannot be read.
    """
    maps, statistics = [], []
    for recording in recordings:
        views = views_of(recording.path, model.front_end, model.windows, model.config.grid)
        middle = views.n_full // 2
        whole = views.maps[middle][..., STRETCH_MARGIN:-STRETCH_MARGIN].astype(np.float32)
        maps.append(pair_bands(whole, lambda a, b: (a + b) / 2))
        statistics.append(views.statistics[middle])
    styles = tuple(r.source.partition(":")[2] for r in recordings)
    return Guard(np.stack(maps), np.stack(statistics), tuple(r.bpm for r in recordings), styles)


@click.command(cls=Command)
@click.option("--clips", type=click.Path(exists=True, file_okay=False, path_type=Path),
              required=True,
              help="Folder with clips.tsv of trainer.synthesis --balanced.")  # fmt: skip
@click.option("--model", default="shipped", show_default=True, help="Whose front end to use.")
@click.option("--out", type=click.Path(path_type=Path), default=FOLDER, show_default="the package",
              help="Folder for the file.")  # fmt: skip
def main(clips: Path, model: str, out: Path) -> None:
    """Make the guard set from rendered clips."""
    network = checkpoint.load(checkpoint.resolve(model))
    threadpool_limits(1, user_api="blas")
    path = save(collect(read_clips(clips), network), network, out)
    click.echo(f"{path} ({path.stat().st_size / 1e6:.2f} MB)")


if __name__ == "__main__":
    main()
