"""A file at an address is, to whoever reads it, the file."""

from __future__ import annotations

import asyncio
import contextvars
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tempo_core.errors import AudioError
from tempo_core.reading import open_file
from tempo_core.remote import Storages, active
from tempo_core.remote.loop import wait
from tempo_core.remote.settings import Bucket
from tempo_core.remote.settings import Site as SiteSettings

from . import hostile
from .archives import archive, deflated, stored
from .conftest import some
from .s3_server import KEY, SECRET, S3Server
from .servers import Content, Site

LENGTH = 700_000  # [bytes] of the file, several blocks
OFFSETS = st.one_of(
    st.integers(0, LENGTH + 100), st.integers(-LENGTH, LENGTH), st.integers(-20, 20),
    st.sampled_from([0, 65535, 65536, 65537, LENGTH - 1, LENGTH]),
)  # fmt: skip
SIZES = st.one_of(st.integers(0, 100), st.integers(0, 2 * LENGTH), st.none(), st.just(-1))
WHENCES = [os.SEEK_SET, os.SEEK_CUR, os.SEEK_END]
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("read"), SIZES),
        st.tuples(st.just("seek"), OFFSETS, st.sampled_from(WHENCES)),
    ),
    max_size=25,
)  # fmt: skip
KINDS = ["http", "whole", "chunked", "no tag", "s3", "stored", "deflated", "in s3"]


def content() -> bytes:
    """Content that is not the same at any two places, and can be compressed a little."""
    return np.random.default_rng(5).integers(0, 100, LENGTH, np.uint8).tobytes()


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[dict[str, str], Path]]:
    """The same file by its address, for each kind of place; and as a local file."""
    data = content()
    local = tmp_path_factory.mktemp("reading") / "a.bin"
    local.write_bytes(data)
    packed = archive(stored("s.bin", data), deflated("d.bin", data))
    answers = {
        "/a.bin": Content(data), "/whole": hostile.whole(data), "/chunked": hostile.chunked(data),
        "/tagless": Content(data, None, None), "/a.zip": Content(packed),
    }  # fmt: skip
    with S3Server() as s3, Site(answers=answers) as site:
        client = s3.client()
        client.create_bucket(Bucket="archive")
        client.put_object(Bucket="archive", Key="a.bin", Body=data)
        client.put_object(Bucket="archive", Key="a.zip", Body=packed)
        storages = Storages(
            (SiteSettings(site.url, robots=False),),
            (Bucket("archive", s3.url, "us-east-1", KEY, SECRET),),
            zip=True,
        )
        with active(storages):
            yield {
                "http": f"{site.url}/a.bin", "whole": f"{site.url}/whole",
                "chunked": f"{site.url}/chunked", "no tag": f"{site.url}/tagless",
                "s3": "s3://archive/a.bin", "stored": f"zip://s.bin::{site.url}/a.zip",
                "deflated": f"zip://d.bin::{site.url}/a.zip",
                "in s3": "zip://s.bin::s3://archive/a.zip",
            }, local  # fmt: skip


@pytest.fixture(autouse=True)
def _storages_of_the_module(places: object) -> None:
    """What opens addresses is there before each test."""


def taken(file: BinaryIO, step: tuple[Any, ...]) -> object:
    """What a step gives: bytes, a position, or the kind of an error."""
    name, *args = step
    try:
        return getattr(file, name)(*args), file.tell()
    except (OSError, ValueError) as error:
        return type(error), file.tell()


@pytest.mark.parametrize("kind", some(KINDS, "http", "s3", "deflated"))
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=STEPS)
def test_any_reads_and_seeks(
    kind: str, places: tuple[dict[str, str], Path], steps: list[tuple[Any, ...]]
) -> None:
    addresses, local = places
    with open_file(addresses[kind]) as there, open_file(local) as here:
        for step in steps:
            assert taken(there, step) == taken(here, step)


@pytest.mark.slow
def test_threads_read_at_once(places: tuple[dict[str, str], Path]) -> None:
    """Each opens its own file; what they share is no matter."""
    addresses, _ = places
    data, failures = content(), []

    def read(kind: str, seed: int) -> None:
        rng = np.random.default_rng(seed)
        with open_file(addresses[kind]) as file:
            for begin in rng.integers(0, LENGTH, 30):
                file.seek(int(begin))
                if file.read(5000) != data[begin : begin + 5000]:
                    failures.append((kind, begin))

    threads = [
        threading.Thread(target=contextvars.copy_context().run, args=(read, kind, k))
        for k, kind in enumerate(KINDS * 3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    assert not any(thread.is_alive() for thread in threads)


@pytest.mark.parametrize("kind", ["http", "stored", "deflated", "s3"])
def test_little_is_kept_in_memory(kind: str, places: tuple[dict[str, str], Path]) -> None:
    """A read of more than a decoder needs at once is refused, as from a disk."""
    addresses, local = places
    for place in (addresses[kind], local):
        with open_file(place) as file:
            assert len(file.read(1 << 40)) == LENGTH
    with pytest.raises(AudioError):
        open_file(addresses[kind] + "x")


def test_ctrl_c_in_the_main_thread_cancels_the_request() -> None:
    cancelled = threading.Event()

    async def silent() -> None:
        try:
            threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
            await asyncio.sleep(60)
        finally:
            cancelled.set()

    with pytest.raises(KeyboardInterrupt):
        wait(silent())
    assert cancelled.wait(5)
