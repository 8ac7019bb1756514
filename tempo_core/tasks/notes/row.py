"""The row of the table of tasks."""

from __future__ import annotations

from ...config import NotesFrontEnd
from ...constant_q import ConstantQ
from ...task import Task
from .config import NotesConfig
from .decode import activate, columns, decode, encode, pool
from .events import Annotation, Stretch, Transcription
from .network import build
from .view import view

TASK: Task[NotesConfig, Annotation, list[Stretch], Transcription] = Task(
    name="notes",
    config=NotesConfig,
    network=build,
    view=view,
    encode=encode,
    activate=activate,
    pool=pool,
    decode=decode,
    columns=columns,
    front_end=NotesFrontEnd,
    spectrum=ConstantQ,
)
