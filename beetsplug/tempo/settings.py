"""The `tempo:` section of the configuration: defaults, and what each value must look like."""

from __future__ import annotations

import os
from typing import Any

import confuse


class Positive(confuse.Integer):
    """A whole number from 1."""

    def convert(self, value: Any, view: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            self.fail("must be a whole number from 1", view)
        return value


class WindowCount(Positive):
    """A whole number from 1, or `all`."""

    def convert(self, value: Any, view: Any) -> Any:
        if value == "all":
            return value
        try:
            return super().convert(value, view)
        except confuse.ConfigError:
            self.fail("must be a whole number from 1, or all", view)


class TempoRange(confuse.Template):
    """Two tempi [BPM], the lower one first; becomes a tuple."""

    def convert(self, value: Any, view: Any) -> tuple[float, float]:
        match value:
            case [int() | float() as low, int() | float() as high] if 0 < low < high:
                return (low, high)
        self.fail("must be two tempi, the lower first, such as [78, 155]", view)


class SourceNames(confuse.StrSeq):
    """Names of label sources, each one that exists."""

    def convert(self, value: Any, view: Any) -> list[str]:
        from tempo_core.errors import ConfigError
        from tempo_core.labels.sources import check_names

        names: list[str] = super().convert(value, view)
        try:
            check_names(names)
        except ConfigError as error:
            self.fail(str(error), view)
        return names


class Seconds(confuse.Number):
    """A number from 0."""

    def convert(self, value: Any, view: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not value >= 0:
            self.fail("must be a number of seconds from 0", view)
        return float(value)


class TimeLimit(confuse.Number):
    """A number above 0."""

    def convert(self, value: Any, view: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not value > 0:
            self.fail("must be a number of seconds above 0", view)
        return float(value)


class Gigabytes(confuse.Number):
    """A number above 0."""

    def convert(self, value: Any, view: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not value > 0:
            self.fail("must be a number of gigabytes above 0", view)
        return float(value)


METHODS = ("auto", "shift", "adapt", "fit")  # as in trainer.learn, which loads too much

DEFAULTS: dict[str, Any] = {
    "auto": True,
    "force": False,
    "quiet": False,
    "write": None,
    "threads": os.cpu_count(),
    "model": "default",
    "windows": 6,
    "range": None,
    "time_limit": 300,
    "sources": ["tags"],
    "labels": {
        "database": None,
        "interval": 2,
        "max_requests": None,
        "contact": None,
        "apply": False,
        "trainable": ["tags", "acousticbrainz"],
        "acousticbrainz": None,
        "getsongbpm_key": None,
        "urls": {},
    },
    "train": {
        "folder": None,
        "cache_size": None,
        "method": "auto",
        "guard": None,
    },
}

TEMPLATE = {
    "auto": bool,
    "force": bool,
    "quiet": bool,
    "write": confuse.Optional(confuse.TypeTemplate(bool)),
    "threads": Positive(),
    "model": str,
    "windows": WindowCount(),
    "range": confuse.Optional(TempoRange()),
    "time_limit": TimeLimit(),
    "sources": SourceNames(),
    "labels": {
        "database": confuse.Optional(confuse.Filename()),
        "interval": Seconds(),
        "max_requests": confuse.Optional(Positive()),
        "contact": confuse.Optional(str),
        "apply": bool,
        "trainable": SourceNames(),
        "acousticbrainz": confuse.Optional(confuse.Filename()),
        "getsongbpm_key": confuse.Optional(str),
        "urls": confuse.MappingValues(str),
    },
    "train": {
        "folder": confuse.Optional(confuse.Filename()),
        "cache_size": confuse.Optional(Gigabytes()),
        "method": confuse.Choice(METHODS),
        "guard": confuse.Optional(confuse.Filename()),
    },
}
