"""Types of the fields that the plugin adds to items, and conflicts with those of other plugins."""

from __future__ import annotations

from typing import TYPE_CHECKING

from beets.dbcore import types
from beets.exceptions import UserError
from beets.plugins import find_plugins

from tempo_core import tasks
from tempo_core.beatgrid import DECIMALS

from .items import LOCKED, REVIEWED
from .marking import MARKER_TAGS, OptionalText
from .stated import EstimatedPaces, StatedPaces

if TYPE_CHECKING:
    from collections.abc import Mapping

    from beets.library import Item
    from beets.plugins import BeetsPlugin

Types = dict[str, types.Type]


class Decimals(types.NullFloat):
    """Type of a number shown with some decimals, None if it is not set.

    All instances with as many are equal, so that another plugin may declare the same field with the
    same type.
    """

    def __init__(self, digits: int = 2) -> None:
        super().__init__(digits=digits)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, types.NullFloat) and other.digits == self.digits

    def __hash__(self) -> int:
        return hash(self.digits)


# Types of the fields that the plugin itself declares; tasks declare further fields.
ITEM_TYPES: Types = {
    "tempo_bpm": Decimals(),
    "tempo_half": Decimals(),
    "tempo_double": Decimals(),
    "tempo_triple": Decimals(),
    "tempo_paces": EstimatedPaces(),
    "tempo_paces_manual": StatedPaces(),
    "tempo_source": types.STRING,
    "tempo_key": types.STRING,
    "tempo_key_source": types.STRING,
    "tempo_file_key": types.STRING,
    "tempo_file_key_seen": types.STRING,
    "tempo_beat_confidence": Decimals(),
    "tempo_first_beat": Decimals(DECIMALS),
    "tempo_downbeat": Decimals(DECIMALS),
    "tempo_downbeat_confidence": Decimals(),
    "tempo_grid": types.STRING,
    "tempo_verdict": types.STRING,
    LOCKED: Decimals(),
    REVIEWED: types.STRING,
    **{field: OptionalText() for field in MARKER_TAGS},
    "sound_suggested": types.STRING,
    "tempo_pending": types.STRING,
    "tempo_failure": types.STRING,
    "tempo_failed_file": types.STRING,
    "tempo_label_bpm": Decimals(),
    "tempo_label_key": types.STRING,
    "tempo_label_source": types.STRING,
    "tempo_label_url": types.STRING,
    "tempo_label_status": types.STRING,
    "tempo_label_verdict": types.STRING,
    "tempo_label_key_verdict": types.STRING,
    "tempo_label_date": types.STRING,
}


def item_types() -> Types:
    """The types of all fields, those that tasks declare and those in `ITEM_TYPES`."""
    kinds: dict[type, types.Type] = {float: Decimals(), int: types.INTEGER, str: types.STRING}
    of_tasks = {
        column.field: kinds[column.kind]
        for name in tasks.TASKS
        for column in tasks.columns(name)
        if column.field is not None
    }
    return {**of_tasks, **ITEM_TYPES}


def declared_otherwise(plugin: BeetsPlugin) -> dict[str, tuple[str, types.Type]]:
    """The fields of a plugin that another plugin declares with another type.

    Returns
    -------
    dict
        By field, the name of the other plugin and its type.
    """
    own: Types = getattr(plugin, "item_types", {})
    return {
        field: (other.name, type_)
        for other in find_plugins()
        if other is not plugin
        for field, type_ in getattr(other, "item_types", {}).items()
        if field in own and type_ != own[field]
    }


def require_types(foreign: Mapping[str, tuple[str, types.Type]]) -> None:
    """Check that fields with the type of another plugin can hold the values of this plugin.

    Parameters
    ----------
    foreign
        Result of `declared_otherwise`.

    Raises
    ------
    UserError
        If the other type is for values of another kind, such as text instead of numbers.
    """
    own = item_types()
    for field, (name, type_) in foreign.items():
        if not issubclass(type_.model_type, own[field].model_type):
            raise UserError(
                f"{field} cannot hold what belongs there, for the plugin {name} gives it "
                "another type; leave it out there"
            )


def camelot_of(item: Item) -> str:
    """Value of the template field `$camelot`: the key in Camelot notation, empty without a key."""
    from .file_keys import key_of

    key = key_of(item)
    return "" if key is None else key.camelot


def open_key_of(item: Item) -> str:
    """Value of the template field `$openkey`: the key in Open Key notation, empty without a key."""
    from .file_keys import key_of

    key = key_of(item)
    return "" if key is None else key.open_key
