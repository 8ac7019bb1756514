"""The fields that the plugin adds to items: their types, and who else declares them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from beets.dbcore import types
from beets.exceptions import UserError
from beets.plugins import find_plugins

from tempo_core import tasks

from .marking import MARKER, OptionalText
from .stated import EstimatedPaces, StatedPaces

if TYPE_CHECKING:
    from collections.abc import Mapping

    from beets.library import Item
    from beets.plugins import BeetsPlugin

Types = dict[str, types.Type]


class TwoDecimals(types.NullFloat):
    """A number shown with two decimals, missing where it is not set.

    All instances are equal, so that a second plugin may declare the same field the same way.
    """

    def __init__(self) -> None:
        super().__init__(digits=2)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, types.NullFloat) and other.digits == self.digits

    def __hash__(self) -> int:
        return hash(self.digits)


# The fields that have rules of their own here; the others are those that tasks declare.
ITEM_TYPES: Types = {
    "tempo_bpm": TwoDecimals(),
    "tempo_half": TwoDecimals(),
    "tempo_double": TwoDecimals(),
    "tempo_triple": TwoDecimals(),
    "tempo_paces": EstimatedPaces(),
    "tempo_paces_manual": StatedPaces(),
    "tempo_source": types.STRING,
    "tempo_key": types.STRING,
    "tempo_key_source": types.STRING,
    "tempo_file_key": types.STRING,
    "tempo_file_key_seen": types.STRING,
    "tempo_verdict": types.STRING,
    MARKER: OptionalText(),
    "tempo_pending": types.STRING,
    "tempo_failure": types.STRING,
    "tempo_failed_file": types.STRING,
    "tempo_label_bpm": TwoDecimals(),
    "tempo_label_key": types.STRING,
    "tempo_label_source": types.STRING,
    "tempo_label_url": types.STRING,
    "tempo_label_status": types.STRING,
    "tempo_label_verdict": types.STRING,
    "tempo_label_date": types.STRING,
}


def item_types() -> Types:
    """The types of all fields: those that tasks declare, and `ITEM_TYPES`."""
    kinds: dict[type, types.Type] = {float: TwoDecimals(), int: types.INTEGER, str: types.STRING}
    of_tasks = {
        column.field: kinds[column.kind]
        for name in tasks.TASKS
        for column in tasks.columns(name)
        if column.field is not None
    }
    return {**of_tasks, **ITEM_TYPES}


def declared_otherwise(plugin: BeetsPlugin) -> dict[str, tuple[str, types.Type]]:
    """The fields of a plugin that another one declares otherwise: that one's name and its type."""
    own: Types = getattr(plugin, "item_types", {})
    return {
        field: (other.name, type_)
        for other in find_plugins()
        if other is not plugin
        for field, type_ in getattr(other, "item_types", {}).items()
        if field in own and type_ != own[field]
    }


def require_types(foreign: Mapping[str, tuple[str, types.Type]]) -> None:
    """Check that the fields can hold what is going to be written.

    Parameters
    ----------
    foreign
        The fields whose type is another plugin's, as `declared_otherwise` tells them.

    Raises
    ------
    UserError
        If another plugin gave one of them a type for values of another kind.
    """
    own = item_types()
    for field, (name, type_) in foreign.items():
        if not issubclass(type_.model_type, own[field].model_type):
            raise UserError(
                f"{field} cannot hold what belongs there, for the plugin {name} gives it "
                "another type; leave it out there"
            )


def camelot_of(item: Item) -> str:
    """The template field `$camelot`: the item's key on the Camelot wheel, empty without a key."""
    from .file_keys import key_of

    key = key_of(item)
    return "" if key is None else key.camelot


def open_key_of(item: Item) -> str:
    """The template field `$openkey`: the item's key in the Open Key notation."""
    from .file_keys import key_of

    key = key_of(item)
    return "" if key is None else key.open_key
