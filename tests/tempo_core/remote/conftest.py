"""Servers on this machine, files of settings for them, and commands on their addresses."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from click.testing import CliRunner, Result

from tempo_core.cli import main
from tempo_core.remote import s3 as s3_module
from tempo_core.remote import web
from tests.audio import click_track, write_audio

from .s3_server import S3Server
from .servers import Site

Storages = Callable[..., Path]
Row = dict[str, str]


def run(*args: object, env: Mapping[str, str] | None = None) -> Result:
    """Run `tempo-core` in this process."""
    return CliRunner().invoke(main, [str(arg) for arg in args], env=env)


def estimated(*args: object, tasks: str = "tempo") -> list[Row]:
    """Rows of `tempo-core estimate` as a table, by column."""
    result = run("estimate", "--format", "tsv", "--tasks", tasks, *args)
    assert "Traceback" not in result.output
    rows = list(csv.DictReader(io.StringIO(result.stdout), delimiter="\t"))
    assert rows, result.stderr
    assert result.exit_code == (1 if any(row["error"] for row in rows) else 0)
    return rows


def without_path(row: Row) -> Row:
    """What a row says of the audio."""
    return {name: value for name, value in row.items() if name != "path"}


def some(values: Iterable[Any], *names: object) -> list[Any]:
    """Values as parameters of a test: those that are named by default, the others if it is slow."""
    return [
        value if value in names else pytest.param(value, marks=pytest.mark.slow) for value in values
    ]


@pytest.fixture(autouse=True)
def _little_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests are tried again at once in this process, not after seconds."""
    for module in (web, s3_module):
        monkeypatch.setattr(module, "BACKOFF", 0.01)


@pytest.fixture(scope="session")
def short(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Read-only file of 14 s of clicks, 120 BPM."""
    path = tmp_path_factory.mktemp("short") / "short.flac"
    return write_audio(path, click_track(120, 14, 22050), 22050)


@pytest.fixture(scope="session")
def long(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Read-only file of 5.3 MB: 60 s of clicks with noise, 100 BPM.

    So much is not read at once, and it is not the same at any two places.
    """
    audio = click_track(100, 60, 44100)
    audio += 0.01 * np.random.default_rng(0).standard_normal(len(audio)).astype(np.float32)
    path = tmp_path_factory.mktemp("long") / "long.wav"
    return write_audio(path, audio, 44100)


@pytest.fixture(scope="session")
def local_rows(short: Path, long: Path) -> dict[str, Row]:
    """What is estimated of `short` and `long` as local files, with two windows, by name."""
    rows = estimated("--windows", 2, short, long)
    assert not any(row["error"] for row in rows)
    return {Path(row["path"]).stem: without_path(row) for row in rows}


@pytest.fixture
def site(short: Path, long: Path) -> Iterator[Site]:
    """A site with `short.flac` and `long.wav`."""
    with Site({f"/{path.name}": path.read_bytes() for path in (short, long)}) as started:
        yield started


@pytest.fixture
def other() -> Iterator[Site]:
    """A site of somebody else; it must not be asked for anything."""
    with Site() as started:
        yield started
        assert started.requests == []


@pytest.fixture(scope="session")
def _s3() -> Iterator[S3Server]:
    with S3Server() as started:
        yield started


@pytest.fixture
def s3(_s3: S3Server) -> Iterator[S3Server]:
    """An S3 server without buckets, which knows of no request."""
    yield _s3
    _s3.forget()


@pytest.fixture
def storages(tmp_path: Path) -> Storages:
    """Function that writes a file of settings: `storages(http=[site.url], zip=True)`; its path.

    A `Site` stands for its address with `robots: false`.
    """

    def entry(value: Any) -> Any:
        return {"site": value.url, "robots": False} if isinstance(value, Site) else value

    def write(**schemes: Any) -> Path:
        path = tmp_path / "storages.yaml"
        path.write_text(
            yaml.safe_dump({
                scheme: [entry(e) for e in value] if isinstance(value, list) else value
                for scheme, value in schemes.items()
            })
        )  # fmt: skip
        return path

    return write
