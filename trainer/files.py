"""Writing files so that nobody ever sees half of one."""

from __future__ import annotations

import os
from pathlib import Path


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file atomically: the old one, or the new one, whenever the machine stops."""
    part = path.with_name(f".{path.name}.part")
    with part.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def write_text(path: Path, text: str) -> None:
    """The same with text, as UTF-8; what was no text in the name of a file becomes that again."""
    write_bytes(path, text.encode("utf-8", "surrogateescape"))
