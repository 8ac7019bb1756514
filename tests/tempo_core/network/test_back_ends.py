"""Tests that the NumPy and the torch back end of a network give the same output."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tempo_core import checkpoint
from tempo_core.audio import read_excerpts
from tempo_core.config import FrontEnd, HarmonyFrontEnd, NotesFrontEnd
from tempo_core.errors import ConfigError
from tempo_core.excerpts import Excerpt
from tempo_core.heard import Heard
from tempo_core.model import Checkpoint
from tempo_core.network import Conv, Definition, Layer, Linear, Network, Norm
from tempo_core.network.numpy_ops import NumpyOps
from tempo_core.task import answer, ask, in_order
from tempo_core.tasks import row
from tempo_core.tasks.key.config import KeyConfig, KeyModel
from tempo_core.tasks.key.network import build as build_key
from tempo_core.tasks.notes.config import NotesConfig, NotesModel
from tempo_core.tasks.notes.network import build as build_notes
from tempo_core.tasks.pace.config import PaceConfig, PaceModel
from tempo_core.tasks.pace.network import PaceNet
from tempo_core.tasks.pace.network import build as build_pace
from tempo_core.tasks.tempo.config import Model, TempoConfig, TempoGrid
from tempo_core.tasks.tempo.network import build as build_tempo
from tests.audio import applause, drum_pattern, write_audio
from tests.models import random_network
from trainer.torch_ops import Learnable, TorchOps, learnable, usable

TOLERANCE = 1e-4  # of logits
Array = np.ndarray


def torch_says(network: Network, *inputs: Array) -> Array:
    with torch.inference_mode():
        return np.asarray(learnable(network)(*map(torch.from_numpy, inputs)).numpy())


def agree(network: Network, *inputs: Array) -> None:
    """Assert that both back ends give the same float32 logits, for all at once and for one."""
    kept = [x.copy() for x in inputs]
    found, expected = network(*inputs), torch_says(network, *inputs)
    assert found.dtype == np.float32
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, atol=TOLERANCE, rtol=TOLERANCE)
    np.testing.assert_allclose(
        network(*(x[:1] for x in inputs)), expected[:1], atol=TOLERANCE, rtol=TOLERANCE
    )
    for after, before in zip(inputs, kept, strict=True):
        np.testing.assert_array_equal(after, before)


@lru_cache
def shipped() -> dict[str, tuple[Any, Checkpoint[Any]]]:
    """Row and model of each task, after those of the tasks that it needs."""
    models = {model.task: model for model in map(checkpoint.load, checkpoint.available())}
    names = in_order(list(models), lambda name: row(name).needs)
    return {name: (row(name), models[name]) for name in names}


MUSIC: dict[str, Callable[[int, np.random.Generator], Array]] = {
    "a track.mp3": lambda sr, rng: drum_pattern(126.4, 40, sr, "house", rng),
    "one window.flac": lambda sr, rng: drum_pattern(88, 11, sr, "rock", rng),
    "a few seconds.wav": lambda sr, rng: drum_pattern(173, 3.3, sr, "dnb", rng),
    "a moment.wav": lambda sr, rng: drum_pattern(140, 0.8, sr, "house", rng),
    "no pulse.ogg": lambda sr, rng: applause(15, sr, rng),
}


@pytest.mark.parametrize("name", MUSIC)
@pytest.mark.slow
def test_shipped_models_say_the_same_of_real_audio(name: str, tmp_path: Path) -> None:
    audio = MUSIC[name](22050, np.random.default_rng(3))
    path = write_audio(tmp_path / name, audio, 22050)
    sr = next(iter(shipped().values()))[1].spectrum.sr
    excerpts = read_excerpts(path, sr, None)
    if name == "a track.mp3":  # and a shorter excerpt of it: windows of two lengths
        excerpts = [*excerpts, Excerpt(excerpts[0].audio[: 5 * sr], 30.0)]
    heard, results, n_compared = Heard(excerpts, sr), {}, 0
    for task, model in shipped().values():
        for batch in task.view(heard, results, model):
            agree(model.network, *batch.inputs)
            n_compared += len(batch.which)
        scored = ask(task, heard, results, model)
        results[task.name] = answer(task, scored, heard, results, model)
    assert n_compared >= (1 if name == "a moment.wav" else 2)  # in which no pace fits
    assert results.keys() == shipped().keys()


def tempo_inputs(rng: np.random.Generator, n: int, n_mels: int, grid: TempoGrid) -> list[Array]:
    shapes = (n, 3, n_mels, grid.n_bins), (n, 4 * n_mels)
    return [rng.standard_normal(shape).astype(np.float32) for shape in shapes]


@given(
    st.integers(1, 3), st.booleans(), st.lists(st.integers(1, 9), min_size=3, max_size=3),
    st.integers(1, 9), st.integers(1, 9), st.integers(2, 20), st.integers(16, 43),
    st.sampled_from([(180, 36), (96, 16), (60, 12)]), st.integers(1, 3), st.integers(0, 99),
)  # fmt: skip
@settings(max_examples=25, deadline=None)
def test_tempo_networks_of_any_size(
    n_members: int, separate: bool, channels: list[int], n_rate: int, n_timbre: int, n_prior: int,
    n_mels: int, axis: tuple[int, int], n: int, seed: int,
) -> None:  # fmt: skip
    grid = TempoGrid(n_bins=axis[0], bins_per_octave=axis[1])
    size = Model(tuple(channels), n_rate, n_timbre, n_prior, 0.1, n_members, separate)
    if separate and axis[0] % axis[1]:
        with pytest.raises(ConfigError):
            build_tempo(FrontEnd(n_mels=n_mels), TempoConfig(grid, size))
        return
    network = random_network(build_tempo(FrontEnd(n_mels=n_mels), TempoConfig(grid, size)), seed)
    agree(network, *tempo_inputs(np.random.default_rng(seed), n, n_mels, grid))


@given(
    st.integers(1, 8), st.integers(1, 8), st.sampled_from([4, 8, 16, 32]), st.integers(4, 30),
    st.integers(4, 21), st.integers(1, 4), st.booleans(), st.integers(0, 99),
)  # fmt: skip
@settings(max_examples=25, deadline=None)
def test_pace_networks_of_any_size(
    n_channels: int, n_hidden: int, n_beats: int, n_phases: int, n_pairs: int, n: int,
    turned: bool, seed: int,
) -> None:  # fmt: skip
    size = PaceModel(n_beats, n_phases, n_channels, n_hidden, turned=turned)
    network = random_network(build_pace(FrontEnd(n_mels=2 * n_pairs), PaceConfig(model=size)), seed)
    rng = np.random.default_rng(seed)
    folds = rng.standard_normal((n, 2 * n_pairs, n_beats, n_phases)).astype(np.float32)
    agree(network, folds, rng.standard_normal((n, size.n_context)).astype(np.float32))


@given(
    st.integers(1, 6), st.integers(1, 6), st.integers(1, 6), st.integers(1, 4), st.integers(1, 7),
    st.integers(1, 9), st.integers(1, 3), st.integers(0, 99),
)  # fmt: skip
@settings(max_examples=25, deadline=None)
def test_key_networks_of_any_size(
    n_channels: int, n_merged: int, n_hidden: int, per_semitone: int, n_octaves: int,
    n_frames: int, n: int, seed: int,
) -> None:  # fmt: skip
    front_end = HarmonyFrontEnd(bands_per_semitone=per_semitone, n_octaves=n_octaves)
    size = KeyConfig(KeyModel(n_channels, n_merged, n_hidden))
    network = random_network(build_key(front_end, size), seed)
    shape = (n, 2, front_end.n_bands, n_frames)
    spectra = np.random.default_rng(seed).standard_normal(shape).astype(np.float32)
    agree(network, spectra)
    assert network(spectra).shape == (n, 24)


@given(
    st.integers(1, 5), st.integers(1, 5), st.integers(1, 5), st.integers(0, 2), st.integers(1, 3),
    st.integers(1, 40), st.integers(1, 2), st.integers(0, 99),
)  # fmt: skip
@settings(max_examples=15, deadline=None)
def test_notes_networks_of_any_size(
    n_tones: int, n_harmonics: int, n_context: int, n_layers: int, per_semitone: int,
    n_frames: int, n: int, seed: int,
) -> None:  # fmt: skip
    front_end = NotesFrontEnd(bands_per_semitone=per_semitone)
    size = NotesModel(n_tones, n_harmonics, n_context, n_layers, 2, 8, 2)
    network = random_network(build_notes(front_end, NotesConfig(size)), seed)
    shape = (n, 2, n_frames, front_end.n_bands)
    spectra = np.random.default_rng(seed).standard_normal(shape).astype(np.float32)
    agree(network, spectra)
    assert network(spectra).shape == (n, 2, n_frames, 88)


@pytest.mark.parametrize("moved", [1, 5])
def test_notes_that_are_moved_by_semitones_move_the_answer(moved: int) -> None:
    front_end = NotesFrontEnd()
    network = random_network(build_notes(front_end, NotesConfig(NotesModel(n_layers=0))), 0)
    spectra = np.zeros((1, 2, 20, front_end.n_bands), np.float32)
    # Away from both ends, beyond which a harmonic or a neighbour may lie: three octaves up.
    rng = np.random.default_rng(1)
    spectra[..., 96:126] = rng.standard_normal((1, 2, 20, 30)).astype(np.float32)
    there = np.roll(spectra, 3 * moved, axis=-1)
    before, after = network(spectra), network(there)
    np.testing.assert_allclose(after[..., 32 + moved : 42 + moved], before[..., 32:42], atol=1e-5)
    assert np.abs(before[..., 32:42]).max() > 1e-3


def test_bands_that_are_no_pairs_are_refused() -> None:
    with pytest.raises(ConfigError, match="41 bands are no pairs"):
        build_pace(FrontEnd(n_mels=41), PaceConfig())


class Everything:
    """Network of all operations, also with parameters that no task uses."""

    layers: dict[str, Layer] = {  # noqa: RUF012
        "part.plain": Conv(3, 4, (3,), (0,)),
        "part.padded": Conv(4, 4, (5,), (2,)),
        "part.circle": Conv(4, 4, (3,), (1,), circular=True),
        "part.norm": Norm(4),
        "square": Conv(1, 2, (3, 5), (1, 2)),
        "torus": Conv(2, 2, (3, 5), (1, 2), circular=True),
        "square_norm": Norm(2),
        "narrow": Conv(2, 2, (2, 1), (0, 0)),
        "out": Linear(8, 3),
    }

    def forward(self, ops: Any, *inputs: Any) -> Any:
        """(batch, 3, n) → (batch, 3)."""
        (x,) = inputs
        part = ops.at("part")
        x = ops.elu(part.conv("plain", ops.dropout(x, 0.5)))
        x = part.norm("norm", part.conv("padded", ops.dropout(x, 0.5, channels=True)))
        x = part.conv("circle", x, norm="norm")
        x = x + ops.shift(x, 2) - ops.shift(x, -3) + ops.shift(x, 0)
        n = x.shape[-1]
        wide = ops.conv("square", x[:, None], norm="square_norm")
        wide = ops.norm("square_norm", ops.conv("torus", wide))
        wide = ops.mean(ops.conv("narrow", wide), 2)  # (batch, 2, n)
        peak = ops.max(x, -1)  # (batch, 4)
        drawn = ops.interpolate(peak, 7)[:, :2] + ops.interpolate(peak[:, :1], 2)
        holes = np.arange(n) % 2 == 0
        share = ops.logsumexp(ops.masked(x, holes, -1e4), -1)[:, :2, 0]
        both = ops.mean(ops.stack([drawn, abs(share)]), 0)
        both = ops.softmax(ops.plus(both, np.array([0.5, -0.5], np.float32)))
        low = ops.maximum(wide[..., 0], wide[..., -1])
        return ops.linear("out", ops.cat([both, low, peak], 1))


@pytest.mark.parametrize("n", [8, 9, 31, 200])
@pytest.mark.parametrize("n_batch", [1, 5])
def test_every_operation(n: int, n_batch: int) -> None:
    rng = np.random.default_rng(n)
    given = rng.standard_normal((n_batch, 3, n)).astype(np.float32)
    agree(random_network(Everything(), n), given)


def test_no_operation_is_left_out() -> None:
    """The network `Everything` uses every operation of the back ends."""
    known = {name for name in dir(NumpyOps) if not name.startswith("_")}
    assert known == {name for name in dir(TorchOps) if not name.startswith("_")}
    source = Path(__file__).read_text()
    body = source[source.index("class Everything") : source.index("def test_every_operation")]
    assert [name for name in sorted(known) if f".{name}(" not in body] == []


@given(st.integers(1, 12), st.integers(1, 20), st.integers(-12, 12), st.integers(0, 99))
@settings(deadline=None)
def test_interpolating_and_shifting_at_any_size(
    n: int, wanted: int, places: int, seed: int
) -> None:
    class Nothing:
        layers: dict[str, Layer] = {}  # noqa: RUF012

        def forward(self, ops: Any, *inputs: Any) -> Any:
            return inputs[0]

    x = np.random.default_rng(seed).standard_normal((2, n)).astype(np.float32)
    ours, theirs = Network(Nothing(), {}).ops, Learnable(Nothing()).ops
    given = torch.from_numpy(x)
    np.testing.assert_allclose(
        ours.interpolate(x, wanted), theirs.interpolate(given, wanted).numpy(), atol=1e-5
    )
    places = max(-n, min(n, places))
    np.testing.assert_array_equal(ours.shift(x, places), theirs.shift(given, places).numpy())


def test_large_values_are_no_overflow() -> None:
    x = np.array([[-1e4, 0.0, 80.0, 1e4]], np.float32)
    ours, theirs = NumpyOps(Everything(), {}), Learnable(Everything()).ops
    np.testing.assert_allclose(ours.elu(x), theirs.elu(torch.from_numpy(x)).numpy(), rtol=1e-6)
    np.testing.assert_allclose(
        ours.logsumexp(x, 1), theirs.logsumexp(torch.from_numpy(x), 1).numpy(), rtol=1e-6
    )


DEFINITIONS: Sequence[tuple[Definition, Sequence[tuple[int, ...]]]] = (
    (build_tempo(FrontEnd(), TempoConfig()), [(3, 3, 40, 180), (3, 160)]),
    (
        build_tempo(FrontEnd(), TempoConfig(model=Model(n_members=1, separate_octave=True))),
        [(3, 3, 40, 180), (3, 160)],
    ),
    (PaceNet(FrontEnd(), PaceConfig()), [(3, 40, 16, 24), (3, PaceModel().n_context)]),
    (
        build_notes(NotesFrontEnd(), NotesConfig(NotesModel(6, 6, 6, 1, 2, 8, 2))),
        [(3, 2, 20, 270)],
    ),
)


@pytest.mark.parametrize("k", range(len(DEFINITIONS)))
def test_every_weight_learns(k: int) -> None:
    definition, shapes = DEFINITIONS[k]
    torch.manual_seed(0)
    network = Learnable(definition)
    logits = network(*(torch.randn(shape) for shape in shapes))
    torch.logsumexp(logits, -1).square().sum().backward()
    assert {name for name, _ in network.named_parameters()} <= network.state_dict().keys()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
    # What a normalisation subtracts again has none to speak of; all else does.
    moved = [n for n, p in network.named_parameters() if p.grad is not None and p.grad.any()]
    assert len(moved) > 0.8 * len(list(network.parameters()))


@pytest.mark.parametrize("k", range(len(DEFINITIONS)))
def test_what_has_learned_is_used_as_it_is(k: int) -> None:
    definition, shapes = DEFINITIONS[k]
    torch.manual_seed(0)
    network = Learnable(definition)
    for _ in range(3):  # statistics of normalisations
        network.train()(*(torch.randn(shape) for shape in shapes))
    network.eval()
    inputs = [torch.randn(shape) for shape in shapes]
    in_use = usable(network)
    with torch.inference_mode():
        expected = network(*inputs).numpy()
    np.testing.assert_allclose(
        in_use(*(given.numpy() for given in inputs)), expected, atol=TOLERANCE, rtol=TOLERANCE
    )
    weights = learnable(in_use).state_dict()
    assert all(torch.equal(value, weights[name]) for name, value in network.state_dict().items())
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
    assert any(value.any() for value in in_use.weights.values())  # a copy


@pytest.mark.parametrize("task", ["tempo", "pace"])
def test_a_model_in_use_learns_on(task: str) -> None:
    network = learnable(shipped()[task][1].network)
    assert not network.training
    assert not any(parameter.requires_grad for parameter in network.parameters())
    assert sum(p.numel() for p in network.parameters()) < 200_000


def test_dropout_is_for_training_only() -> None:
    torch.manual_seed(0)
    definition, shapes = DEFINITIONS[0]
    network = Learnable(definition).eval()
    inputs = [torch.randn(shape) for shape in shapes]
    with torch.inference_mode():
        assert torch.equal(network(*inputs), network(*inputs))
        network.train()
        assert not torch.equal(network(*inputs), network(*inputs))
