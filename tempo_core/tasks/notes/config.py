"""Configuration of the notes task."""

from __future__ import annotations

from dataclasses import dataclass

from ...config import Config, setting


@dataclass(frozen=True)
class NotesModel(Config):
    """Size of the network, see `network`."""

    n_tones: int = setting(20, 1, 256)  # channels that look at neighbouring semitones
    n_harmonics: int = setting(40, 1, 512)  # channels that look at the harmonics of a pitch
    n_context: int = setting(32, 1, 512)  # channels that look at what is around it
    n_layers: int = setting(0, 0, 8)  # of the transformer; 0: convolutions alone
    n_squeezed: int = setting(4, 1, 64)  # channels of each pitch that the transformer sees
    n_model: int = setting(96, 8, 1024)  # width of the transformer
    n_heads: int = setting(4, 1, 32)
    dropout: float = setting(0.1, 0.0, 0.9)


@dataclass(frozen=True)
class NotesConfig(Config):
    """What a notes model needs beside its weights."""

    model: NotesModel = NotesModel()
    n_frames: int = setting(256, 16, 4096)  # of a window, 5.9 s
    margin: int = setting(24, 0, 512)  # frames at both ends of a window whose answers do not count
    onset_threshold: float = setting(0.4, 0.01, 0.99)
    frame_threshold: float = setting(0.4, 0.01, 0.99)
    shortest: float = setting(0.05, 0.0, 1.0)  # [s] of a note that is told
