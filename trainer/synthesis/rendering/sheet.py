"""Picture of rendered clips.

`python -m trainer.synthesis.rendering.sheet --clips CLIPS --out sheet.png` shows spectrograms of a
few clips of every style, with the beats drawn over them and stronger downbeats. So one can see that
the drums are on the beats and that each style has its pattern.
"""

from __future__ import annotations

import io
from pathlib import Path

import click
import librosa
import matplotlib
import numpy as np
import soundfile
from PIL import Image

from tempo_core.cli.command import Command

from ...files import read_tsv

matplotlib.use("Agg")
from matplotlib import pyplot as plt


def grid_lines(row: dict[str, str], start: float, end: float) -> tuple[np.ndarray, np.ndarray]:
    """Times [s] of the beats and of the downbeats of a clip between `start` and `end`."""
    beat = 60.0 / float(row["bpm"])

    def lines(first: float, period: float) -> np.ndarray:
        k = np.arange(np.ceil((start - first) / period), np.floor((end - first) / period) + 1)
        return first + k * period

    return lines(float(row["first_beat"]), beat), lines(
        float(row["downbeat"]), beat * int(row["beats"])
    )


def draw_clip(axes: plt.Axes, path: Path, row: dict[str, str], start: float, length: float) -> None:
    """Draw `length` seconds of one clip from `start` on: mel spectrogram, beats and its name."""
    sr = soundfile.info(str(path)).samplerate
    audio, _ = soundfile.read(
        str(path), start=int(start * sr), frames=int(length * sr), dtype="float32"
    )
    mel = librosa.feature.melspectrogram(y=audio, sr=sr, n_fft=1024, hop_length=256, n_mels=40)
    axes.imshow(
        librosa.power_to_db(mel, ref=np.max, top_db=60), origin="lower", aspect="auto",
        extent=(start, start + length, 0, 1), cmap=plt.get_cmap("gray_r", 12),
        interpolation="nearest",
    )  # fmt: skip
    beats, downbeats = grid_lines(row, start, start + length)
    axes.vlines(beats, 0, 1, colors="tab:red", linewidth=0.5)
    axes.vlines(downbeats, 0, 1, colors="tab:red", linewidth=1.3)
    axes.set(xlim=(start, start + length), xticks=[], yticks=[])
    played = [name for name in ("harmony", "voice") if row[name] == "True"]
    title = f"{row['style']} {float(row['bpm']):.1f}  {row['drums']} {' '.join(played)}"
    axes.set_title(title, fontsize=6, loc="left", pad=1.5)


@click.command(cls=Command)
@click.option("--clips", type=click.Path(exists=True, file_okay=False, path_type=Path),
              required=True, help="Folder with clips.tsv of trainer.synthesis.")  # fmt: skip
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), required=True)
@click.option("--per-style", default=1, show_default=True, help="Clips of each style.")
@click.option("--style", "names", multiple=True, help="This style only; may be repeated.")
@click.option("--start", default=8.0, show_default=True, help="Second to begin at.")
@click.option("--length", default=5.0, show_default=True, help="Seconds shown.")
@click.option("--columns", default=4, show_default=True)
@click.option("--dpi", default=100, show_default=True)
def main(
    clips: Path, out: Path, per_style: int, names: tuple[str, ...], start: float, length: float,
    columns: int, dpi: int,
) -> None:  # fmt: skip
    """Draw spectrograms of clips with their beats."""
    rows = read_tsv(clips / "clips.tsv")
    chosen: list[dict[str, str]] = []
    for style in sorted({row["style"] for row in rows} & set(names) if names else
                        {row["style"] for row in rows}):  # fmt: skip
        chosen += [row for row in rows if row["style"] == style][:per_style]
    if not chosen:
        raise click.UsageError("no clips of these styles")
    n_rows = -(-len(chosen) // columns)
    figure, grid = plt.subplots(
        n_rows, columns, figsize=(3.2 * columns, 0.85 * n_rows), squeeze=False
    )
    for axes, row in zip(grid.flat, chosen, strict=False):
        draw_clip(axes, clips / row["file"], row, start, length)
    for axes in grid.flat[len(chosen) :]:
        axes.axis("off")
    figure.subplots_adjust(0.005, 0.005, 0.995, 0.985, 0.03, 0.28)
    picture = io.BytesIO()
    figure.savefig(picture, dpi=dpi)
    plt.close(figure)
    # A palette makes the file half as large.
    Image.open(picture).convert("RGB").quantize(24, dither=Image.Dither.NONE).save(out, "PNG")
    click.echo(f"{len(chosen)} clips in {out}")


if __name__ == "__main__":
    main()
