"""Making the key model: from tables and songs to a file that is used, in a few steps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from tempo_core import checkpoint
from tempo_core.config import HarmonyFrontEnd
from tempo_core.estimate import Estimator
from tempo_core.keys import PITCH_CLASSES, Key
from tempo_core.tasks.key.config import KeyConfig
from tempo_core.tasks.key.decode import posterior
from tempo_core.tasks.key.network import build
from tests.audio import chord_song, write_audio
from tests.songs import write_song
from trainer.making import key as making
from trainer.making.key import (
    KEYLESS,
    KeyRecipe,
    averaged,
    example,
    repeated,
    targets,
    temperature_of,
    train,
)
from trainer.torch_ops import Learnable

SR = 11025
FRONT_END = HarmonyFrontEnd()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder of labelled music as `trainer.making.key` takes it, six songs by six artists."""
    folder = tmp_path / "data"
    for name, tonic, minor in (("001", 0, False), ("002", 4, True)):
        write_song(folder / "midi" / "POP909" / name, tonic, minor)
    rows = ["file\tartist\tsplit\tkey"]
    for k in range(6):
        audio = chord_song(2 * k, False, 12, SR)
        write_audio(folder / f"{k}.wav", audio, SR)
        split = "validation" if k > 3 else "train"
        rows.append(f"{k}.wav\tArtist {k}\t{split}\t{PITCH_CLASSES[2 * k]} major")
    (folder / "songs.tsv").write_text("\n".join([*rows, "0.wav\tNobody\ttrain\t"]) + "\n")
    for name in ("consensus", "charts", "rhythm"):
        (folder / f"{name}.tsv").write_text("file\n0.wav\n")
    return folder


@pytest.mark.slow
def test_it_makes_a_model_that_is_used(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(making, "PAINTED_AT_ONCE", 4)
    # Whatever the network of two steps finds: there is something that estimators agree on.
    agreed = [(np.zeros((2, FRONT_END.n_bands, 60), np.float32), 3)]
    monkeypatch.setattr(making, "read_agreed", lambda *args: agreed)
    args = ["--data", data, "--cache", tmp_path / "cache", "--out", tmp_path / "out",
            "--steps", 2, 1, "--painted", 6, "--keyless", 3, "--jobs", 1]  # fmt: skip
    run = CliRunner().invoke(making.main, list(map(str, args)))
    assert run.exit_code == 0, run.output
    assert "five folds: weighted" in run.output
    assert "validation: weighted" in run.output
    (path,) = (tmp_path / "out").glob("*.safetensors")
    model = checkpoint.load(path, "key")
    assert model.card["data"] == {"painted": 6, "keyless": 3, "songs": 4, "agreed": 1}
    folds = (tmp_path / "out" / "folds.tsv").read_text().splitlines()
    assert folds[0] == "file\tkey\tfound\tconfidence"
    assert sorted(line.split("\t")[0] for line in folds[1:]) == [f"{k}.wav" for k in range(6)]
    assert 0 <= model.card["figures"]["five_folds"]["calibration_error"] <= 1
    assert path.stat().st_size < 150_000
    found = Estimator(tasks=("key",), models={"key": path}).results(data / "0.wav")["key"]
    assert 0 < found.confidence <= 1
    # What was painted and heard is kept.
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "cache").iterdir()}
    again = CliRunner().invoke(making.main, list(map(str, args)))
    assert again.exit_code == 0
    assert {p: p.stat().st_mtime_ns for p in (tmp_path / "cache").iterdir()} == before


def test_agreement_is_of_profiles_and_network(data: Path, tmp_path: Path) -> None:
    shipped = checkpoint.load(checkpoint.resolve("default", "key"), "key")
    network = Learnable(shipped.network.definition)
    network.load_state_dict(
        {name: torch.from_numpy(value.copy()) for name, value in shipped.network.weights.items()}
    )
    found = making.read_agreed(data, tmp_path / "cache", FRONT_END, network.eval(), 1)
    assert [number for _, number in found] == [0, 0, 0]  # C, in each of the three tables


def test_examples_move_with_their_key() -> None:
    spectra = np.zeros((2, FRONT_END.n_bands, 50), np.float32)
    spectra[:, 120] = 1  # one tone
    rng = np.random.default_rng(0)
    for _ in range(30):
        shown, key = example(spectra, 21, 40, 3, rng)
        assert shown.shape == (2, FRONT_END.n_bands, 40)
        moved = (int(np.abs(shown[0]).sum(axis=1).argmax()) - 120) // 3
        assert key == 12 + (9 + moved) % 12 or not shown.any()  # or its band is missing
        assert example(spectra, KEYLESS, 40, 3, rng)[1] == KEYLESS
    assert repeated(spectra, 120).shape[-1] == 120


def test_what_has_no_key_has_all_of_them() -> None:
    wanted = targets([3, KEYLESS, 23])
    np.testing.assert_allclose(wanted.sum(axis=1), 1, rtol=1e-5)
    assert wanted[0, 3] == wanted[2, 23] == 1
    assert (wanted[1] == wanted[1, 0]).all()


@pytest.mark.slow
def test_it_learns_that_there_is_none() -> None:
    rng = np.random.default_rng(0)
    tones = np.zeros((2, FRONT_END.n_bands, 40), np.float32)
    tones[:, 100::36] = 3
    hiss = rng.normal(0, 1, tones.shape).astype(np.float32)
    recipe = KeyRecipe(steps=(60, 1), shares=((0.5, 0.5), (1.0,)), n_frames=(24, 24), batch=8)
    torch.manual_seed(0)
    fresh = Learnable(build(FRONT_END, KeyConfig()))
    network = train(fresh, [[(hiss, KEYLESS)], [(tones, 4)]], recipe, 0, 0)
    sure_of_tones, sure_of_hiss = posterior(making.answers(network, [tones, hiss])).max(axis=1)
    assert sure_of_tones > 2 * sure_of_hiss


@pytest.mark.slow
def test_it_learns_what_it_is_shown() -> None:
    spectra = np.zeros((2, FRONT_END.n_bands, 40), np.float32)
    spectra[:, 100::36] = 3
    pool = [(spectra, 4)]
    recipe = KeyRecipe(steps=(40, 1), shares=((1.0,), (1.0,)), n_frames=(20, 20), batch=8)
    torch.manual_seed(0)
    network = train(Learnable(build(FRONT_END, KeyConfig())), [pool], recipe, 0, 0)
    assert making.answers(network, [spectra])[0].argmax() == 4
    assert all(
        torch.allclose(a, b)
        for a, b in zip(averaged([network] * 3).parameters(), network.parameters(), strict=True)
    )


def test_the_temperature_is_the_one_that_fits() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 24, 400)
    logits = rng.standard_normal((400, 24)) * 2
    # Keys are drawn as probable as the logits say at a temperature of 2.
    shares = np.exp(logits / 2) / np.exp(logits / 2).sum(axis=1, keepdims=True)
    truth = np.array([rng.choice(24, p=row) for row in shares])
    keys = [Key(int(k) % 12, k >= 12) for k in truth]
    assert temperature_of(logits, keys) == pytest.approx(2.0, rel=0.25)
