"""The row of the table of tasks."""

from __future__ import annotations

from ...spectrum import Array
from ...task import Task
from .config import TagsConfig
from .decode import Embedding, Tagging, activate, columns, decode, encode, enough, pool
from .network import build
from .view import view

TASK: Task[TagsConfig, Array, Embedding, Tagging] = Task(
    name="tags",
    config=TagsConfig,
    network=build,
    view=view,
    encode=encode,
    activate=activate,
    pool=pool,
    decode=decode,
    columns=columns,
    enough=enough,
)
