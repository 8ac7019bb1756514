"""Tests of tempi with decimals in tags: read rounded, written on request, without churn."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import mutagen
import pytest
from beets.library import Item
from mediafile import MediaFile
from mutagen.id3 import ID3, TBPM
from mutagen.mp4 import MP4FreeForm

from beetsplug.tempo import keeping
from beetsplug.tempo.collecting import item_labels
from beetsplug.tempo.marking import TEMPO
from beetsplug.tempo.origin import origin, stated_tempo
from beetsplug.tempo.tempo_tags import precise_bpm
from beetsplug.tempo.writing import update_tags, write_fields
from tempo_core.keys import parse_key
from tempo_core.labels.files import read_track
from tests.rows import mostly_slow

from ..conftest import MakeAudio
from ..containers import Case, cases
from ..formats import EACH_FORMAT
from ..tagging import heard, shown
from .conftest import ROOT, Beet, TempoOf
from .test_import import album, check_stable, match

__all__ = ["album", "match"]  # fixtures

SOURCE = "model:x@01234567"
FREEFORM = "----:com.apple.iTunes:BPM"


def raw(path: Path) -> str:
    """The text of the tempo with decimals in a file, as mutagen has it."""
    file = mutagen.File(path)
    for key in ("TBPM", FREEFORM, "tmpo", "BPM", "WM/BeatsPerMinute"):
        if key in (file.tags or {}):
            value = file[key]
            value = (value.text if isinstance(value, TBPM) else value)[0]
            return value.decode() if isinstance(value, bytes) else str(value)
    return ""


def write_raw(path: Path, text: str) -> None:
    """Write a text as the tempo of a file, as another program does."""
    file = mutagen.File(path)
    if isinstance(file.tags, ID3):
        file.tags.add(TBPM(encoding=3, text=[text]))
    elif path.suffix == ".m4a":
        file[FREEFORM] = [MP4FreeForm(text.encode())]
    else:
        file["WM/BeatsPerMinute" if path.suffix == ".wma" else "BPM"] = [text]
    file.save()


def later(path: Path) -> None:
    """Let a file look changed, so that `beet update` reads it."""
    os.utime(path, (path.stat().st_atime, path.stat().st_mtime + 10))


def check_still(beet: Beet, path: Path) -> None:
    """Assert that `beet update`, also of a file that looks new, and `beet write` do nothing."""
    content, before = path.read_bytes(), dict(beet.item())
    assert beet("update").out == ""
    later(path)
    assert beet("update").out == ""
    assert beet("write").out == ""
    assert {**dict(beet.item()), "mtime": 0} == {**before, "mtime": 0}
    assert path.read_bytes() == content


@pytest.fixture
def analysed(beet: Beet) -> Any:
    """Function that puts a file into the library as if it had been analysed, with its tags."""

    def put(path: Path, bpm: float = 127.98) -> None:
        beet.load()
        if not beet.items():
            beet.add(path)
        item = beet.item()
        TEMPO.set(item, bpm, SOURCE)
        item.update({"tempo_bpm": bpm, "tempo_verdict": "set"})
        assert keeping.keep(item, TEMPO.tags, write=True) is None

    return put


@pytest.mark.parametrize("suffix", EACH_FORMAT)
def test_decimals_are_written_in_every_format(
    suffix: str, beet: Beet, make_audio: MakeAudio, analysed: Any
) -> None:
    path = make_audio(f"a.{suffix}", duration=1, title="Ünï", artist="B", albumartist="B")
    MediaFile(path).save()
    sound, tags = heard(path), shown(path)
    beet.configure(tempo={"decimals": True})
    analysed(path)
    assert raw(path) == "127.98"
    assert MediaFile(path).bpm == beet.item().bpm == 128
    assert heard(path) == sound
    assert {key: value for key, value in shown(path).items() if key in tags} == tags
    if suffix == "m4a":
        assert mutagen.File(path)["tmpo"] == [128]
    assert read_track(path).tag_bpm is None  # the plugin's own, no label
    check_still(beet, path)
    assert beet("ls", "-f", "$title", "bpm:128").out == "Ünï\n"
    # What beets itself writes, all tags of a track, keeps the decimals.
    assert beet("modify", "-y", "title=Other").code == 0
    assert (raw(path), MediaFile(path).title) == ("127.98", "Other")
    check_still(beet, path)
    # A person edits the tag in another program.
    write_raw(path, "140")
    later(path)
    assert "bpm: 128 -> 140" in beet("update").out
    assert origin(beet.item()) == "manual"
    check_still(beet, path)
    # And in the library.
    assert beet("modify", "-y", "bpm=99").code == 0
    assert raw(path) == "99"
    assert FREEFORM not in (mutagen.File(path).tags or {})


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, id=case.name, marks=[] if case.name.startswith(("wv", "mp3 2.3"))
                     else [pytest.mark.slow])
        for case in cases() if case.written
    ],
)  # fmt: skip
def test_decimals_cost_nothing_else(case: Case, beet: Beet, tmp_path: Path) -> None:
    beet.configure(tempo={"decimals": True})
    beet.load()
    (tmp_path / "file").mkdir()
    path = case.write(tmp_path / "file")
    sound, tags = heard(path), shown(path)
    marker = str(TEMPO.kind(127.98, SOURCE))
    item = Item(path=os.fsencode(path), bpm=128, tempo_marker=marker)
    write_fields(item, TEMPO.tags)
    assert precise_bpm(MediaFile(path)) == 127.98
    assert (MediaFile(path).bpm, MediaFile(path).tempo_marker) == (128, marker)
    assert heard(path) == sound
    assert {key: value for key, value in shown(path).items() if key in tags} == tags
    content = path.read_bytes()
    write_fields(item, TEMPO.tags)
    assert path.read_bytes() == content


# A text in the tag, and the `bpm` that it is.
READ = [
    ("127.98", 128), ("127,98", 128), ("127.5", 128), ("127.49", 127), ("086.01", 86), ("128", 128),
    (" 63.5 ", 64), ("127.98 BPM", 128), ("12593", 12593), ("0", 0), ("-90", -90), ("nan", 0),
    ("fast", 0), ("120 or 60", 120), ("1e3", 1),
]  # fmt: skip


@mostly_slow("version", [3, 4], quick=1)
@pytest.mark.parametrize(("text", "bpm"), READ)
def test_tags_of_others_are_rounded(
    text: str, bpm: int, version: int, beet: Beet, make_audio: MakeAudio
) -> None:
    """What is no tempo is read as without the plugin, and counts as missing."""
    path = make_audio("a.mp3", duration=1, title="A")
    beet.load()
    id3 = ID3(path)
    id3.add(TBPM(encoding=0, text=[text]))
    if version == 3:
        id3.update_to_v23()
    id3.save(path, v2_version=version)
    assert MediaFile(path).bpm == bpm
    content = path.read_bytes()
    beet.configure(tempo={"auto": False})
    beet("import", "-AC", path.parent)
    assert beet.item().bpm == bpm
    assert path.read_bytes() == content
    check_still(beet, path)


@pytest.mark.parametrize("suffix", EACH_FORMAT)
def test_a_precise_tag_of_others_survives(suffix: str, beet: Beet, make_audio: MakeAudio) -> None:
    """beets writes all tags at once; 128 does not take the place of 127.98, and 140 does."""
    path = make_audio(f"a.{suffix}", duration=1, title="A", artist="B", albumartist="B")
    write_raw(path, "127.98")
    beet.load()
    beet.add(path)
    assert beet.item().bpm == 128
    beet("modify", "-y", "title=Other")
    assert (raw(path), MediaFile(path).title) == ("127.98", "Other")
    check_still(beet, path)
    assert read_track(path).tag_bpm == "127.98"
    beet("modify", "-y", "bpm=140")
    assert raw(path) == "140"
    beet("modify", "-y", "bpm!")
    assert raw(path) in ("", "0")


def test_what_beets_cut_off_before_is_corrected(beet: Beet, make_audio: MakeAudio) -> None:
    """A library that beets read without the plugin has 125 for 125.98."""
    path = make_audio("a.mp3", duration=8, bpm=126, title="A", artist="B", albumartist="B")
    write_raw(path, "125.98")
    content = path.read_bytes()
    beet.add(path, bpm=125)
    assert beet("tempo", "--tasks", "tempo,pace").code == 0
    assert (beet.item().bpm, beet.item().tempo_source) == (126, "tag")
    assert path.read_bytes() == content
    check_still(beet, path)


def test_a_tempo_of_a_person_is_not_corrected(beet: Beet, make_audio: MakeAudio) -> None:
    path = make_audio("a.mp3", duration=8, bpm=126, title="A", artist="B", albumartist="B")
    write_raw(path, "125.98")
    beet.add(path, bpm=63)
    assert beet("tempo", "--tasks", "tempo,pace").code == 0
    assert beet.item().bpm == 63


def test_two_tags_of_an_mp4(beet: Beet, make_audio: MakeAudio, analysed: Any) -> None:
    """The one with decimals counts, unless it is ours and the other was changed since."""
    path = make_audio("a.m4a", duration=1, title="A", artist="B", albumartist="B", bpm=128)
    beet.load()

    def put(tmpo: int, precise: str) -> tuple[int | None, str | None]:
        file = mutagen.File(path)
        file["tmpo"], file[FREEFORM] = [tmpo], [precise.encode()]
        file.save()
        return MediaFile(path).bpm, read_track(path).tag_bpm

    assert put(127, "127.98") == (128, "127.98")
    assert put(0, "127.98") == (128, "127.98")
    assert put(140, "127.98") == (128, "127.98")
    assert put(140, "none") == (140, "140")
    beet.configure(tempo={"decimals": True})
    analysed(path)
    assert put(128, "127.98") == (128, None)
    assert put(140, "127.98") == (140, "140")  # iTunes writes only this one
    assert put(128, "64.5") == (65, "64.5")
    later(path)
    beet("update")
    assert beet.item().bpm == 65


def test_a_new_estimate_that_rounds_to_the_same(
    beet: Beet, make_audio: MakeAudio, analysed: Any
) -> None:
    beet.configure(tempo={"decimals": True})
    for suffix in ("mp3", "m4a"):
        path = make_audio(f"{suffix}/a.{suffix}", duration=1, title="A")
        analysed(path)
        for bpm, text in ((128.3, "128.3"), (128.0, "128"), (64.496, "64.496"), (127.98, "127.98")):
            analysed(path, bpm)
            assert raw(path) == text
            assert read_track(path).tag_bpm is None
        beet("remove", "-f")


@pytest.mark.parametrize("suffix", ["mp3", "m4a", "ogg"])
def test_switched_on_and_off(suffix: str, beet: Beet, make_audio: MakeAudio, analysed: Any) -> None:
    """The form in the file follows the setting when tags are written again."""
    path = make_audio(f"a.{suffix}", duration=1, title="A", artist="B", albumartist="B")
    analysed(path)
    assert raw(path) == "128"
    beet.configure(tempo={"decimals": True})
    assert beet("write").out == ""
    beet("write", "-f")
    assert raw(path) == "127.98"
    beet.configure(tempo={"decimals": False})
    check_still(beet, path)
    assert raw(path) == "127.98"
    beet("write", "-f")
    assert raw(path) == "128"
    check_still(beet, path)


@mostly_slow("suffix", ["mp3", "m4a"])
def test_beet_tempo_writes_decimals(
    suffix: str, beet: Beet, make_audio: MakeAudio, tempo_of: TempoOf
) -> None:
    beet.configure(tempo={"decimals": True})
    path = make_audio(f"{suffix}/a.{suffix}", duration=8, bpm=126.37, title="A")
    bpm = tempo_of(path).bpm
    beet.add(path)
    assert beet("tempo", "-p").code == 0
    assert raw(path) == ""
    assert beet("tempo", "-W").code == 0
    assert raw(path) == ""
    assert beet("tempo", "-f").code == 0
    assert float(raw(path)) == round(bpm, 2) == beet.item().tempo_bpm
    check_still(beet, path)
    content = path.read_bytes()
    assert "0 tracks analysed" in beet("tempo").out
    assert path.read_bytes() == content
    # Another library knows the tempo as an estimate.
    beet("remove", "-f")
    beet("import", "-AC", path.parent)
    assert (beet.item().bpm, beet.item().tempo_source[:6]) == (round(bpm), "model:")
    assert path.read_bytes() == content
    beet("remove", "-f")


@mostly_slow("suffix", EACH_FORMAT, quick=1)
def test_a_tempo_set_by_hand_is_written_with_decimals(
    suffix: str, beet: Beet, make_audio: MakeAudio, analysed: Any
) -> None:
    path = make_audio(f"a.{suffix}", duration=2, title="A", artist="B", albumartist="B")
    MediaFile(path).save()
    beet.configure(tempo={"decimals": True})
    analysed(path, 126.02)
    assert beet("tempo", "--set", "127.98", "id:1..").code == 0
    assert (raw(path), beet.item().bpm, MediaFile(path).bpm) == ("127.98", 128, 128)
    assert origin(beet.item()) == "manual"
    check_still(beet, path)
    assert beet("modify", "-y", "title=Other").code == 0
    assert raw(path) == "127.98"
    assert beet("tempo", "--nudge", "0.998", "id:1..").code == 0  # to the same whole number
    assert raw(path) == "127.72"
    check_still(beet, path)
    assert read_track(path).tag_bpm == "127.72"  # a person's, and so a label
    assert list(item_labels(beet.item())) == [(127.72, "manual", "")]
    # Another library takes it for a person's, in all digits.
    beet("remove", "-f")
    assert beet("import", "-AqC", "-s", path).code == 0
    item = beet.item()
    assert (item.bpm, origin(item), stated_tempo(item)) == (128, "manual", 127.72)
    assert (item.tempo_bpm, item.tempo_verdict) == (127.72, "kept")
    beet("tempo")
    assert raw(path) == "127.72"
    # What is said elsewhere later counts everywhere.
    assert beet("modify", "-y", "bpm=140").code == 0
    assert raw(path) == "140"
    beet("tempo")
    check_still(beet, path)
    item = beet.item()
    assert (item.bpm, item.tempo_bpm, origin(item), raw(path)) == (140, 140.0, "manual", "140")
    assert FREEFORM not in (mutagen.File(path).tags or {})
    assert beet("tempo", "--half", "id:1..").code == 0
    assert raw(path) == "70"


def test_set_by_hand_without_files_and_written_later(
    beet: Beet, make_audio: MakeAudio, analysed: Any
) -> None:
    path = make_audio("a.mp3", duration=1, title="A", artist="B", albumartist="B")
    beet.configure(tempo={"decimals": True})
    analysed(path)
    assert beet("tempo", "--set", "127.6", "-W", "id:1..").code == 0
    assert raw(path) == "127.98"
    assert list(item_labels(beet.item())) == [(127.6, "manual", "")]
    assert beet("write", "-f").code == 0  # without -f it looks at whole numbers only
    assert raw(path) == "127.6"
    assert MediaFile(path).tempo_marker == "127.60 manual"
    beet.configure(tempo={"decimals": False})
    assert beet("write", "-f").code == 0
    assert raw(path) == "128"


@pytest.mark.parametrize("args", [["--lock"], ["--set", "128"]])
def test_locking_leaves_the_tag_of_another_program(
    args: list[str], beet: Beet, make_audio: MakeAudio
) -> None:
    path = make_audio("a.mp3", bpm=126, duration=8, title="A", artist="B", albumartist="B")
    write_raw(path, "127.98")
    assert beet("import", "-AqC", "-s", path).code == 0
    assert beet("tempo", *args, "id:1..").code == 0
    assert (raw(path), beet.item().bpm) == ("127.98" if args == ["--lock"] else "128", 128)
    assert beet("update").out == beet("write").out == ""


@pytest.mark.usefixtures("match")
@pytest.mark.parametrize("flag", ["-A", "-aq"], ids=["as is", "with a match"])
def test_imports_write_decimals_and_codes(
    flag: str, beet: Beet, album: Path, tempo_of: TempoOf
) -> None:
    """With a match it is beets that writes the tags."""
    beet.configure(tempo={"decimals": True, "camelot_in": "comment"})
    assert beet("import", flag, album).code == 0
    assert len(beet.items()) == 2
    for item in beet.items():
        original = album / f"{item.title.lower()}{item.filepath.suffix}"
        assert raw(item.filepath) == f"{tempo_of(original).bpm:.2f}".rstrip("0").rstrip(".")
        assert raw(original) == ""
        code = parse_key(item.initial_key).camelot  # type: ignore[union-attr]
        assert MediaFile(item.filepath).comments == item.comments == code
        assert MediaFile(original).comments is None
        assert "tempo_pending" not in item
    check_stable(beet)
    for item in beet.items():
        later(item.filepath)
    out = beet("update").out  # beets drops empty lists that a match has
    assert not any(name in out for name in ("bpm", "tempo", "comments", "initial_key"))


def test_without_the_plugin_nothing_is_damaged(
    beet: Beet, make_audio: MakeAudio, analysed: Any
) -> None:
    """beets alone cuts decimals off, once it reads a changed file; tags stay as they are."""
    path = make_audio("a.mp3", duration=1, title="A", artist="B", albumartist="B")
    beet.configure(tempo={"decimals": True})
    analysed(path)
    code = (
        "import sys; from mediafile import MediaFile; m = MediaFile(sys.argv[1]); print(m.bpm)\n"
        "from beetsplug.tempo.writing import update_tags; from pathlib import Path\n"
        "update_tags(Path(sys.argv[1]), {'title': 'Other'})"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, path], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert run.stdout == "127\n"
    assert (raw(path), MediaFile(path).title) == ("127.98", "Other")


def test_loading_twice_changes_nothing(beet: Beet, make_audio: MakeAudio) -> None:
    beet.load()
    field = MediaFile.__dict__["bpm"]
    fields = list(MediaFile.fields())
    beet.load()
    assert MediaFile.__dict__["bpm"] is field
    assert list(MediaFile.fields()) == fields
    assert fields.count("bpm") == 1


def test_a_proof_that_fails_costs_nothing(
    beet: Beet, make_audio: MakeAudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A copy with a whole number where decimals were to be written is thrown away."""
    from beetsplug.tempo import writing
    from beetsplug.tempo.editing import read_fields

    path = make_audio("a.mp3", duration=1, title="A")
    beet.configure(tempo={"decimals": True})
    beet.load()
    content = path.read_bytes()

    def rounded(media: MediaFile, names: Any) -> dict[str, Any]:
        return {k: round(v) if k == "bpm" else v for k, v in read_fields(media, names).items()}

    monkeypatch.setattr(writing, "read_fields", rounded)
    with pytest.raises(writing.LayoutError, match="would not be read back"):
        update_tags(path, {"bpm": 128, "tempo_marker": str(TEMPO.kind(127.98, SOURCE))})
    assert path.read_bytes() == content
    assert [p.name for p in path.parent.iterdir()] == ["a.mp3"]


def test_a_run_killed_between_library_and_file(
    beet: Beet, make_audio: MakeAudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_audio("a.mp3", duration=8, bpm=126.37, title="A")
    beet.configure(tempo={"decimals": True})
    beet.add(path)

    def killed(*_args: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(keeping, "finish", killed)
        beet("tempo")
    assert raw(path) == ""
    assert beet.item().tempo_pending
    assert "1 interrupted before and finished now" in beet("tempo").out
    assert float(raw(path)) == beet.item().tempo_bpm
    check_still(beet, path)


def test_a_bad_setting_is_one_line(beet: Beet, make_audio: MakeAudio) -> None:
    path = make_audio("a.mp3", duration=1)
    beet.add(path)
    beet.configure(tempo={"decimals": "some"})
    for command in (["tempo"], ["import", "-A", path]):
        run = beet(*command)
        assert (run.code, run.err.count("\n")) == (1, 1)
        assert run.err.startswith("configuration error: tempo.decimals")
