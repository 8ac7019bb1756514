"""The row of the table of tasks."""

from __future__ import annotations

from ...config import HarmonyFrontEnd
from ...keys import Key
from ...spectrum import LogFrequency
from ...task import Task
from .config import KeyConfig
from .decode import PooledKeys, Tonality, activate, columns, decode, encode, enough, pool
from .network import build
from .view import view

TASK: Task[KeyConfig, Key, PooledKeys, Tonality] = Task(
    name="key",
    config=KeyConfig,
    network=build,
    view=view,
    encode=encode,
    activate=activate,
    pool=pool,
    decode=decode,
    columns=columns,
    enough=enough,
    front_end=HarmonyFrontEnd,
    spectrum=LogFrequency,
)
