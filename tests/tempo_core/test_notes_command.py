"""Tests of `tempo-core notes`, with an estimator that knows what is played."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import mido
import pretty_midi
import pytest
from click.testing import CliRunner, Result

from tempo_core.cli import main
from tempo_core.cli.destinations import Destinations
from tempo_core.console import unescaped
from tempo_core.errors import ConfigError
from tempo_core.transcription import transcribing
from tests.rows import mostly_slow

from ..audio import write_audio
from ..known_notes import BPM, MELODY, KnownNotes, played, song

SONG = song(4)
N_MELODY = 32
ROOT = Path(__file__).parents[2]


def run(*args: object) -> Result:
    return CliRunner().invoke(main, ["notes", *map(str, args)])


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch) -> KnownNotes:
    estimator = KnownNotes(SONG)
    monkeypatch.setattr(transcribing, "load_estimator", lambda model: estimator)
    return estimator


@pytest.fixture(scope="session")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_audio(tmp_path_factory.mktemp("played") / "song.flac", played(SONG), 22050)


@pytest.fixture
def make(recording: Path, tmp_path: Path) -> Any:
    def make(name: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(recording.read_bytes())
        return path

    return make


def melody(path: Path) -> list[int]:
    (instrument,) = pretty_midi.PrettyMIDI(str(path)).instruments
    return [note.pitch for note in sorted(instrument.notes, key=lambda note: note.start)]


def test_a_file_becomes_midi(make: Any, tmp_path: Path) -> None:
    path = make("Übermut.flac")
    result = run(path, "-o", tmp_path / "song.mid")
    assert result.exit_code == 0
    assert result.stdout == (
        f"{path}: {len(SONG)} notes, 120.00 BPM -> {tmp_path / 'song.mid'}\n"
    )  # fmt: skip
    file = mido.MidiFile(tmp_path / "song.mid", charset="utf-8")
    assert file.tracks[0].name == "Übermut"
    (instrument,) = pretty_midi.PrettyMIDI(str(tmp_path / "song.mid")).instruments
    assert len(instrument.notes) == len(SONG)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["song.mid", "Übermut.flac"]


@pytest.mark.parametrize(
    ("args", "name", "form"),
    [
        ((), "a.tsv", "tsv"),
        ((), "a.JSON", "json"),
        ((), "a.midi", "midi"),
        ((), "a", "midi"),
        (("--format", "json"), "a.mid", "json"),
    ],
)
def test_the_ending_says_the_format(
    args: tuple[str, ...], name: str, form: str, make: Any, tmp_path: Path
) -> None:
    assert run(make("x.flac"), *args, "-o", tmp_path / name).exit_code == 0
    begins = {"tsv": b"start\tend", "json": b'{\n "title"', "midi": b"MThd"}[form]
    assert (tmp_path / name).read_bytes().startswith(begins)


def test_a_table_is_printed(make: Any) -> None:
    rows = list(csv.DictReader(io.StringIO(run(make("x.flac")).stdout), delimiter="\t"))
    assert [int(row["pitch"]) for row in rows] == [note.pitch for note in SONG]
    assert tuple(rows[0]) == ("start", "end", "pitch", "name", "velocity", "confidence")


def test_tables_of_several_files_say_whose_notes_they_are(make: Any, tmp_path: Path) -> None:
    paths = [make("in/a b\tc.flac"), make("in/d.flac")]
    for args in (paths, [tmp_path / "in"]):
        result = run("--part", "top", *args)
        rows = list(csv.DictReader(io.StringIO(result.stdout), delimiter="\t"))
        assert [unescaped(row["path"]) for row in rows] == [
            str(path) for path in paths for _ in range(N_MELODY)
        ]


def test_bad_files_are_one_line_each(make: Any, bad_files: dict[str, Path], tmp_path: Path) -> None:
    paths = [bad_files["text"], make("a.flac"), bad_files["missing"], make("b.flac")]
    result = run("-o", tmp_path / "out", "--jobs", 3, *paths)
    assert result.exit_code == 1
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.mid", "b.mid"]
    lines = result.stderr.splitlines()
    assert [line.partition(": ")[0] for line in lines] == [
        str(paths[0]), str(paths[2]), "2 of 4 files failed",
    ]  # fmt: skip
    array = json.loads(run("--format", "json", *paths).stdout)
    assert [entry["path"] for entry in array] == list(map(str, paths))
    assert [entry["error"] is None for entry in array] == [False, True, False, True]
    assert len({tuple(entry) for entry in array}) == 1
    assert array[0]["notes"] is None


def test_parts_are_taken(make: Any, tmp_path: Path) -> None:
    assert run("--part", "top", make("a.flac"), "-o", tmp_path / "top.mid").exit_code == 0
    assert melody(tmp_path / "top.mid") == list(MELODY) * 2
    assert run("--part", "bass", make("a.flac"), "-o", tmp_path / "bass.mid").exit_code == 0
    assert len(melody(tmp_path / "bass.mid")) == 16
    assert max(melody(tmp_path / "bass.mid")) < 48


def test_notes_are_put_on_a_grid(make: Any, tmp_path: Path) -> None:
    (entry,) = json.loads(run("--quantize", "--format", "json", make("a.flac")).stdout)
    assert entry["quantized"]
    assert entry["bpm"] == pytest.approx(BPM, abs=0.02)
    assert _off_grid(entry, 0.125) < 0.005
    (quarters,) = json.loads(
        run("--quantize", "--grid", "4", "--format", "json", make("a.flac")).stdout
    )
    assert _off_grid(quarters, 0.5) < 0.005
    assert len(quarters["notes"]) < len(entry["notes"]) == len(SONG)


def _off_grid(entry: dict[str, Any], step: float) -> float:
    """The largest distance of a note from the grid on which the song begins [s]."""
    distances = [(note["start"] - 0.25 + step / 2) % step - step / 2 for note in entry["notes"]]
    return max(map(abs, distances))


def test_an_unsteady_tempo_is_one_line_and_the_notes_stay(
    make: Any, known: KnownNotes, tmp_path: Path
) -> None:
    known.stability = 0.6
    path = make("a.flac")
    result = run("--quantize", path, "-o", tmp_path / "a.mid")
    assert result.exit_code == 0
    assert result.stderr == (
        f"{path}: the tempo is not steady (stability 0.60): the notes stay as played\n"
    )
    (instrument,) = pretty_midi.PrettyMIDI(str(tmp_path / "a.mid")).instruments
    assert min(note.start for note in instrument.notes) == pytest.approx(0.25, abs=0.001)


def test_equal_names_get_a_number_and_templates_the_folder(make: Any, tmp_path: Path) -> None:
    paths = [make("one/song.flac"), make("two/song.flac"), make("two/Song.wav")]
    assert run("-o", f"{tmp_path}/out/", *paths).exit_code == 0
    names = ["Song (3).mid", "song (2).mid", "song.mid"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == names
    assert run("-o", f"{tmp_path}/by/{{folder}}/{{name}} notes.tsv", *paths[:2]).exit_code == 0
    assert (tmp_path / "by" / "one" / "song notes.tsv").exists()
    assert (tmp_path / "by" / "two" / "song notes.tsv").exists()


def test_an_output_is_replaced_and_an_input_never(make: Any, tmp_path: Path) -> None:
    path, other = make("a.flac"), make("b.flac")
    before = path.read_bytes()
    link = tmp_path / "link.mid"
    link.symlink_to(path)
    for destination in (path, link):
        result = run(path, "-o", destination)
        assert result.exit_code == 1
        assert f"{destination} is one of the files to read, and is not overwritten" in result.stderr
    result = run(path, other, "-o", f"{tmp_path}/{{name}}.flac")
    assert result.exit_code == 1
    assert "2 of 2 files failed" in result.stderr
    assert path.read_bytes() == other.read_bytes() == before
    (tmp_path / "old.mid").write_text("somebody's")
    assert run(path, "-o", tmp_path / "old.mid").exit_code == 0
    assert (tmp_path / "old.mid").read_bytes().startswith(b"MThd")


def test_names_that_no_ending_fits_behind_are_shortened(make: Any, tmp_path: Path) -> None:
    paths = [make(f"{folder}/{'x' * 250}.flac") for folder in "ab"]
    assert run("-o", f"{tmp_path}/out/", *paths).exit_code == 0
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["x" * 247 + " (2).mid", "x" * 250 + ".mid"]
    taken = Destinations(())
    short, other = (taken.take(tmp_path / ("x" * 251 + ".mid")) for _ in range(2))
    assert isinstance(short, Path)
    assert isinstance(other, Path)
    assert len(other.name) == len(short.name) == 255


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root writes everywhere")
def test_a_folder_that_cannot_be_written_is_one_line(make: Any, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir(mode=0o500)
    result = run(make("a.flac"), "-o", folder)
    assert result.exit_code == 1
    assert result.stderr.splitlines()[0].endswith("a.mid cannot be written: Permission denied")


def test_what_stands_in_the_way_is_one_line(make: Any, tmp_path: Path) -> None:
    (tmp_path / "out" / "a.mid").mkdir(parents=True)
    path = make("a.flac")
    result = run(path, make("b.flac"), "-o", tmp_path / "out")
    assert result.exit_code == 1
    assert result.stderr.splitlines() == [
        f"{path}: {tmp_path}/out/a.mid cannot be written: Is a directory", "1 of 2 files failed",
    ]  # fmt: skip
    assert (tmp_path / "out" / "b.mid").exists()
    assert list((tmp_path / "out").glob(".*")) == []


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("--format", "midi"), "--format midi needs -o"),
        (("--grid", "8"), "--grid is for --quantize"),
        (("--from", "3"), "--from and --to are for --plot"),
        (("--plot", "a.png", "--from", "1:00", "--to", "0:30"), "--to must be later than --from"),
        (("--plot", "a.png", "--from", "soon"), "give seconds, or minutes and seconds as 1:05"),
        (("--plot", "a.jpg"), "the name must end with .png or .svg"),
        (("--threshold", "1.5"), "give a number between 0 and 1"),
        (("--threshold", "nan"), "give a number between 0 and 1"),
        (("--part", "alto"), "--part"),
        (("-o", ""), "-o names nothing"),
        (("-o", "no/such/folder/a.mid"), "there is no folder no/such/folder"),
        (("b.flac", "-o", "a.mid"), "-o a.mid is one file for several; give a folder"),
    ],
)
def test_options_that_make_no_sense_are_refused_at_once(
    args: tuple[str, ...], message: str, make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transcribing, "load_estimator", lambda model: pytest.fail("was loaded"))
    result = run(make("a.flac"), *args)
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())


@pytest.fixture
def pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The entry points of `pyproject.toml`, whenever the package was installed."""
    text = (ROOT / "pyproject.toml").read_text()
    (entry,) = re.findall(r'^piano-roll = "(.*)"$', text, re.MULTILINE)
    folder = tmp_path / "site" / "pictures-1.0.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: pictures\nVersion: 1.0\n")
    (folder / "entry_points.txt").write_text(f"[tempo_core.pictures]\npiano-roll = {entry}\n")
    monkeypatch.syspath_prepend(folder.parent)


@pytest.mark.usefixtures("pictures")
def test_a_picture_is_drawn_beside(make: Any, tmp_path: Path) -> None:
    path = make("a.flac")
    picture = tmp_path / "roll.svg"
    result = run(path, "-o", tmp_path / "a.mid", "--plot", picture, "--from", "2", "--to", "0:04")
    assert (result.exit_code, result.stderr) == (0, "")
    assert b"<svg" in picture.read_bytes()
    result = run(path, make("b.flac"), "-o", tmp_path / "out", "--plot", tmp_path / "out",
                 "--from", "1:00")  # fmt: skip
    assert result.exit_code == 1
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["a.mid", "b.mid"]
    assert "there is no music from 60 s on" in result.stderr


@pytest.mark.usefixtures("pictures")
def test_a_missing_package_is_one_line(
    make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.startswith("trainer.evaluation.piano_roll")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    result = run(make("a.flac"), "--plot", tmp_path / "a.png")
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: notes needs more packages (")
    assert result.stderr.endswith("pip install 'beets-tempo[train]'\n")
    assert result.stderr.count("\n") == 1


def test_names_are_given_once(tmp_path: Path) -> None:
    taken = tmp_path / "in.wav"
    taken.touch()
    names = Destinations([str(taken), "gone.wav", "nul\0.wav"])
    given = [names.take(tmp_path / name) for name in ("a.mid", "A.mid", "a.mid", "a (2).mid")]
    assert [path.name for path in given if isinstance(path, Path)] == [
        "a.mid", "A (2).mid", "a (3).mid", "a (2) (2).mid",
    ]  # fmt: skip
    assert isinstance(names.take(taken), ConfigError)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/dev/stdout").exists(), reason="there is no /dev/stdout")
@mostly_slow("redirected", [False, True], quick=1)
@mostly_slow("dash", [True, False], quick=1)
def test_notes_on_standard_output_are_alone_there(
    dash: bool, redirected: bool, make: Any, tmp_path: Path
) -> None:
    path, link = make("a.flac"), tmp_path / "stdout"
    link.symlink_to("/proc/self/fd/1" if Path("/proc/self/fd").exists() else "/dev/fd/1")
    told = f"{path}: {len(song(2))} notes, 120.00 BPM -> {'/dev/stdout' if dash else link}\n"
    with (tmp_path / "out.mid").open("wb") as file:
        done = subprocess.run(
            [sys.executable, "-c", STUB, "-o", "-" if dash else str(link), str(path)],
            stdout=file if redirected else subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)}, check=True,
        )  # fmt: skip
    data = (tmp_path / "out.mid").read_bytes() if redirected else done.stdout
    assert done.stderr.decode() == told
    assert mido.MidiFile(file=io.BytesIO(data)).type == 1
    assert data.startswith(b"MThd")
    assert link.is_symlink()


STUB = """
import sys, time
from tempo_core.cli import main
from tempo_core.transcription import transcribing
from tests.known_notes import KnownNotes, song

class Slow(KnownNotes):
    def results(self, path):
        time.sleep(0.4)
        return super().results(path)

transcribing.load_estimator = lambda model: Slow(song(2))
main(["notes", "--jobs", "1", *sys.argv[1:]], prog_name="tempo-core")
"""


@pytest.mark.slow
def test_ctrl_c_keeps_what_is_finished(make: Any, tmp_path: Path) -> None:
    paths = [make(f"in/{k}.flac") for k in range(8)]
    process = subprocess.Popen(
        [sys.executable, "-c", STUB, "-o", f"{tmp_path}/out/", *map(str, paths)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert process.stdout
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    n_done = len(list((tmp_path / "out").iterdir()))
    assert 0 < n_done < 8
    assert (process.returncode, err) == (1, f"Error: interrupted: {n_done} of 8 files are done\n")
