"""Make the key model: `python -m trainer.making.key --help`.

First it learns from painted music (`synthesis.painted`) and from sounds that have no key
(`synthesis.rendering.keyless`), then on from that together with songs whose key people named, and
with recordings on whose key two profiles and the network agree. The weights of several such runs
are averaged. Five folds by artist over all keyed songs say how good that is, and by what
temperature the confidence holds.
"""

from __future__ import annotations

import copy
import csv
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import click
import joblib
import numpy as np
import scipy.signal
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from tempo_core import checkpoint
from tempo_core.cli.command import Command
from tempo_core.config import HarmonyFrontEnd, Windows
from tempo_core.errors import ConfigError
from tempo_core.keys import Key, parse_key
from tempo_core.model import Checkpoint
from tempo_core.network import Network
from tempo_core.spectrum import LogFrequency, band_centres
from tempo_core.tasks.key.config import KeyConfig
from tempo_core.tasks.key.decode import N_KEYS, activate, key_of, number_of, posterior
from tempo_core.tasks.key.network import PIECE, KeyNet, build

from .. import options
from ..evaluation.keys import KeyMetrics, measure_keys
from ..evaluation.metrics import expected_calibration_error
from ..inputs.harmony import load_features, seen, spectrum_of
from ..synthesis.key_profiles import PROFILES, chroma, key_of_profile
from ..synthesis.painted import KeyedSong, Painter, read_song
from ..synthesis.rendering import keyless
from ..synthesis.rendering.mixing import SR
from ..tasks.key import loss as loss_of
from ..torch_ops import Learnable, usable

Array = NDArray[np.float32]
Floats = NDArray[np.float64]

N_FOLDS = 5
PAINTED_AT_ONCE = 250  # excerpts in one kept file
PAINTED_SECONDS = 26.0  # of one excerpt
KEYLESS = -1  # instead of the number of a key


@dataclass(frozen=True)
class KeyRecipe:
    """How the key network is trained.

    Attributes
    ----------
    n_painted, n_keyless
        Excerpts that are painted, and sounds without a key.
    steps, learning_rate
        Of learning from painted music alone, and of learning on.
    shares
        How often an example has no key, is painted, a keyed song, or a recording that estimators
        agree on; of both phases.
    n_frames
        Of one example, 0.4 s each; of both phases.
    piece
        Frames that have one vote while it learns; in use they are more.
    n_averaged
        Runs of learning on whose weights are averaged.
    """

    n_painted: int = 6000
    n_keyless: int = 1000
    steps: tuple[int, int] = (2500, 500)
    learning_rate: tuple[float, float] = (6e-3, 2e-3)
    shares: tuple[tuple[float, ...], tuple[float, ...]] = (
        (0.12, 0.88),
        (0.20, 0.20, 0.22, 0.38),
    )
    batch: int = 16
    n_frames: tuple[int, int] = (48, 48)
    piece: int = 12
    weight_decay: float = 1e-2
    average: float = 0.99  # decay of the moving average of the weights that is kept
    n_averaged: int = 3
    seed: int = 0


@dataclass(frozen=True)
class KeyedRecording:
    """A recording whose key is known: its name, artist, split, key and what the network sees."""

    file: str
    artist: str
    split: str
    key: Key
    spectra: Array  # (2, n_bands, n_frames)


# What the network sees, and the key's number or `KEYLESS`.
Pool = Sequence[tuple[NDArray[np.floating], int]]


def read_keyed(
    data: Path, cache: Path, front_end: HarmonyFrontEnd, jobs: int
) -> list[KeyedRecording]:
    """The songs of `songs.tsv` with a key."""
    rows = [row for row in _rows(data / "songs.tsv") if parse_key(row["key"])]
    features = load_features([data / row["file"] for row in rows], front_end, cache, jobs)
    found = []
    for row, spectrogram in zip(rows, features, strict=True):
        key = parse_key(row["key"])
        assert key is not None
        spectra = seen(spectrogram.astype(np.float32), front_end)
        found.append(KeyedRecording(row["file"], row["artist"], row["split"], key, spectra))
    return found


def read_agreed(
    data: Path, cache: Path, front_end: HarmonyFrontEnd, network: Learnable, jobs: int
) -> list[tuple[NDArray[np.floating], int]]:
    """Other recordings on whose key the network and two profiles agree, which know no labels."""
    files = [row["file"] for name in ("consensus.tsv", "charts.tsv", "rhythm.tsv")
             for row in _rows(data / name)]  # fmt: skip
    features = load_features([data / file for file in files], front_end, cache, jobs)
    found = []
    for spectrogram in tqdm(features, desc="looking for agreement", disable=None):
        plain = spectrogram.astype(np.float32)
        weights = chroma(plain, front_end)
        keys = {key_of_profile(weights, profiles) for profiles in PROFILES.values()}
        spectra = seen(plain, front_end)
        keys.add(key_of(int(answers(network, [spectra])[0].argmax())))
        if len(keys) == 1:
            found.append((spectra.astype(np.float16), number_of(keys.pop())))
    return found


def _rows(table: Path) -> list[dict[str, str]]:
    if not table.exists():
        raise ConfigError(f"no table {table}; give the folder that holds it")
    with table.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def paint_all(
    midi: Path, front_end: HarmonyFrontEnd, recipe: KeyRecipe, cache: Path, jobs: int
) -> list[tuple[NDArray[np.floating], int]]:
    """Painted excerpts as the network sees them; parts that an earlier run has kept are read."""
    cache.mkdir(parents=True, exist_ok=True)
    folders = sorted(path for path in (midi / "POP909").iterdir() if path.is_dir())
    parts = range(-(-recipe.n_painted // PAINTED_AT_ONCE))
    name = f"{recipe.seed}-{front_end.digest()}"
    missing = [k for k in parts if not (cache / f"painted-{name}-{k}.npz").exists()]
    if missing:
        songs = joblib.Parallel(n_jobs=jobs)(
            joblib.delayed(read_song)(folder)
            for folder in tqdm(folders, desc="reading songs", disable=None)
        )
        tasks = (
            joblib.delayed(_paint_part)(
                songs, front_end, [recipe.seed, k], cache / f"painted-{name}-{k}.npz"
            )
            for k in missing
        )
        run = joblib.Parallel(n_jobs=jobs, return_as="generator")(tasks)
        for _ in tqdm(run, total=len(missing), desc="painting", disable=None):
            pass
    found: list[tuple[NDArray[np.floating], int]] = []
    for k in parts:
        with np.load(cache / f"painted-{name}-{k}.npz", allow_pickle=False) as arrays:
            found += zip(arrays["spectra"], arrays["keys"].tolist(), strict=True)
    return found[: recipe.n_painted]


def _paint_part(
    songs: Sequence[KeyedSong], front_end: HarmonyFrontEnd, seed: list[int], target: Path
) -> None:
    rng, painter = np.random.default_rng(seed), Painter(songs, front_end)
    spectra: list[NDArray[np.float16]] = []
    keys: list[int] = []
    n_frames = int(PAINTED_SECONDS * front_end.fps / 2)
    while len(keys) < PAINTED_AT_ONCE:
        features, key = painter.paint(rng, PAINTED_SECONDS + 1)
        spectra.append(repeated(seen(features, front_end), n_frames).astype(np.float16))
        keys.append(number_of(key))
    temporary = target.with_suffix(".part.npz")
    np.savez(temporary, spectra=np.stack(spectra), keys=np.array(keys))
    temporary.replace(target)


def make_keyless(
    data: Path, front_end: HarmonyFrontEnd, recipe: KeyRecipe, cache: Path, jobs: int
) -> list[tuple[NDArray[np.floating], int]]:
    """Sounds without a key as the network sees them; what an earlier run has kept is read."""
    cache.mkdir(parents=True, exist_ok=True)
    target = cache / f"keyless-{recipe.seed}-{recipe.n_keyless}-{front_end.digest()}.npz"
    if not target.exists():
        tasks = (
            joblib.delayed(_keyless)(data, front_end, [recipe.seed, 1, k])
            for k in range(recipe.n_keyless)
        )
        run = joblib.Parallel(n_jobs=jobs, return_as="generator")(tasks)
        spectra = list(
            tqdm(run, total=recipe.n_keyless, desc="making what has no key", disable=None)
        )
        temporary = target.with_suffix(".part.npz")
        np.savez(temporary, spectra=np.stack(spectra))
        temporary.replace(target)
    with np.load(target, allow_pickle=False) as arrays:
        return [(spectra, KEYLESS) for spectra in arrays["spectra"]]


def _keyless(data: Path, front_end: HarmonyFrontEnd, seed: list[int]) -> NDArray[np.float16]:
    sound = keyless.make(data, PAINTED_SECONDS + 1, np.random.default_rng(seed))
    common = math.gcd(SR, front_end.sr)
    audio = scipy.signal.resample_poly(sound, front_end.sr // common, SR // common)
    features = spectrum_of(front_end).features(audio.astype(np.float32))
    n_frames = int(PAINTED_SECONDS * front_end.fps / 2)
    return repeated(seen(features, front_end), n_frames).astype(np.float16)


def repeated(spectra: NDArray[np.floating], n_frames: int) -> NDArray[np.floating]:
    """(…, n_frames) the first frames; of less the same once more from the beginning."""
    times = -(-n_frames // spectra.shape[-1])
    return np.tile(spectra, (1,) * (spectra.ndim - 1) + (times,))[..., :n_frames]


def example(
    spectra: NDArray[np.floating],
    key: int,
    n_frames: int,
    per_semitone: int,
    rng: np.random.Generator,
) -> tuple[Array, int]:
    """A random stretch, moved by up to half an octave; sometimes a run of bands is missing.

    What has no key has none when it is moved.
    """
    last = spectra.shape[-1] - n_frames
    start = int(rng.integers(0, last + 1)) if last > 0 else 0
    shown = repeated(spectra[..., start:], n_frames).astype(np.float32)
    semitones = int(rng.integers(-5, 7))
    moved = np.roll(shown, per_semitone * semitones, axis=1)
    if semitones > 0:
        moved[:, : per_semitone * semitones] = 0
    elif semitones < 0:
        moved[:, per_semitone * semitones :] = 0
    if rng.random() < 0.3:
        n_bands = moved.shape[1]
        width = int(rng.integers(10, 40))
        first = int(rng.integers(0, n_bands - width))
        moved[:, first : first + width] *= rng.uniform(0, 0.5)
    return moved, key if key == KEYLESS else (key % 12 + semitones) % 12 + 12 * (key // 12)


def targets(keys: Sequence[int]) -> Array:
    """(n, 24) probabilities of keys, by their numbers; all are equal for what has none."""
    found = np.full((len(keys), N_KEYS), 1 / N_KEYS, np.float32)
    for row, key in zip(found, keys, strict=True):
        if key != KEYLESS:
            row[:] = np.arange(N_KEYS) == key
    return found


def train(
    network: Learnable, pools: Sequence[Pool], recipe: KeyRecipe, phase: int, seed: int
) -> Learnable:
    """Learn from pools of examples; the weights are the moving average over the last steps.

    Parameters
    ----------
    phase
        0 for painted music and what has no key, 1 for learning on.
    """
    rng = np.random.default_rng([seed, phase])
    torch.manual_seed(seed)
    network = copy.deepcopy(network).train().requires_grad_(True)
    definition = network.definition
    assert isinstance(definition, KeyNet)
    definition.piece, per_semitone = recipe.piece, definition.bands_per_semitone
    optimizer = torch.optim.AdamW(
        network.parameters(), recipe.learning_rate[phase], weight_decay=recipe.weight_decay
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, recipe.learning_rate[phase], recipe.steps[phase], pct_start=0.2
    )
    average = torch.optim.swa_utils.AveragedModel(
        network,
        multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(recipe.average),
        use_buffers=True,
    )
    chances = np.array(recipe.shares[phase]) / sum(recipe.shares[phase])
    for _ in tqdm(range(recipe.steps[phase]), desc="learning", mininterval=5, disable=None):
        drawn = []
        for number in rng.choice(len(pools), recipe.batch, p=chances):
            spectra, key = pools[number][int(rng.integers(len(pools[number])))]
            drawn.append(example(spectra, key, recipe.n_frames[phase], per_semitone, rng))
        inputs = torch.from_numpy(np.stack([spectra for spectra, _ in drawn]))
        wanted = torch.from_numpy(targets([key for _, key in drawn]))
        loss = loss_of(network(inputs), wanted)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        average.update_parameters(network)
    kept = average.module
    assert isinstance(kept, Learnable)
    assert isinstance(kept.definition, KeyNet)
    kept.definition.piece = PIECE
    return kept.eval()


def averaged(networks: Sequence[Learnable]) -> Learnable:
    """One network whose weights are the mean of those of several that began from the same."""
    made = copy.deepcopy(networks[0])
    states = [network.state_dict() for network in networks]
    made.load_state_dict(
        {
            name: torch.stack([state[name] for state in states]).mean(0)
            if value.is_floating_point()
            else value
            for name, value in states[0].items()
        }
    )
    return made.eval()


def answers(network: Learnable, spectra: Sequence[Array]) -> Floats:
    """(n, 24) logits of whole recordings."""
    run = usable(network)
    return np.stack([run(one[None].astype(np.float32))[0] for one in spectra]).astype(np.float64)


def learn_on(painted_network: Learnable, pools: Sequence[Pool], recipe: KeyRecipe) -> Learnable:
    """Several runs of learning on, averaged."""
    seeds = range(recipe.seed, recipe.seed + recipe.n_averaged)
    return averaged([train(painted_network, pools, recipe, 1, s) for s in seeds])


def cross_validate(
    painted_network: Learnable,
    made: Sequence[Pool],
    keyed: Sequence[KeyedRecording],
    agreed: Pool,
    recipe: KeyRecipe,
) -> Floats:
    """(n, 24) logits of keyed songs, each by a network that knows none of its artist.

    Parameters
    ----------
    made
        The examples without a key, and the painted ones.
    """
    artists = sorted({recording.artist for recording in keyed})
    np.random.default_rng(recipe.seed).shuffle(artists)
    fold_of = {artist: k % N_FOLDS for k, artist in enumerate(artists)}
    logits = np.zeros((len(keyed), 24))
    for fold in range(N_FOLDS):
        held = [i for i, r in enumerate(keyed) if fold_of[r.artist] == fold]
        known = [(r.spectra, number_of(r.key)) for r in keyed if fold_of[r.artist] != fold]
        network = learn_on(painted_network, (*made, known, agreed), recipe)
        logits[held] = answers(network, [keyed[i].spectra for i in held])
        told(f"fold {fold}", measure(logits[held], [keyed[i].key for i in held]))
    return logits


def measure(logits: Floats, keys: Sequence[Key]) -> KeyMetrics:
    """Figures of answers (n, 24)."""
    return measure_keys(keys, [key_of(int(row.argmax())) for row in logits])


def scores_of(logits: Floats, temperature: float) -> Floats:
    """(n, 24) scores at a temperature, as in use."""
    return activate(logits.astype(np.float32), None, temperature).astype(np.float64)


def temperature_of(logits: Floats, keys: Sequence[Key]) -> float:
    """The temperature under which the confidences are most likely, given what was right."""
    right = np.array(
        [key_of(int(row.argmax())) == key for row, key in zip(logits, keys, strict=True)]
    )
    best = (np.inf, 1.0)
    for temperature in np.geomspace(0.2, 3, 60):
        sure = posterior(scores_of(logits, temperature)).max(axis=1)
        p = sure.clip(1e-3, 1 - 1e-3)
        best = min(best, (-float(np.log(np.where(right, p, 1 - p)).sum()), float(temperature)))
    return round(best[1], 3)


def calibration_error(scores: Floats, keys: Sequence[Key]) -> float:
    """Expected calibration error of scores (n, 24), in 0..1."""
    right = [key_of(int(row.argmax())) == key for row, key in zip(scores, keys, strict=True)]
    return expected_calibration_error(posterior(scores).max(axis=1), right)


def write_answers(target: Path, keyed: Sequence[KeyedRecording], scores: Floats) -> None:
    """A table of recordings with their label, answer and confidence, the surest errors first."""
    lines = []
    for recording, likely in zip(keyed, posterior(scores), strict=True):
        found, sure = key_of(int(likely.argmax())), float(likely.max())
        lines.append((found == recording.key, -sure, recording.file, recording.key, found))
    with target.open("w", encoding="utf-8") as file:
        file.write("file\tkey\tfound\tconfidence\n")
        for _, sure, name, key, found in sorted(lines, key=lambda line: line[:2]):
            file.write(f"{name}\t{key}\t{found}\t{-sure:.3f}\n")


def told(name: str, metrics: KeyMetrics) -> None:
    """Print a line of figures."""
    click.echo(
        f"{name}: weighted {metrics.weighted:.3f}, exact {metrics.exact:.3f} of {metrics.n}; "
        + ", ".join(f"{relation} {n}" for relation, n in metrics.relations.items())
    )


def model_of(
    network: Network, front_end: HarmonyFrontEnd, config: KeyConfig
) -> Checkpoint[KeyConfig]:
    """A model that is not yet calibrated, with nothing on its card."""
    centres = band_centres(front_end)
    return Checkpoint(
        "key", "", "key", front_end, Windows(), config, centres, LogFrequency(front_end, centres),
        network, 1.0, {},
    )  # fmt: skip


@click.command(cls=Command)
@options.data
@options.cache
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), required=True,
              help="Folder for the model.")  # fmt: skip
@click.option("--steps", type=(int, int), default=KeyRecipe.steps, show_default=True,
              help="Of learning from painted music, and of learning on.")  # fmt: skip
@click.option("--painted", "n_painted", default=KeyRecipe.n_painted, show_default=True,
              help="Excerpts to paint.")  # fmt: skip
@click.option("--keyless", "n_keyless", default=KeyRecipe.n_keyless, show_default=True,
              help="Sounds without a key to make.")  # fmt: skip
@click.option("--seed", default=0, show_default=True)
@click.option("--jobs", default=2, show_default=True, help="Processes.")
def main(
    data: Path,
    cache: Path,
    out: Path,
    steps: tuple[int, int],
    n_painted: int,
    n_keyless: int,
    seed: int,
    jobs: int,
) -> None:
    """Make the key model, and say how good it is."""
    torch.set_num_threads(1)
    front_end, config = HarmonyFrontEnd(), KeyConfig()
    recipe = KeyRecipe(n_painted=n_painted, n_keyless=n_keyless, steps=steps, seed=seed)
    none = make_keyless(data, front_end, recipe, cache, jobs)
    painted = paint_all(data / "midi", front_end, recipe, cache, jobs)
    keyed = read_keyed(data, cache, front_end, jobs)
    keys = [recording.key for recording in keyed]
    torch.manual_seed(seed)
    fresh = Learnable(build(front_end, config))
    first = train(fresh, (none, painted), recipe, 0, seed)
    told("painted only", measure(answers(first, [r.spectra for r in keyed]), keys))
    agreed = read_agreed(data, cache, front_end, first, jobs)
    click.echo(f"{len(agreed)} recordings that estimators agree on")
    logits = cross_validate(first, (none, painted), keyed, agreed, recipe)
    folds, temperature = measure(logits, keys), temperature_of(logits, keys)
    scores = scores_of(logits, temperature)
    error = calibration_error(scores, keys)
    told("five folds", folds)
    click.echo(f"expected calibration error {error:.3f} at a temperature of {temperature}")
    out.mkdir(parents=True, exist_ok=True)
    write_answers(out / "folds.tsv", keyed, scores)
    train_split = [(r.spectra, number_of(r.key)) for r in keyed if r.split == "train"]
    held = [r for r in keyed if r.split == "validation"]
    network = learn_on(first, (none, painted, train_split, agreed), recipe)
    validation = measure(answers(network, [r.spectra for r in held]), [r.key for r in held])
    told("validation", validation)
    data_of = {
        "painted": len(painted), "keyless": len(none), "songs": len(train_split),
        "agreed": len(agreed),
    }  # fmt: skip
    card = {
        "summary": ", ".join(f"{n} {name}" for name, n in data_of.items()) + f", seed {seed}",
        "data": data_of,
        "recipe": asdict(recipe),
        "figures": {
            "five_folds": {**asdict(folds), "calibration_error": round(error, 4)},
            "validation": asdict(validation),
        },
        "licence": "weights MIT; learned from POP909 (MIT), the Groove MIDI Dataset (CC BY 4.0), "
        "drum samples (CC0) and recordings that are not part of the package",
        "versions": {"torch": torch.__version__, "numpy": np.__version__},
    }
    model = replace(
        model_of(usable(network), front_end, config), temperature=temperature, card=card
    )
    written = checkpoint.save(out, model)
    click.echo(f"{written} ({written.stat().st_size / 1e3:.0f} kB), temperature {temperature}")


if __name__ == "__main__":
    main()
