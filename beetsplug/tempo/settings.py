"""The `tempo:` section of the configuration: default values, and the type and range of each."""

from __future__ import annotations

import math
import os
import shlex
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import confuse
from beets.dbcore.query import (
    DurationQuery,
    InvalidQueryArgumentValueError,
    InvalidQueryError,
)

from tempo_core import methods
from tempo_core.errors import ConfigError
from tempo_core.labels.sources import check_names, source_settings
from tempo_core.sound_tags import is_field
from tempo_core.tasks import in_columns
from tempo_core.transcription.choices import DEFAULT_VALUE, FORMATS, MIDI, PARTS, STEPS

from .camelot_tags import CODE_PLACES, OFF


class Positive(confuse.Integer):
    """Template of a setting that is a whole number from 1."""

    def convert(self, value: Any, view: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            self.fail("must be a whole number from 1", view)
        return value


class WindowCount(Positive):
    """Template of a number of windows: a whole number from 1, or `all`."""

    def convert(self, value: Any, view: Any) -> Any:
        if value == "all":
            return value
        try:
            return super().convert(value, view)
        except confuse.ConfigError:
            self.fail("must be a whole number from 1, or all", view)


class SchedulerName(confuse.Template):
    """Template of a scheduler of a Dask cluster, see `is_scheduler`."""

    def convert(self, value: Any, view: Any) -> str:
        from tempo_core.engines.schedulers import FORMS, is_scheduler

        if isinstance(value, str) and is_scheduler(value):
            return value
        self.fail(f"must be {FORMS}", view)


class TempoRange(confuse.Template):
    """Template of a range: a list of two tempi [BPM], the lower one first; read as a tuple."""

    def convert(self, value: Any, view: Any) -> tuple[float, float]:
        match value:
            case [low, high] if _is_number(low) and _is_number(high) and 0 < low < high:
                return (low, high)
        self.fail("must be two tempi, the lower first, such as [78, 155]", view)


class SourceNames(confuse.StrSeq):
    """Template of a list of label sources; a name that no source has is an error."""

    def convert(self, value: Any, view: Any) -> list[str]:
        names: list[str] = super().convert(value, view)
        try:
            check_names(names)
        except ConfigError as error:
            self.fail(str(error), view)
        return names


class Number(confuse.Number):
    """Template of a number within limits.

    Parameters
    ----------
    expected
        The limits in words, for the message about a wrong value.
    fits
        Whether a number is within the limits.
    """

    def __init__(self, expected: str, fits: Callable[[float], bool]) -> None:
        super().__init__()
        self._expected = expected
        self._fits = fits

    def convert(self, value: Any, view: Any) -> float:
        if not _is_number(value) or not self._fits(value):
            self.fail(f"must be {self._expected}", view)
        return float(value)


class Addresses(confuse.MappingValues[str]):
    """Template of addresses by label source; a name that no source has is an error."""

    def value(self, view: Any, template: Any = None) -> dict[str, str]:
        values = super().value(view, template)
        SourceNames().convert(list(values), view)
        return values


def _is_number(value: object) -> bool:
    """Whether a value is a finite number; YAML also has `.inf`, `.nan`, and `yes` for True."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


class TaskNames(confuse.StrSeq):
    """Template of a list of tasks; see `check_tasks`."""

    def convert(self, value: Any, view: Any) -> list[str]:
        names: list[str] = super().convert(value, view)
        if problem := check_tasks(names):
            self.fail(problem, view)
        return names


class PlayerCommand(confuse.Template):
    """Template of a program with its options; None: one that is there, and False: none."""

    def convert(self, value: Any, view: Any) -> list[str] | bool | None:
        if value is None or value is False:
            return value
        if isinstance(value, str):
            with suppress(ValueError):  # a quotation mark without its other one
                if words := shlex.split(value):
                    return words
        self.fail("must be a program with its options, such as mpv --no-video, or no", view)


class NoteValue(confuse.Template):
    """Template of a note value: a key of `STEPS`; YAML reads most of them as whole numbers."""

    def convert(self, value: Any, view: Any) -> str:
        if isinstance(value, bool) or str(value) not in STEPS:
            self.fail(f"must be one of {', '.join(STEPS)}", view)
        return str(value)


class CodePlace(confuse.Template):
    """Template of `camelot_in`: a key of `CODE_PLACES`, or `OFF`, which YAML reads as False."""

    def convert(self, value: Any, view: Any) -> str:
        if value is False or value == OFF:
            return OFF
        if not isinstance(value, str) or value not in CODE_PLACES:
            self.fail(f"must be {', '.join(CODE_PLACES)} or {OFF}, or be left empty", view)
        return str(value)


class LengthRange(confuse.Template):
    """Template of a range of lengths as in queries: `12:00..`, `..0:30` or `0:00..0:30`."""

    def convert(self, value: Any, view: Any) -> str:
        if isinstance(value, str) and ".." in value:
            with suppress(InvalidQueryArgumentValueError):
                found = DurationQuery("length", value)
                low, high = found.rangemin, found.rangemax
                if (low, high) != (None, None) and (low or 0) <= (
                    math.inf if high is None else high
                ):
                    return value
        self.fail("must be a range of lengths, such as 12:00.. or ..0:30", view)


class GenreNames(confuse.StrSeq):
    """Template of a list of names of genres."""

    def convert(self, value: Any, view: Any) -> list[str]:
        names: list[str] = super().convert(value, view)
        if not all(name.strip() for name in names):
            self.fail("must be names of genres", view)
        return names


class FieldName(confuse.Template):
    """Template of the name of a field, which the library need not have."""

    def convert(self, value: Any, view: Any) -> str:
        if isinstance(value, str) and is_field(value):
            return value
        self.fail("must be the name of a field, such as genres or mood", view)


class Names(confuse.Template):
    """Template of a list of names; YAML reads `80` as a number."""

    def convert(self, value: Any, view: Any) -> list[str]:
        if isinstance(value, list) and all(_is_name(one) for one in value):
            return [str(one) for one in value]
        self.fail("must be a list of names", view)


class OtherNames(confuse.Template):
    """Template of names by those that count as them: `Trap: Hip-Hop`."""

    def convert(self, value: Any, view: Any) -> dict[str, str]:
        if isinstance(value, Mapping) and all(
            _is_name(one) for pair in value.items() for one in pair
        ):
            return {str(old): str(new) for old, new in value.items()}
        self.fail("must be names with what each counts as, such as Trap: Hip-Hop", view)


def _is_name(value: object) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool) and bool(str(value).strip())


class QueryText(confuse.String):
    """Template of a query in one text, as in beets' smart playlists."""

    def convert(self, value: Any, view: Any) -> str:
        from beets.library import Item, parse_query_string

        text: str = super().convert(value, view)
        try:
            parse_query_string(text, Item)
        except (InvalidQueryError, InvalidQueryArgumentValueError) as error:
            self.fail(" ".join(f"must be a query ({error})".split()), view)
        return text


def check_tasks(names: Sequence[str]) -> str:
    """What is wrong with a list of tasks; empty if nothing.

    All must exist, and fields say only of tempo and key whether a track was analysed for them.
    """
    known = all(name in in_columns() for name in names)
    if known and ("tempo" in names or set(names) == {"key"}):
        return ""
    return f"must be some of {', '.join(in_columns())}, tempo among them, or key alone"


# Settings that one label source has; they are in the section `labels`.
SOURCE_SETTINGS = [setting for setting in source_settings() if setting.in_config]
# Settings of the section `labels` that are secret: beets masks them where it prints settings.
SECRETS = ["proxy", *(setting.name for setting in SOURCE_SETTINGS if setting.secret)]

DEFAULTS: dict[str, Any] = {
    "auto": True,
    "force": False,
    "quiet": False,
    "write": None,
    "decimals": False,
    "camelot_in": None,
    "threads": os.cpu_count() or 1,
    "scheduler": None,
    "cluster_config": None,
    "model": "default",
    "windows": 10,
    "tasks": ["tempo", "pace", "key", "beats"],
    "range": None,
    "min_confidence": 0.4,
    "time_limit": 300,
    "player": None,
    "skip": {"length": None, "genre": [], "query": None},
    "sources": ["tags"],
    "labels": {
        "database": None,
        "interval": 2,
        "max_requests": None,
        "contact": None,
        "apply": False,
        "trainable": ["tags", "acousticbrainz", "rekordbox", "traktor"],
        **{setting.name: None for setting in SOURCE_SETTINGS},
        "proxy": None,
        "urls": {},
    },
    "train": {
        "folder": None,
        "cache_size": None,
        "method": "auto",
        "guard": None,
    },
    "tags": {
        "field": "genres",
        "min_tracks": 20,
        "merge": {},
        "drop": [],
    },
    "notes": {
        "out": None,
        "path": None,
        "format": MIDI,
        "part": PARTS[0],
        "threshold": None,
        "quantize": False,
        "grid": DEFAULT_VALUE,
        "model": "default",
    },
}

TEMPLATE = {
    "auto": bool,
    "force": bool,
    "quiet": bool,
    "write": confuse.Optional(confuse.TypeTemplate(bool)),
    "decimals": bool,
    "camelot_in": confuse.Optional(CodePlace()),
    "threads": Positive(),
    "scheduler": confuse.Optional(SchedulerName()),
    "cluster_config": confuse.Optional(confuse.Filename()),
    "model": str,
    "windows": WindowCount(),
    "tasks": TaskNames(),
    "range": confuse.Optional(TempoRange()),
    "min_confidence": Number("a number from 0 to 1", lambda share: 0 <= share <= 1),
    "time_limit": Number("a number of seconds above 0", lambda seconds: seconds > 0),
    "player": PlayerCommand(),
    "skip": {
        "length": confuse.Optional(LengthRange()),
        "genre": GenreNames(split=False),
        "query": confuse.Optional(QueryText()),
    },
    "sources": SourceNames(),
    "labels": {
        "database": confuse.Optional(confuse.Filename()),
        "interval": Number("a number of seconds from 0", lambda seconds: seconds >= 0),
        "max_requests": confuse.Optional(Positive()),
        "contact": confuse.Optional(str),
        "apply": bool,
        "trainable": SourceNames(),
        **{
            setting.name: confuse.Optional(confuse.Filename() if setting.is_file else str)
            for setting in SOURCE_SETTINGS
        },
        "proxy": confuse.Optional(str),
        "urls": Addresses(str),
    },
    "train": {
        "folder": confuse.Optional(confuse.Filename()),
        "cache_size": confuse.Optional(
            Number("a number of gigabytes above 0", lambda size: size > 0)
        ),
        "method": confuse.Choice(methods.names("tempo")),
        "guard": confuse.Optional(confuse.Filename()),
    },
    "tags": {
        "field": FieldName(),
        "min_tracks": Positive(),
        "merge": OtherNames(),
        "drop": Names(),
    },
    "notes": {
        "out": confuse.Optional(confuse.Filename()),
        "path": confuse.Optional(str),
        "format": confuse.Choice(FORMATS),
        "part": confuse.Choice(PARTS),
        "threshold": confuse.Optional(
            Number("a number between 0 and 1", lambda share: 0 < share < 1)
        ),
        "quantize": bool,
        "grid": NoteValue(),
        "model": str,
    },
}


# Settings that an import has no use for: a wrong one is no reason to refuse it.
NOT_FOR_IMPORTS = (
    "scheduler", "cluster_config", "player", "sources", "labels", "train", "tags", "notes",
)  # fmt: skip


def load(view: Any, without: Collection[str] = ()) -> Any:
    """Read a section of the configuration and check every setting in it.

    Parameters
    ----------
    without
        Names of settings and sections that are neither read nor checked.

    Returns
    -------
    confuse.AttrDict
        The settings by the names in `TEMPLATE`, also as attributes.

    Raises
    ------
    confuse.ConfigError
        If a value has the wrong type or is out of range, or a setting is unknown.
    """
    _refuse_unknown(view, TEMPLATE, without)
    return view.get({name: kind for name, kind in TEMPLATE.items() if name not in without})


def load_for_import(view: Any) -> Any:
    """Read and check, as `load` does, the settings that an import has a use for."""
    return load(view, NOT_FOR_IMPORTS)


def path_of(value: Any) -> Path | None:
    """The path that a setting or an option gives, with `~` expanded; None if it gives none."""
    return Path(value).expanduser() if value else None


def _refuse_unknown(view: Any, template: Mapping[str, Any], without: Collection[str] = ()) -> None:
    """Raise a `confuse.ConfigError` if a section has a setting that the template does not have.

    The sections in `without` may have any.
    """
    sections = [section for section, _source in view.resolve()]
    if not all(isinstance(section, Mapping) for section in sections):
        raise confuse.ConfigTypeError(f"{view.name} must have settings in it, or be left out")
    for key in (key for section in sections for key in section):
        if key not in template:
            from difflib import get_close_matches

            near = get_close_matches(str(key), template, 1)
            told = f"did you mean {near[0]}?" if near else f"known are {', '.join(template)}"
            raise confuse.ConfigValueError(f"{view.name}.{key}: unknown setting; {told}")
        if isinstance(template[key], Mapping) and key not in without:
            _refuse_unknown(view[key], template[key])
