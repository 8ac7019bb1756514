"""Tests that the documentation agrees with the code: links, drawings, pictures and examples."""

from __future__ import annotations

import doctest
import re
import subprocess
from pathlib import Path

import pytest
from mediafile import MediaFile

from docs.architecture import ROOT, TARGET, modules, picture, room, rooms
from docs.screens import IMAGES, SCREENS

from .audio import click_track, write_audio

LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")


def pages() -> list[Path]:
    """All Markdown files of the repository, without those that git ignores."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "*.md"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    ).stdout.split()  # fmt: skip
    found = [ROOT / name for name in listed if (ROOT / name).is_file()]
    return found or [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]


def without_code(text: str) -> str:
    """A page without its blocks of code and the marks of inline code, where nothing is a link."""
    text = re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)
    return re.sub(r"`[^`\n]*`", lambda match: match[0].strip("`").replace("[", ""), text)


def anchors(text: str) -> set[str]:
    """The anchors of a page that links can point to, as GitHub names them after headings."""
    found: set[str] = set()
    for heading in re.findall(r"^#+ (.*)$", without_code(text), re.MULTILINE):
        slug = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        n, unique = 0, slug
        while unique in found:
            n += 1
            unique = f"{slug}-{n}"
        found.add(unique)
    return found


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for link in LINK.findall(without_code(page.read_text(encoding="utf-8"))):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), f"{page.name}: {link}"
        if anchor and target.suffix == ".md":
            assert anchor in anchors(target.read_text(encoding="utf-8")), f"{page.name}: {link}"


def test_pages_and_files_that_code_names_exist() -> None:
    """Every page of the documentation that a docstring names exists."""
    for path in (*modules(ROOT).values(), *(ROOT / "benchmarks").glob("*.py")):
        for name in re.findall(r"docs/[\w/-]+\.md", path.read_text(encoding="utf-8")):
            assert (ROOT / name).is_file(), f"{path}: {name}"


PACKAGES = "tempo_core|trainer|beetsplug|tests|benchmarks|docs"


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_files_and_modules_that_pages_name_exist(page: Path) -> None:
    if page.name == "CHANGELOG.md":  # which names what there was before
        return
    text = page.read_text(encoding="utf-8")
    for name in re.findall(rf"`((?:{PACKAGES})/[\w./-]+)`", text):
        there = (ROOT / name).exists() or (page.parent / name).exists()
        assert there, f"{page.name}: {name}"
    known = modules(ROOT)
    for name in re.findall(r"python -m ((?:tempo_core|trainer)[\w.]*\w)", text):
        assert {name, f"{name}.__main__"} & known.keys(), f"{page.name}: {name}"


def test_every_benchmark_is_described() -> None:
    text = (ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8")
    scripts = {path.name for path in (ROOT / "benchmarks").glob("*.py")} - {"bench.py"}
    assert scripts == set(re.findall(r"^\| `(\w+\.py)`", text, re.MULTILINE))


def test_every_picture_is_shown() -> None:
    text = "".join(page.read_text(encoding="utf-8") for page in pages())
    for path in (*IMAGES.iterdir(), TARGET):
        assert path.name in text, f"{path.name} is on no page"


def test_the_drawing_of_the_architecture_is_current() -> None:
    """After a change of what imports what: `python docs/architecture.py`."""
    assert TARGET.read_text(encoding="utf-8") == picture().svg()


@pytest.mark.slow
def test_the_drawing_has_every_room() -> None:
    belong = {room(name, path) for name, path in modules(ROOT).items()} - {None}
    assert belong == rooms(ROOT).keys()
    text = TARGET.read_text(encoding="utf-8")
    assert all(f">{name.split('/')[1]}</text>" in text for name in rooms(ROOT))


def test_there_is_a_picture_of_every_screen() -> None:
    for screen in SCREENS:
        text = (IMAGES / f"{screen.name}.svg").read_text(encoding="utf-8")
        assert all("$ " + command.split(" '")[0] in text for command in screen.commands)


def test_the_examples_of_the_api_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    song = write_audio(tmp_path / "song.flac", click_track(120, 20.0), 22050)
    media = MediaFile(song)
    media.update({"title": "Night Bus", "artist": "Subfloor"})
    media.save()
    monkeypatch.chdir(tmp_path)
    page = ROOT / "docs" / "api.md"
    examples = doctest.DocTestParser().get_doctest(
        page.read_text(encoding="utf-8"), {}, page.name, str(page), 0
    )
    said: list[str] = []
    result = doctest.DocTestRunner(verbose=False).run(examples, out=said.append)
    assert result.attempted > 20
    assert not result.failed, "".join(said)
