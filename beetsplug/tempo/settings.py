"""The `tempo:` section of the configuration: defaults, and what each value must look like."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
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
            case [low, high] if _is_number(low) and _is_number(high) and 0 < low < high:
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
        if not _is_number(value) or value < 0:
            self.fail("must be a number of seconds from 0", view)
        return float(value)


class Share(confuse.Number):
    """A number from 0 to 1."""

    def convert(self, value: Any, view: Any) -> float:
        if not _is_number(value) or not 0 <= value <= 1:
            self.fail("must be a number from 0 to 1", view)
        return float(value)


class TimeLimit(confuse.Number):
    """A number above 0."""

    def convert(self, value: Any, view: Any) -> float:
        if not _is_number(value) or value <= 0:
            self.fail("must be a number of seconds above 0", view)
        return float(value)


class Gigabytes(confuse.Number):
    """A number above 0."""

    def convert(self, value: Any, view: Any) -> float:
        if not _is_number(value) or value <= 0:
            self.fail("must be a number of gigabytes above 0", view)
        return float(value)


class Addresses(confuse.MappingValues[str]):
    """Addresses of label sources, each one that exists."""

    def value(self, view: Any, template: Any = None) -> dict[str, str]:
        values = super().value(view, template)
        SourceNames().convert(list(values), view)
        return values


def _is_number(value: object) -> bool:
    """Whether it is a number that one can reckon with; YAML has `.inf`, `.nan` and `yes` too."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


METHODS = ("auto", "shift", "adapt", "fit")  # as in trainer.learn, which loads too much

DEFAULTS: dict[str, Any] = {
    "auto": True,
    "force": False,
    "quiet": False,
    "write": None,
    "threads": os.cpu_count() or 1,
    "model": "default",
    "windows": 10,
    "range": None,
    "min_confidence": 0.4,
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
        "proxy": None,
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
    "min_confidence": Share(),
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
        "proxy": confuse.Optional(str),
        "urls": Addresses(str),
    },
    "train": {
        "folder": confuse.Optional(confuse.Filename()),
        "cache_size": confuse.Optional(Gigabytes()),
        "method": confuse.Choice(METHODS),
        "guard": confuse.Optional(confuse.Filename()),
    },
}


def load(view: Any) -> Any:
    """The settings in a section of the configuration, each of them as it must be.

    Raises
    ------
    confuse.ConfigError
        If a value makes no sense, or there is a setting of another name.
    """
    _refuse_unknown(view, TEMPLATE)
    return view.get(TEMPLATE)


def _refuse_unknown(view: Any, template: Mapping[str, Any]) -> None:
    sections = [section for section, _source in view.resolve()]
    if not all(isinstance(section, Mapping) for section in sections):
        raise confuse.ConfigTypeError(f"{view.name} must have settings in it, or be left out")
    for key in (key for section in sections for key in section):
        if key not in template:
            from difflib import get_close_matches

            near = get_close_matches(str(key), template, 1)
            told = f"did you mean {near[0]}?" if near else f"known are {', '.join(template)}"
            raise confuse.ConfigValueError(f"{view.name}.{key}: unknown setting; {told}")
        if isinstance(template[key], Mapping):
            _refuse_unknown(view[key], template[key])
