"""Model files: round trip, and every way in which one can be wrong."""

from __future__ import annotations

import datetime
import hashlib
import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save as save_tensors

from tempo_core import checkpoint
from tempo_core.config import FrontEnd, Model, TempoGrid, Windows
from tempo_core.errors import CheckpointError
from tempo_core.features import N_MAPS
from tempo_core.model import Ensemble, build
from trainer.dataset import filterbank

CONFIGS = {
    "front_end": FrontEnd(),
    "windows": Windows(duration=8.0),
    "grid": TempoGrid(),
    "model": Model(channels=(4, 4, 4), n_rate=8, n_members=2),
}


@pytest.fixture
def network() -> Ensemble:
    torch.manual_seed(1)
    return build(CONFIGS["front_end"], CONFIGS["grid"], CONFIGS["model"]).eval()  # type: ignore[arg-type]


@pytest.fixture
def path(tmp_path: Path, network: Ensemble) -> Path:
    return checkpoint.save(
        tmp_path, "tempo", network, filterbank(FrontEnd()), CONFIGS, 1.25, {"summary": "a test"},
        datetime.date(2026, 1, 2),
    )  # fmt: skip


def _rename(path: Path, data: bytes) -> Path:
    """Write altered content under the name that fits its hash."""
    digest = hashlib.sha256(data).hexdigest()[:8]
    target = path.with_name(f"tempo-20260102-{digest}.safetensors")
    target.write_bytes(data)
    return target


def test_round_trip(path: Path, network: Ensemble) -> None:
    model = checkpoint.load(path)
    assert path.name == f"tempo-20260102-{model.hash}.safetensors"
    assert model.source == f"model:tempo-20260102@{model.hash}"
    assert model.windows == CONFIGS["windows"]
    assert model.temperature == 1.25
    assert model.card == {"summary": "a test"}
    inputs = torch.rand(2, N_MAPS, 40, 180), torch.rand(2, 160)
    assert torch.equal(model.network(*inputs), network(*inputs))


def test_no_leftovers_beside_it(path: Path) -> None:
    assert list(path.parent.iterdir()) == [path]


def test_the_same_model_gets_the_same_name(path: Path, network: Ensemble, tmp_path: Path) -> None:
    again = checkpoint.save(
        tmp_path / "b", "tempo", network, filterbank(FrontEnd()), CONFIGS, 1.25,
        {"summary": "a test"}, datetime.date(2026, 1, 2),
    )  # fmt: skip
    assert again.name == path.name


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
    """With a fitting hash, so that the parser itself is what refuses."""
    with pytest.raises(CheckpointError, match="not a usable model file"):
        checkpoint.load(_rename(path, data))


def _with_header(path: Path, **changes: object) -> Path:
    data = path.read_bytes()
    header = json.loads(checkpoint.metadata(data)["header"])
    header.update(changes)
    tensors = checkpoint.load_tensors(data)
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
    monkeypatch.setattr(checkpoint, "SHIPPED", tmp_path / "empty")
    monkeypatch.setattr(checkpoint.available, "__defaults__", (tmp_path / "empty", None))
    with pytest.raises(CheckpointError, match="install beets-tempo again"):
        checkpoint.resolve("default")


@pytest.mark.parametrize("task", sorted(checkpoint.NETWORKS))
def test_one_model_a_task_is_shipped_and_it_is_small(task: str) -> None:
    (shipped,) = checkpoint.available(task=task)
    assert shipped.stat().st_size < 1_000_000
    model = checkpoint.load(shipped, task)
    assert model.task == task
    assert sum(p.numel() for p in model.network.parameters()) < 200_000
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
