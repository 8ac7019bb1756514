"""The batch files in `docs/cluster`, with a real SLURM: from archives to a trained model."""

from __future__ import annotations

import csv
import io
import tarfile
import time
import zipfile
from pathlib import Path

import pytest
from pyarrow import parquet

from tests.audio import click_track, write_audio

from .conftest import Slurm

pytestmark = pytest.mark.cluster
BATCH = Path(__file__).parents[2] / "docs" / "cluster"
TEMPI = range(90, 138, 2)
FEW = ("--ntasks=4",)


@pytest.fixture(scope="module")
def audio(slurm: Slurm) -> Path:
    """What unpack.sbatch makes of three archives, one of which is damaged."""
    archives, music = slurm.folder / "archives", slurm.folder / "music"
    archives.mkdir()
    music.mkdir()
    files = [write_audio(music / f"{b}.wav", click_track(b, 20, 11025), 11025) for b in TEMPI]
    with tarfile.open(archives / "a.tar.gz", "w:gz") as tar:
        for path in files[:12]:
            tar.add(path, path.name)
    with zipfile.ZipFile(archives / "b.zip", "w") as archive:
        for path in files[12:]:
            archive.write(path, path.name)
    (archives / "damaged.zip").write_bytes(b"PK\x03\x04 no archive")
    with tarfile.open(archives / "evil.tar", "w") as tar:
        member = tarfile.TarInfo("../outside.wav")
        member.size = 4
        tar.addfile(member, io.BytesIO(b"evil"))
    target = slurm.folder / "audio"
    job = slurm.submit(
        BATCH / "unpack.sbatch", options=FEW, ARCHIVES=str(archives), AUDIO=str(target)
    )
    assert slurm.wait(job) == "FAILED"
    told = slurm.log(job)
    assert "damaged.zip: cannot be unpacked" in told
    assert "evil.tar: cannot be unpacked" in told
    return target


def test_unpack(audio: Path, slurm: Slurm) -> None:
    assert len(list((audio / "a.tar.gz").glob("*.wav"))) == 12
    assert len(list((audio / "b.zip").glob("*.wav"))) == len(TEMPI) - 12
    assert sorted(path.name for path in audio.iterdir()) == ["a.tar.gz", "b.zip"]
    assert not list(slurm.folder.rglob("outside.wav"))


def test_estimate(audio: Path, slurm: Slurm) -> None:
    out = slurm.folder / "results.parquet"
    job = slurm.submit(BATCH / "estimate.sbatch", options=FEW, AUDIO=str(audio), OUT=str(out))
    assert slurm.wait(job) == "COMPLETED", slurm.log(job)
    rows = parquet.read_table(out).to_pylist()
    assert len(rows) == len(TEMPI)
    for row in rows:
        assert row["bpm"] == pytest.approx(float(Path(row["path"]).stem), abs=0.1)


def test_jobs_of_slurm_work_for_a_command(audio: Path, slurm: Slurm) -> None:
    settings, out = slurm.folder / "slurm.yaml", slurm.folder / "jobs.tsv"
    settings.write_text(
        "jobs: 2\nslurm: {cores: 1, processes: 1, memory: 1GB, interface: lo,"
        f" shared_temp_directory: {slurm.folder}, log_directory: {slurm.folder}/logs,"
        " job_directives_skip: ['--mem']}\n"
    )
    slurm.call(
        "tempo-core", "estimate", "--scheduler", "slurm", "--cluster-config", str(settings),
        "--out", str(out), str(audio),
    )  # fmt: skip
    with out.open(newline="") as file:
        assert len(list(csv.DictReader(file, delimiter="\t"))) == len(TEMPI)
    deadline = time.monotonic() + 30
    while slurm.call("squeue", "-h"):  # the jobs end with the command
        assert time.monotonic() < deadline
        time.sleep(0.3)


@pytest.fixture(scope="module")
def training_set(audio: Path, slurm: Slurm) -> Path:
    """What build.sbatch makes of the audio."""
    labels, made = slurm.folder / "labels.tsv", slurm.folder / "set"
    rows = ["path\tbpm\tartist"]
    paths = sorted(audio.rglob("*.wav"))
    rows += [f"{path}\t{path.stem}\tArtist {k}" for k, path in enumerate(paths)]
    labels.write_text("\n".join(rows) + "\n")
    job = slurm.submit(
        BATCH / "build.sbatch", "--cache", options=FEW, AUDIO="", LABELS=str(labels),
        SET=str(made),
    )  # fmt: skip
    assert slurm.wait(job) == "COMPLETED", slurm.log(job)
    assert len(list((made / "cache").glob("*.safetensors"))) == len(TEMPI)
    return made


def test_train_on_two_nodes_and_after_preemption(training_set: Path, slurm: Slurm) -> None:
    models = slurm.folder / "models"
    job = slurm.submit(
        BATCH / "train.sbatch", "--epochs", "6", "--no-install", "--out", str(models),
        SET=str(training_set), MASTER_ADDR="127.0.0.1",
    )  # fmt: skip
    deadline = time.monotonic() + 120
    while "epoch 1/6" not in slurm.log(job):
        assert time.monotonic() < deadline, slurm.log(job)
        assert slurm.state(job) in ("PENDING", "CONFIGURING", "RUNNING"), slurm.log(job)
        time.sleep(0.3)
    slurm.call("scancel", "--signal=USR1", job)  # to all steps, as before the end of the time
    assert slurm.wait(job, 240) == "COMPLETED", slurm.log(job)
    told = slurm.log(job)
    assert "Restarts=1" in slurm.call("scontrol", "show", "job", job), told
    assert told.count("epoch 1/6") == 1  # it went on, and did not begin again
    assert told.count("epoch 6/6") == 1
    assert [path.name.partition("-")[0] for path in models.glob("*.safetensors")] == ["tempo"]


def test_evaluate(training_set: Path, slurm: Slurm) -> None:
    out = slurm.folder / "report"
    job = slurm.submit(
        BATCH / "evaluate.sbatch", "--split", "all", options=FEW, SET=str(training_set),
        OUT=str(out),
    )  # fmt: skip
    assert slurm.wait(job) == "COMPLETED", slurm.log(job)
    assert (out / "report.html").exists()
    with (out / "tracks.tsv").open(newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    assert len(rows) == len(TEMPI)
    for row in rows:
        assert float(row["estimate"]) == pytest.approx(float(Path(row["path"]).stem), abs=0.1)
