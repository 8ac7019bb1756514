"""Tests of model files: round trips, and every way in which a file can be wrong."""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import json
import math
import os
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from tempo_core import checkpoint
from tempo_core.config import UNSCALED, FrontEnd, OddsScaling, Windows
from tempo_core.errors import CheckpointError, ConfigError
from tempo_core.model import Checkpoint
from tempo_core.network import Linear
from tempo_core.spectrum import Mel
from tempo_core.tasks import TASKS
from tempo_core.tasks.tempo.config import Model, TempoConfig
from tempo_core.tasks.tempo.network import build
from tempo_core.tasks.tempo.periodicity import N_MAPS
from tests.models import counting_hip_hop_twice, filterbank, random_network

CONFIG = TempoConfig(model=Model(channels=(4, 4, 4), n_rate=8, n_members=2))
CONFIGS = {
    "front_end": FrontEnd(),
    "windows": Windows(duration=8.0),
    "grid": CONFIG.grid,
    "model": CONFIG.model,
}
DAY = datetime.date(2026, 1, 2)


@pytest.fixture
def model() -> Checkpoint[TempoConfig]:
    return Checkpoint(
        name="", hash="", task="tempo", front_end=FrontEnd(), windows=Windows(duration=8.0),
        config=CONFIG, filterbank=filterbank(), spectrum=Mel(FrontEnd(), filterbank()),
        network=random_network(build(FrontEnd(), CONFIG), 1), temperature=1.25,
        card={"summary": "a test"},
    )  # fmt: skip


@pytest.fixture
def path(tmp_path: Path, model: Checkpoint[TempoConfig]) -> Path:
    return checkpoint.save(tmp_path, model, DAY)


def _rename(path: Path, data: bytes) -> Path:
    """Write altered content under the name that fits its hash."""
    digest = hashlib.sha256(data).hexdigest()[:8]
    target = path.with_name(f"tempo-20260102-{digest}.safetensors")
    target.write_bytes(data)
    return target


def test_round_trip(path: Path, model: Checkpoint[TempoConfig]) -> None:
    again = checkpoint.load(path)
    assert path.name == f"tempo-20260102-{again.hash}.safetensors"
    assert again.source == f"model:tempo-20260102@{again.hash}"
    for name in ("task", "front_end", "windows", "config", "temperature", "card"):
        assert getattr(again, name) == getattr(model, name)
    np.testing.assert_array_equal(again.filterbank, model.filterbank)
    assert again.spectrum.key == model.spectrum.key
    rng = np.random.default_rng(0)
    inputs = rng.random((2, N_MAPS, 40, 180), np.float32), rng.random((2, 160), np.float32)
    np.testing.assert_array_equal(again.network(*inputs), model.network(*inputs))


def test_a_model_that_counts_by_genre(tmp_path: Path) -> None:
    file = counting_hip_hop_twice(tmp_path)
    model = checkpoint.load(file)
    assert model.config.genres == ("hip hop",)
    assert model.network.weights["genres.weight"].max() == 12
    # The weights of another number of genres are refused, and so are names that are none.
    for genres in ([], ["hip hop", "polka"], [7]):
        with pytest.raises(CheckpointError, match="not a usable model file"):
            checkpoint.load(_with_header(file, genres=genres))


def test_a_model_from_before_there_were_genres_has_none(path: Path) -> None:
    data = path.read_bytes()
    header = json.loads(checkpoint.metadata(data)["header"])
    assert header.pop("genres") == []
    old = _rename(path, save_tensors(load_tensors(data), {"header": json.dumps(header)}))
    assert checkpoint.load(old).config == CONFIG


def test_the_calibration_of_the_octave_is_kept_and_may_be_missing(
    path: Path, model: Checkpoint[TempoConfig], tmp_path: Path
) -> None:
    """A file without it, as earlier versions wrote them, is used uncalibrated."""
    assert "octave" not in checkpoint.read(path).header
    assert checkpoint.load(path).octave == UNSCALED
    scaling = OddsScaling(0.7, 0.25)
    other = checkpoint.save(tmp_path / "b", dataclasses.replace(model, octave=scaling), DAY)
    assert checkpoint.load(other).octave == scaling


def test_no_leftovers_beside_it(path: Path) -> None:
    assert list(path.parent.iterdir()) == [path]


def test_the_same_model_gets_the_same_name(
    path: Path, model: Checkpoint[TempoConfig], tmp_path: Path
) -> None:
    assert checkpoint.save(tmp_path / "b", model, DAY).name == path.name
    again = checkpoint.save(tmp_path / "c", checkpoint.load(path), DAY)
    assert (again.name, again.read_bytes()) == (path.name, path.read_bytes())


@pytest.mark.parametrize("shipped", checkpoint.available(), ids=lambda path: path.stem)
def test_a_shipped_model_is_written_as_it_was_read(shipped: Path, tmp_path: Path) -> None:
    """A model of an older layout keeps its values, too."""
    model = checkpoint.load(shipped)
    again = checkpoint.load(checkpoint.save(tmp_path, model))
    for name in ("task", "front_end", "windows", "config", "temperature", "card"):
        assert getattr(again, name) == getattr(model, name)
    assert again.network.weights.keys() == model.network.weights.keys()
    for name, value in model.network.weights.items():
        np.testing.assert_array_equal(again.network.weights[name], value)


def test_a_model_of_layout_2_is_read_as_it_was_meant(path: Path) -> None:
    """Such a file has no `separate_octave`, and its priors were never separate."""
    values = CONFIG.model.to_dict()
    del values["separate_octave"]
    old = checkpoint.load(_with_header(path, layout=2, model=values))
    assert old.config == CONFIG
    with pytest.raises(CheckpointError, match="not a usable model file"):
        checkpoint.load(_with_header(path, layout=3, model=values))


@pytest.mark.parametrize("place", [0.2, 0.5, 0.99])
def test_one_altered_byte_is_refused(path: Path, place: float) -> None:
    data = bytearray(path.read_bytes())
    data[int(len(data) * place)] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(CheckpointError, match="does not match its name"):
        checkpoint.load(path)


def test_a_truncated_file_is_refused(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match="does not match its name"):
        checkpoint.load(path)


@pytest.mark.parametrize(
    "data",
    [b"", b"\x00" * 7, b"\xff" * 64, b"\x02\x00\x00\x00\x00\x00\x00\x00{}", b"\x80\x04pickle"],
)
def test_content_that_is_no_model_is_refused(path: Path, data: bytes) -> None:
    """The hash in the name is right, so that the content itself is what is refused."""
    with pytest.raises(CheckpointError, match="not a usable model file"):
        checkpoint.load(_rename(path, data))


def _with_header(path: Path, **changes: object) -> Path:
    data = path.read_bytes()
    header = json.loads(checkpoint.metadata(data)["header"])
    header.update(changes)
    tensors = load_tensors(data)
    return _rename(path, save_tensors(tensors, {"header": json.dumps(header)}))


def test_another_layout_is_refused(path: Path) -> None:
    with pytest.raises(CheckpointError, match="layout 99"):
        checkpoint.load(_with_header(path, layout=99))


def test_an_unknown_setting_is_refused(path: Path) -> None:
    with pytest.raises(CheckpointError, match="not a usable model file"):
        checkpoint.load(_with_header(path, windows={"duration": 8.0, "hop": 6.0, "new": 1}))


def test_weights_that_do_not_fit_are_refused(path: Path) -> None:
    bigger = Model(channels=(8, 4, 4), n_rate=8, n_members=2).to_dict()
    with pytest.raises(CheckpointError, match="not a usable model file"):
        checkpoint.load(_with_header(path, model=bigger))


def test_a_renamed_or_missing_file(path: Path) -> None:
    with pytest.raises(CheckpointError, match="do not rename"):
        checkpoint.load(path.rename(path.with_name("mine.safetensors")))
    with pytest.raises(CheckpointError, match="cannot be read"):
        checkpoint.load(path)


def test_resolving_names(path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert checkpoint.resolve(path) == path
    assert checkpoint.resolve("default") == checkpoint.available(task="tempo")[-1]
    assert checkpoint.resolve("default", "pace") == checkpoint.available(task="pace")[-1]
    assert checkpoint.resolve(checkpoint.resolve("default").stem) == checkpoint.resolve("default")
    with pytest.raises(CheckpointError, match="no model 'nonsense'"):
        checkpoint.resolve("nonsense")
    monkeypatch.setattr(checkpoint, "SHIPPED_FOLDER", tmp_path / "empty")
    monkeypatch.setattr(checkpoint.available, "__defaults__", (tmp_path / "empty", None))
    with pytest.raises(CheckpointError, match="install beets-tempo again"):
        checkpoint.resolve("default")


@pytest.mark.parametrize("task", sorted(TASKS))
def test_one_model_a_task_is_shipped_and_it_is_small(task: str) -> None:
    (shipped,) = checkpoint.available(task=task)
    assert shipped.stat().st_size < (2_000_000 if task == "tags" else 1_000_000)
    model = checkpoint.load(shipped, task)
    assert model.task == task
    assert sum(value.size for value in model.network.weights.values()) < 500_000
    assert model.card["data"]
    assert shipped.stem in (shipped.parent / "README.md").read_text()


def test_a_model_of_another_task_is_refused() -> None:
    with pytest.raises(CheckpointError, match="is a model for 'pace'; give one for 'tempo'"):
        checkpoint.load(checkpoint.resolve("default", "pace"), "tempo")


def test_a_task_that_nobody_knows_is_refused(path: Path) -> None:
    with pytest.raises(
        CheckpointError, match="is a model for 'weather'; give one for 'tempo' or 'pace'"
    ):
        checkpoint.load(_with_header(path, task="weather"))


BIG = 10**9
NONSENSE: list[tuple[str, str, object]] = [
    *(("front_end", "sr", value) for value in ("x", 0, -1, 11025.5, True, None, [], BIG)),
    *(("front_end", "hop_length", value) for value in (0, -128, 1, 4096, "128", 1e9)),
    *(("front_end", "n_fft", value) for value in (0, -1, BIG, 2048, math.nan)),
    *(("front_end", "n_mels", value) for value in (0, -40, BIG, 41, "x" * 10**6)),
    *(("front_end", "fmin", value) for value in (-1.0, math.nan, 6000.0, "30")),
    *(("front_end", "fmax", value) for value in (0, math.inf, 5600.0, -math.inf)),
    *(("windows", "duration", value) for value in (0, -8.0, math.nan, 1e12, "8", None, {})),
    *(("windows", "hop", value) for value in (0, -1.0, math.nan, math.inf, 1e-9, [6.0])),
    *(("grid", "bpm_min", value) for value in (0, -20.0, math.nan, 31.0, 1e-300, "20")),
    *(("grid", "n_bins", value) for value in (0, -180, BIG, 72, 180.0, 100)),
    *(("grid", "bins_per_octave", value) for value in (0, -36, 90, BIG, 1)),
    *(("grid", "answer_min", value) for value in (0, 10.0, 300.0, math.nan, "30")),
    *(("grid", "answer_max", value) for value in (0, 700.0, 29.0, math.inf)),
    *(("model", "channels", value) for value in ([], [4, 4], [4, 4, -4], [4, 4, BIG], 4, "444")),
    *(("model", "n_rate", value) for value in (0, -8, BIG, 8.0, 9)),
    *(("model", "n_timbre", value) for value in (0, BIG, True)),
    *(("model", "n_prior", value) for value in (1, 0, BIG, -16)),
    *(("model", "dropout", value) for value in (-0.1, 1.0, 1.5, math.nan, "0.1")),
    *(("model", "n_members", value) for value in (0, -1, BIG, 10**400, 3, "2")),
    *(("model", "separate_octave", value) for value in ("no", 1, None)),
]  # fmt: skip


@pytest.mark.parametrize(("config", "name", "value"), NONSENSE)
def test_a_value_that_makes_no_sense_is_refused_in_one_line(
    config: str, name: str, value: object, path: Path
) -> None:
    values = {**CONFIGS[config].to_dict(), name: value}
    target = _with_header(path, **{config: values})
    with pytest.raises(CheckpointError, match="not a usable model file") as caught:
        checkpoint.load(target)
    told = str(caught.value)
    assert len(told.splitlines()) == 1
    assert len(told) < len(str(target)) + 300


@pytest.mark.parametrize(
    "changes",
    [
        *({"temperature": value} for value in (math.nan, math.inf, 0, -1.0, "1", None, True, [1])),
        *({"octave": value} for value in (None, [1, 0], {}, {"slope": 0, "offset": 0})),
        *({"octave": {"slope": 1.0, "offset": value}} for value in (math.nan, "0", 99, None)),
        *({"card": value} for value in (None, [], "card", 7)),
        *({"card": {"summary": value}} for value in (7, "x" * 10**6, "two\nlines", "\x1b[2J")),
        *({"layout": value} for value in (None, "3", [3], 10**30)),
        *({"task": value} for value in (None, ["tempo"], {"tempo": 1}, 7, "x" * 10**6)),
        *({"front_end": value} for value in (None, [], "x", {})),
        *({"model": value} for value in (None, [], [{}], "x", {"n_rate": 8})),
        *({"grid": value, "windows": value} for value in (None, 7, {})),
    ],
    ids=lambda changes: str(changes)[:40],
)
def test_a_header_that_makes_no_sense_is_refused_in_one_line(
    changes: dict[str, object], path: Path
) -> None:
    target = _with_header(path, **changes)
    with pytest.raises(CheckpointError) as caught:
        checkpoint.load(target)
    assert len(str(caught.value).splitlines()) == 1
    assert len(str(caught.value)) < len(str(target)) + 300


@pytest.mark.parametrize("header", ["[" * 100_000, '{"a":' * 100_000, "", "null", "[]", "7", "{}"])
def test_a_header_of_another_form_is_refused(header: str, path: Path) -> None:
    tensors = load_tensors(path.read_bytes())
    with pytest.raises(CheckpointError, match="not a usable model file"):
        checkpoint.load(_rename(path, save_tensors(tensors, {"header": header})))


def _with_tensor(path: Path, name: str, value: np.ndarray | None) -> Path:
    data = path.read_bytes()
    tensors = load_tensors(data)
    if value is None:
        del tensors[name]
    else:
        tensors[name] = value
    return _rename(path, save_tensors(tensors, checkpoint.metadata(data)))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("filterbank", None),
        ("filterbank", np.zeros((40, 513), np.float32)),
        ("filterbank", -np.ones((40, 513), np.float32)),
        ("filterbank", np.full((40, 513), np.nan, np.float32)),
        ("filterbank", np.ones((40, 10), np.float32)),
        ("filterbank", np.ones((40, 513))),
        ("network.members.0.peak.bias", None),
        ("network.members.0.peak.bias", np.array([np.nan], np.float32)),
        ("network.members.0.peak.bias", np.array([np.inf], np.float32)),
        ("network.members.0.peak.bias", np.array([1])),
        ("network.members.0.peak.bias", np.zeros(2, np.float32)),
        ("network.another", np.zeros(1, np.float32)),
    ],
)
def test_weights_that_make_no_sense_are_refused(
    name: str, value: np.ndarray | None, path: Path
) -> None:
    with pytest.raises(CheckpointError, match="not a usable model file"):
        checkpoint.load(_with_tensor(path, name, value))


def test_a_large_network_is_refused_before_it_is_made(path: Path) -> None:
    """Every value is within its limits, but the file has a hundredth of the weights needed."""
    large = Model(channels=(256, 256, 256), n_rate=512, n_timbre=512, n_members=64)
    target = _with_header(path, model=large.to_dict())
    tracemalloc.start()
    try:
        with pytest.raises(CheckpointError, match="not a usable model file"):
            checkpoint.load(target)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 10_000_000  # bytes; the network would have a thousand million


@pytest.mark.parametrize("kind", ["fifo", "folder", "device", "large"])
def test_what_is_no_file_is_refused_at_once(kind: str, path: Path) -> None:
    target = path.with_name("tempo-20260102-00000000.safetensors")
    if kind == "fifo":
        os.mkfifo(target)
    elif kind == "folder":
        target.mkdir()
    elif kind == "device":
        target.symlink_to("/dev/zero")
    else:
        with target.open("wb") as file:
            file.truncate(10**12)
    with pytest.raises(CheckpointError, match=r"not a regular file|too large"):
        checkpoint.load(target)


def test_the_context_of_a_pace_model_is_that_of_its_weights(tmp_path: Path) -> None:
    shipped = checkpoint.load(checkpoint.resolve("shipped", "pace"))
    size = dataclasses.replace(shipped.config.model, n_context=shipped.config.model.n_context + 1)
    changed = dataclasses.replace(shipped, config=dataclasses.replace(shipped.config, model=size))
    with pytest.raises(CheckpointError, match=r"judge\.0\.weight is .* by the configuration"):
        checkpoint.load(checkpoint.save(tmp_path, changed))


class Large:
    """A network with a layer of four terabytes."""

    layers = {"big": Linear(1 << 20, 1 << 20)}  # noqa: RUF012

    def forward(self, ops: object, *inputs: object) -> object:
        return inputs[0]


def test_weights_of_another_shape_are_refused_before_anything_is_built() -> None:
    weights = {"big.weight": np.zeros((2, 2), np.float32), "big.bias": np.zeros(2, np.float32)}
    with pytest.raises(ConfigError, match=r"weight is \(2, 2\), \(1048576, 1048576\) by the conf"):
        checkpoint.check_shapes(Large(), weights)


@pytest.mark.parametrize("folder", [checkpoint.SHIPPED_FOLDER])
def test_models_are_found_by_their_task(folder: Path) -> None:
    for task in TASKS:
        for path in checkpoint.available(folder, task):
            assert checkpoint.task_of(path) == task
    assert sorted(p for task in TASKS for p in checkpoint.available(folder, task)) == sorted(
        checkpoint.available(folder)
    )


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: b"",
        lambda data: data[:7],
        lambda data: data[:100],
        lambda data: b"\xff" * 64,
        lambda data: (10**12).to_bytes(8, "little") + data[8:],
        lambda data: b"\x02" + bytes(7) + b"{}",
        lambda data: b"\x02" + bytes(7) + b"[]",
        lambda data: (10**5).to_bytes(8, "little") + b"[" * 10**5,
    ],
)
def test_a_damaged_file_is_of_no_task(spoil: Callable[[bytes], bytes], path: Path) -> None:
    path.write_bytes(spoil(path.read_bytes()))
    assert checkpoint.task_of(path) is None
    assert checkpoint.available(path.parent, "tempo") == []
    assert checkpoint.available(path.parent) == [path]
