"""Tests of the message about another installed distribution with a package `trainer`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import venv
import zipfile
from importlib.metadata import distribution
from pathlib import Path

import pytest

from tempo_core import shadowing
from tests.rows import mostly_slow

ROOT = Path(__file__).parents[2]
OURS = {
    str(path.relative_to(ROOT)): path.read_bytes()
    for package in ("tempo_core", "trainer", "beetsplug")
    for path in sorted((ROOT / package).rglob("*"))
    if path.is_file() and path.suffix != ".pyc"
}
THEIRS = {"trainer/__init__.py": b"raise SystemExit('theirs')\n", "trainer/theirs.py": b""}
TRAIN = ["tempo-core", "train", "set"]
HELP = ["tempo-core", "train", "--help"]
OURS_SAYS = "Learn from the training set in FOLDER"
COMMANDS = [
    TRAIN,
    ["tempo-core", "build", ".", "--out", "set"],
    ["tempo-core", "evaluate", ".", "--out", "figures"],
    ["tempo-core", "plot", "figures"],
    ["beet", "tempo-train"],
    ["beet", "tempo-eval"],
]


def pip(*arguments: str | Path) -> None:
    subprocess.run([sys.executable, "-m", "pip", "--quiet", *arguments], check=True)


def install(place: Path, name: str, files: dict[str, bytes]) -> None:
    """Build a wheel of some files and install it into an environment or unpack it into a folder.

    Parameters
    ----------
    place
        Python of the environment, or the folder.
    """
    about = f"{name.replace('-', '_')}-1.0.dist-info"
    commands = distribution("beets-tempo").read_text("entry_points.txt") or ""
    contents = {
        **files,
        f"{about}/entry_points.txt": commands.encode() if name == "beets-tempo" else b"",
        f"{about}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n".encode(),
        f"{about}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    contents[f"{about}/RECORD"] = "".join(f"{path},,\n" for path in contents).encode()
    with tempfile.TemporaryDirectory() as folder:
        wheel = Path(folder) / f"{about.removesuffix('.dist-info')}-py3-none-any.whl"
        with zipfile.ZipFile(wheel, "w") as archive:
            for path, content in contents.items():
                archive.writestr(path, content)
        if place.is_dir():
            shutil.unpack_archive(wheel, place, "zip")
        else:
            options = ["--no-compile", "--no-deps", "--no-index"]
            pip("--python", place, "install", *options, wheel)


def run(
    command: list[str], cwd: Path, *first: Path, python: Path | str = sys.executable
) -> subprocess.CompletedProcess[str]:
    """Run a command of an environment, with some folders first on the path."""
    program, *arguments = command
    main = "tempo_core.cli" if program == "tempo-core" else "beets.ui"
    code = f"import sys; del sys.path[0]; from {main} import main; main({arguments!r})"
    return subprocess.run(
        [python, "-c", code],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(map(str, first))},
        cwd=cwd, capture_output=True, text=True, check=False,
    )  # fmt: skip


def told(done: subprocess.CompletedProcess[str]) -> str:
    """The line with which a command refused to start."""
    assert done.returncode == 1, done
    (line,) = done.stderr.splitlines()
    return line


@pytest.fixture(scope="session")
def empty_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The database of a beets library that is up to date."""
    path = tmp_path_factory.mktemp("beets") / "library.db"
    code = f"from beets.library import Library; Library({str(path)!r}, '/')"
    subprocess.run([sys.executable, "-c", code], check=True)
    return path


@pytest.fixture
def folder(tmp_path: Path, home: Path, empty_library: Path) -> Path:
    """Folder for the commands, with an up-to-date beets library."""
    (home / "beets" / "config.yaml").write_text(
        f"plugins: [tempo]\ndirectory: {home}\nlibrary: {home}/library.db\n"
        "create_backup_before_migrations: no\n"
    )
    shutil.copyfile(empty_library, home / "library.db")
    return tmp_path


@pytest.fixture(scope="session")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with another distribution that has a package `trainer`."""
    place = tmp_path_factory.mktemp("theirs")
    install(place, "another-trainer", THEIRS)
    return place


@pytest.fixture
def environment(folder: Path) -> Path:
    """Python of an environment with everything that this distribution needs, but not itself."""
    venv.create(folder / "venv", symlinks=os.name != "nt")
    python = folder / "venv" / ("Scripts" if os.name == "nt" else "bin") / "python"
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    site = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout
    # Python does not follow the .pth files of a folder that it has from one, so an editable
    # beets-tempo there is out of reach.
    (Path(site.strip()) / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    return python


def test_ours_alone_is_not_objected_to() -> None:
    shadowing.check_trainer()


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@pytest.mark.slow
def test_one_that_is_found_first_is_told_by_every_command(
    command: list[str], folder: Path, theirs: Path
) -> None:
    line = told(run(command, folder, theirs, ROOT))
    assert f"`trainer` of another-trainer in {theirs} hides that of beets-tempo" in line
    assert "uninstall another-trainer, or give beets-tempo an environment of its own" in line


def test_one_that_is_not_installed_is_told_by_its_place(folder: Path) -> None:
    (folder / "trainer.py").write_bytes(THEIRS["trainer/__init__.py"])
    line = told(run(TRAIN, folder, folder, ROOT))
    assert f"the package `trainer` in {folder} hides that of beets-tempo; move it away" in line


def test_a_module_of_that_name_is_told(folder: Path) -> None:
    place = folder / "module"
    place.mkdir()
    install(place, "one-file", {"trainer.py": THEIRS["trainer/__init__.py"]})
    assert "uninstall one-file" in told(run(TRAIN, folder, place, ROOT))


@pytest.mark.slow
@pytest.mark.parametrize("order", ["theirs first", "ours first"])
def test_two_in_one_folder_are_told(order: str, folder: Path, environment: Path) -> None:
    both = {"another-trainer": THEIRS, "beets-tempo": OURS}
    for name in sorted(both, reverse=order == "ours first"):
        install(environment, name, both[name])
    for command in (TRAIN, ["beet", "tempo-train"]):
        line = told(run(command, folder, python=environment))
        assert "another-trainer installs a package `trainer` as beets-tempo does" in line
        assert "uninstall another-trainer and then pip install --force-reinstall" in line

    # pip takes away what both have installed; what was advised makes it whole.
    pip("--python", environment, "uninstall", "--yes", "another-trainer")
    line = told(run(TRAIN, folder, python=environment))
    assert "is incomplete: pip install --force-reinstall --no-deps beets-tempo" in line
    pip("--python", environment, "uninstall", "--yes", "beets-tempo")
    install(environment, "beets-tempo", OURS)
    assert OURS_SAYS in run(HELP, folder, python=environment).stdout


def test_one_that_is_found_later_does_no_harm(folder: Path, theirs: Path) -> None:
    assert OURS_SAYS in run(HELP, folder, ROOT, theirs).stdout


@mostly_slow(
    "command",
    [["tempo-core", "models"], ["tempo-core", "--help"], ["beet", "ls"]],
    ids=" ".join,
    quick=1,
)
def test_what_does_not_need_it_starts(command: list[str], folder: Path, theirs: Path) -> None:
    done = run(command, folder, theirs, ROOT)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(("command", "looks"), [(["models"], False), (["train", "set"], True)])
def test_only_what_needs_it_pays_for_the_look(
    command: list[str], looks: bool, tmp_path: Path
) -> None:
    code = (
        "import sys; from tempo_core import shadowing; from tempo_core.cli import main\n"
        "shadowing.distributions = lambda: sys.exit('looked')\n"
        f"main({command!r})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": str(ROOT)}, cwd=tmp_path, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert ("looked" in done.stderr) is looks
    assert looks or done.returncode == 0
